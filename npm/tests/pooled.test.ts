import { afterEach, expect, test, vi } from "vitest";
import type { Model } from "../src/index.ts";
import { load } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  return { engine, model: await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) }) };
}

afterEach(() => vi.unstubAllGlobals());

test("one vector for each text, a single text is a list of one", async () => {
  const { engine, model } = await setUp();
  expect(await model.embed("river")).toEqual([Float32Array.of(5, 0, 1)]);
  const vectors = await model.embed(["a", "", "字"], { instruction: "Find it", dimensions: 2 });
  expect(vectors).toEqual([Float32Array.of(1, 0), Float32Array.of(0, 0), Float32Array.of(1, 0)]);
  expect(engine.requests).toEqual([
    { text: "river" },
    { text: "a", instruction: "Find it", dimensions: 2 },
    { text: "", instruction: "Find it", dimensions: 2 },
    { text: "字", instruction: "Find it", dimensions: 2 },
  ]);
  expect(await model.embed([])).toEqual([]);
});

test("documents come back sorted, equal ones in their order, the best topN only", async () => {
  const { engine, model } = await setUp();
  const documents = ["two", "nothing", "one", "longest of all"];
  const ranked = await model.rerank("q", documents);
  expect(ranked).toEqual([
    { index: 3, score: 1.4, document: "longest of all" },
    { index: 1, score: 0.7, document: "nothing" },
    { index: 0, score: 0.3, document: "two" },
    { index: 2, score: 0.3, document: "one" },
  ]);
  expect(await model.rerank("q", documents, { topN: 2 })).toEqual(ranked.slice(0, 2));
  expect(await model.rerank("q", documents, { topN: 9 })).toEqual(ranked);
  expect(await model.rerank("q", [])).toEqual([]);
  await model.rerank("q", ["d"], { instruction: "Find it" });
  expect(engine.requests.at(-1)).toEqual({ query: "q", document: "d", instruction: "Find it" });
});

test("a conversation, the steps of a solution or token ids are scored", async () => {
  const { engine, model } = await setUp();
  const scores = { last: [0.5], tokens: null, steps: [0.25, 0.75] };
  const parts = [
    { type: "text" as const, text: "1 + " },
    { type: "text" as const, text: "1?" },
  ];
  expect(
    await model.score([
      { role: "user", content: parts },
      { role: "assistant", content: ["Count.", "It is 2."] },
    ]),
  ).toEqual(scores);
  await model.score({ ids: [7, 0] });
  expect(engine.requests).toEqual([
    {
      messages: [
        { role: "user", content: parts },
        { role: "assistant", content: ["Count.", "It is 2."] },
      ],
    },
    { ids: [7, 0] },
  ]);
});

test("cases of an evaluation give embeddings and scores", async () => {
  const { model } = await setUp();
  const [embedded, scored, plain] = await model.eval([
    { name: "a", ids: [1], pooled: "embedding" },
    { name: "b", ids: [1, 2], pooled: "score" },
    { name: "c", ids: [1] },
  ]);
  expect(embedded).toMatchObject({ embedding: Float32Array.of(0.6, 0.8), scores: null });
  expect(scored?.scores).toEqual({ last: [0.5], tokens: [[0.25], [0.5]], steps: null });
  expect(plain).toMatchObject({ embedding: new Float32Array(), scores: null });
});

test("an aborted call rejects at once and starts on no further text", async () => {
  const { engine, model } = await setUp();
  const controller = new AbortController();
  const { signal } = controller;
  const many = Array.from({ length: 1000 }, (_, i) => `${i}`);
  const calls = [model.embed(many, { signal }), model.rerank("q", many, { signal })];
  const rejected = calls.map((call) =>
    expect(call).rejects.toMatchObject({ code: "aborted", cause: "enough" }),
  );
  await vi.waitFor(() => expect(engine.requests.length).toBeGreaterThan(2));
  controller.abort("enough");
  await Promise.all(rejected);
  const begun = engine.requests.length;
  await model.tokenize("lets time pass");
  expect(engine.requests.length).toBeLessThanOrEqual(begun + 8);
  expect(begun).toBeLessThan(1000);
  await expect(model.score({ ids: [1] }, { signal })).rejects.toMatchObject({ code: "aborted" });
});

test("what the engine refuses comes back with its code", async () => {
  const { engine, model } = await setUp();
  engine.pooledError = Object.assign(new Error("this model has no scores"), { code: "invalid-request" });
  const refused = { code: "invalid-request", message: "this model has no scores" };
  await expect(model.score({ ids: [1] })).rejects.toMatchObject(refused);
  await expect(model.embed("a")).rejects.toMatchObject(refused);
  await expect(model.rerank("q", ["a"])).rejects.toMatchObject(refused);
});

type Call = (model: Model) => Promise<unknown>;
// Arguments that TypeScript would not let pass.
const wrong = (value: unknown) => value as never;

test.each<[string, Call, RegExp]>([
  ["no text", (model) => model.embed(wrong(7)), /input must be a list of texts, not 7/],
  ["nothing", (model) => model.embed(wrong(undefined)), /input must be a list of texts, not undefined/],
  ["a list with a hole", (model) => model.embed(wrong(["a", null])), /input\[1\] must be a text, not null/],
  ["half a number", (model) => model.embed("a", { dimensions: 1.5 }), /dimensions must be a positive whole/],
  ["no numbers", (model) => model.embed("a", { dimensions: 0 }), /dimensions .* not 0/],
  [
    "a wrong task",
    (model) => model.embed("a", { instruction: wrong(1) }),
    /instruction must be a text, not 1/,
  ],
  ["a wrong option", (model) => model.embed("a", wrong({ size: 3 })), /"size" is not known/],
  ["Cohere's option", (model) => model.rerank("q", ["a"], wrong({ top_n: 3 })), /"top_n" is not known/],
  ["the best none", (model) => model.rerank("q", ["a"], { topN: 0 }), /topN must be a positive whole/],
  ["no query", (model) => model.rerank(wrong(null), ["a"]), /query must be a text, not null/],
  ["one document", (model) => model.rerank("q", wrong("a")), /documents must be a list of texts, not "a"/],
  ["a document with fields", (model) => model.rerank("q", wrong([{ text: "a" }])), /documents\[0\]/],
  ["no messages", (model) => model.score([]), /at least one message/],
  ["a text", (model) => model.score(wrong("hi")), /a list of messages, or \{ ids \}/],
  ["no ids", (model) => model.score(wrong({})), /ids must be a list of token ids/],
  ["broken ids", (model) => model.score({ ids: [1, 0.5] }), /ids\[1\] must be a whole number/],
  ["ids and more", (model) => model.score(wrong({ ids: [1], text: "a" })), /"text" is not known/],
])("%s is refused by name", async (_, call, message) => {
  const { engine, model } = await setUp();
  const error = await call(model).catch((e: unknown) => e);
  expect(error).toMatchObject({ name: "QwillError", code: "invalid-request" });
  expect((error as Error).message).toMatch(message);
  expect(engine.requests).toEqual([]);
});
