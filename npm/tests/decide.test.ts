import { afterEach, expect, expectTypeOf, test, vi } from "vitest";
import type {
  ChoiceAnswer,
  DecisionAnswer,
  DecisionQuestion,
  Model,
  NoulAnswer,
  PredicateAnswer,
  SystemOneScoreAnswer,
} from "../src/index.ts";
import { load } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  return { engine, model: await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) }) };
}

afterEach(() => vi.unstubAllGlobals());

test("an answer has the type of its question", async () => {
  const { engine, model } = await setUp();
  const answers: DecisionAnswer[] = [
    { type: "predicate", name: "late", probability: 0.75 },
    { type: "choice", name: null, choice: true, confidence: 0, probabilities: [] },
  ];
  engine.decision = { answers };
  const decision = await model.decide({
    input: "Two parcels came.",
    questions: [
      { type: "predicate", name: "late", instructions: "They came late." },
      { type: "choice", instructions: "Is it so?", choices: [{ value: true }, { value: "no" }] },
    ],
  });
  expectTypeOf(decision.answers).toEqualTypeOf<[PredicateAnswer, ChoiceAnswer]>();
  expect(decision.answers[0].probability).toBe(0.75);
  expect(decision.answers[1].choice).toBe(true);

  const questions: DecisionQuestion[] = [];
  const any = await model.decide({ input: "x", questions });
  expectTypeOf(any.answers).toEqualTypeOf<DecisionAnswer[]>();
});

test("the engine gets the request as it is, adapters by their names", async () => {
  const { engine, model } = await setUp();
  const questions = [{ type: "predicate" as const, instructions: "So?" }];
  const input = [{ role: "user" as const, content: [{ type: "input_text" as const, text: "Hi" }] }];
  await model.decide({ model: "any", input, questions, adapters: [{ name: "style", scale: 0.5 }] });
  await model.decide({ input: "x", questions, adapters: null, more: undefined } as never);
  expect(engine.requests).toEqual([
    { model: "any", input, questions, adapters: [{ name: "style", scale: 0.5 }] },
    { input: "x", questions },
  ]);
});

test("a signal ends it, and what cannot be sent is refused", async () => {
  const { engine, model } = await setUp();
  const request = { input: "x", questions: [{ type: "predicate" as const, instructions: "So?" }] };
  const signal = AbortSignal.abort("enough");
  await expect(model.decide(request, { signal })).rejects.toMatchObject({ code: "aborted" });
  const wrong = (value: unknown) => model.decide(value as never);
  const refused = (message: RegExp) => ({ code: "invalid-request", message: expect.stringMatching(message) });
  await expect(wrong("x")).rejects.toMatchObject(refused(/an object with input and questions/));
  await expect(wrong([request])).rejects.toMatchObject(refused(/an object with input and questions/));
  await expect(wrong({ ...request, input: 1n })).rejects.toMatchObject(refused(/plain data/));
  expect(engine.requests).toEqual([]);
  engine.pooledError = Object.assign(new Error("questions is empty"), { code: "invalid-request" });
  await expect(model.decide(request)).rejects.toMatchObject({ message: "questions is empty" });
});

test("System One asks and answers by name", async () => {
  const { engine, model } = await setUp();
  const answers = {
    late: { type: "noul" as const, noul: 0.75 },
    how: { type: "score" as const, score: 0.5, legend: {}, probabilities: {}, confidence: 0 },
  };
  engine.systemOne = { ...engine.systemOne, answers };
  const questions = {
    late: { type: "noul", instructions: "They came late." },
    how: { type: "score", instructions: { question: "How late?" }, criteria: ["a day", "a week"] },
  } as const;
  const reply = await model.systemOne({ state: { parcels: 2 }, questions });
  expectTypeOf(reply.answers).toEqualTypeOf<{ late: NoulAnswer; how: SystemOneScoreAnswer }>();
  expect(reply.answers.late.noul).toBe(0.75);
  expect(engine.requests).toEqual([{ state: { parcels: 2 }, questions }]);
  const refused = {
    code: "invalid-request",
    message: expect.stringMatching(/an object with state and questions/),
  };
  await expect(model.systemOne(null as never)).rejects.toMatchObject(refused);
});
