import { afterEach, expect, test, vi } from "vitest";
import type { CompletionChunk, CompletionRequest, Model } from "../src/index.ts";
import { load } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  return { engine, model: await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) }) };
}

async function collect(stream: AsyncIterable<CompletionChunk>): Promise<CompletionChunk[]> {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

afterEach(() => vi.unstubAllGlobals());

test("a whole completion in OpenAI's shape", async () => {
  const { engine, model } = await setUp();
  engine.reply = { finish_reason: "length" };
  expect(await model.completions.create({ prompt: "def f(" })).toEqual({
    id: expect.stringMatching(/^cmpl-/),
    object: "text_completion",
    created: expect.any(Number),
    model: "fake",
    choices: [{ text: "Hello", index: 0, logprobs: null, finish_reason: "length" }],
    usage: {
      prompt_tokens: 3,
      completion_tokens: 2,
      total_tokens: 5,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
    timings: { prefill_ms: 1, prefill_tps: 3000, decode_ms: 2, decode_tps: 500 },
  });
});

test("a stream: pieces of text, then finish_reason with usage", async () => {
  const { model } = await setUp();
  const chunks = await collect(await model.completions.create({ prompt: "a", stream: true }));
  expect(chunks.map((chunk) => chunk.choices)).toEqual([
    [{ text: "Hel", index: 0, logprobs: null, finish_reason: null }],
    [{ text: "lo", index: 0, logprobs: null, finish_reason: null }],
    [{ text: "", index: 0, logprobs: null, finish_reason: "stop" }],
  ]);
  expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  expect(chunks.map((chunk) => "usage" in chunk)).toEqual([false, false, true]);
});

test("with include_usage, usage comes as OpenAI sends it", async () => {
  const { model } = await setUp();
  const stream_options = { include_usage: true };
  const chunks = await collect(await model.completions.create({ prompt: "a", stream: true, stream_options }));
  expect(chunks.map((chunk) => chunk.usage?.total_tokens ?? null)).toEqual([null, null, null, 5]);
  expect(chunks.at(-1)?.choices).toEqual([]);
});

test("a request is brought into the engine's form", async () => {
  const { engine, model } = await setUp();
  await model.completions.create({
    model: "qwen2.5-coder",
    prompt: "def f(a):\n    ",
    suffix: "\n    return b",
    max_tokens: 9,
    stop: ["\n\n"],
    temperature: 0,
    seed: null,
    n: 2,
    echo: false,
    logprobs: 3,
    logit_bias: { 7: 1.5 },
  });
  expect(engine.last.request).toEqual({
    prompt: "def f(a):\n    ",
    suffix: "\n    return b",
    max_tokens: 9,
    stop: ["\n\n"],
    temperature: 0,
    n: 2,
    echo: false,
    logprobs: 3,
    logit_bias: { 7: 1.5 },
  });
  await model.completions.create({ prompt: "a", suffix: null });
  expect(engine.last.request).toEqual({ prompt: "a" });
  await model.completions.create({ prompt: "", suffix: "" });
  expect(engine.last.request).toEqual({ prompt: "", suffix: "" });
});

test("a stream is stopped and aborted as a chat's is", async () => {
  const { engine, model } = await setUp();
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
  const stopped = await model.completions.create({ prompt: "a", stream: true });
  const chunks = [];
  for await (const chunk of stopped) {
    chunks.push(chunk);
    if (chunks.length === 3) stopped.stop();
  }
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
  expect(chunks.at(-1)?.usage?.completion_tokens).toBeLessThan(100);

  const controller = new AbortController();
  const stream = await model.completions.create({ prompt: "a", stream: true, signal: controller.signal });
  const loop = (async () => {
    for await (const _ of stream) controller.abort();
  })();
  await expect(loop).rejects.toMatchObject({ code: "aborted" });
});

test.each<[Record<string, unknown>, RegExp]>([
  [{}, /prompt must be a text, not undefined/],
  [{ prompt: ["a", "b"] }, /prompt must be a text, not \["a","b"\]/],
  [{ prompt: "a", suffix: 7 }, /suffix must be a text, not 7/],
  [{ prompt: "a", best_of: 2 }, /"best_of": 2 is not supported yet/],
  [{ prompt: "a", logprobs: true }, /logprobs must be a whole number from 0 on, not true/],
  [{ prompt: "a", top_logprobs: 1 }, /"top_logprobs" is not known/],
  [{ prompt: "a", messages: [] }, /"messages" is not known/],
  [{ prompt: "a", thinking_budget: 9 }, /"thinking_budget" is not known/],
  [{ prompt: "a", constructor: 1 }, /"constructor" is not known/],
])("%j is refused by name", async (request, message) => {
  const { model } = await setUp();
  const error = await model.completions
    .create(request as unknown as CompletionRequest)
    .catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "invalid-request" });
  expect((error as Error).message).toMatch(message);
});
