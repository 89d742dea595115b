// Calls that overlap, and how they end.

import { afterEach, expect, test, vi } from "vitest";
import { QwillError } from "../src/errors.ts";
import { host } from "../src/host.ts";
import { load, type Model, type PromptProgress } from "../src/index.ts";
import type { Protocol } from "../src/protocol.ts";
import { Client } from "../src/rpc.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

const gguf = new File(["GGUF"], "tiny.gguf");
const request = { messages: [{ role: "user" as const, content: "hi" }] };

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  const model = await load(gguf, { worker: fakeWorker(engine) });
  engine.log = [];
  return { engine, model };
}

afterEach(() => vi.unstubAllGlobals());

test("calls on one model run together, begun in their order", async () => {
  const { engine, model } = await setUp();
  const results = await Promise.all([
    model.chat.completions.create(request),
    model.chat.completions.create(request),
    model.tokenize("ab"),
    model.eval([{ name: "a", ids: [1, 2] }]),
    model.bench({ parallel: [4] }),
  ]);
  expect(engine.log).toEqual(["chat", "chat", "chat ended after 2", "chat ended after 2"]);
  expect(results[2]).toEqual({ ids: [97, 98], tokens: ["a", "b"] });
  expect(results[4]).toMatchObject({ ttft_ms: 1, prefill_tps: 2, decode_tps: 3, gpu: "fake" });
  expect(results[4].parallel).toMatchObject([
    { n_texts: 4, decode_tps: { median: 12 }, ttft_ms: { p95: 4 } },
  ]);
  expect(results[3][0]?.logits).toEqual(new Float32Array([0.5, 0.25]));
});

test("the progress of a long prompt is heard, streamed or not", async () => {
  const { engine, model } = await setUp();
  engine.events.unshift({ type: "progress", n_read: 512, n_tokens: 700 });
  const heard: PromptProgress[] = [];
  const onProgress = (progress: PromptProgress) => heard.push(progress);
  const whole = await model.chat.completions.create({ ...request, onProgress });
  expect(whole.choices[0].message.content).toBe("Hello");
  expect(engine.last.request).not.toHaveProperty("onProgress");
  let text = "";
  const stream = await model.completions.create({ prompt: "a", stream: true, onProgress });
  for await (const chunk of stream) text += chunk.choices[0]?.text ?? "";
  expect(text).toBe("Hello");
  expect(heard).toEqual(Array(2).fill({ read: 512, total: 700 }));
});

test("an abort reaches the engine before the first token, and no other call", async () => {
  const { engine, model } = await setUp();
  engine.events = Array.from({ length: 40 }, (_, i) => ({ type: "progress", n_read: i, n_tokens: 40 }));
  const controller = new AbortController();
  const onProgress = ({ read }: PromptProgress) => {
    if (read === 3) controller.abort();
  };
  const aborted = model.chat.completions.create({ ...request, signal: controller.signal, onProgress });
  const other = model.chat.completions.create(request);
  await expect(aborted).rejects.toMatchObject({ code: "aborted" });
  await other;
  const [first, last] = engine.log.filter((line) => line.startsWith("chat ended after "));
  expect(Number(first?.split(" ").at(-1))).toBeLessThan(8);
  expect(last).toBe("chat ended after 40");
});

test("a stream that is stopped before its first token still ends with its usage", async () => {
  const { engine, model } = await setUp();
  engine.events = Array.from({ length: 40 }, () => ({ type: "token" }));
  const stream = await model.chat.completions.create({ ...request, stream: true });
  stream.stop();
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  expect(chunks.at(-1)?.usage?.completion_tokens).toBeLessThan(8);
});

test("texts of one call run together, but not all, and one that fails ends the others", async () => {
  const { engine, model } = await setUp();
  const texts = Array.from({ length: 10 }, (_, i) => "x".repeat(i));
  const vectors = await model.embed(texts);
  expect(vectors.map(([length]) => length)).toEqual(texts.map((text) => text.length));
  expect(engine.most).toBe(4);
  engine.requests = [];
  engine.pooledError = Object.assign(new Error("too long"), { code: "prompt-too-long" });
  await expect(model.embed(texts)).rejects.toMatchObject({ code: "prompt-too-long" });
  await model.tokenize("afterwards");
  expect(engine.requests.length).toBeLessThanOrEqual(4);
});

test("a model is freed when nothing uses it any more", async () => {
  fakeBrowser();
  const engine = new FakeEngine();
  const { port1, port2 } = new MessageChannel();
  host(port2, async () => engine);
  const client = new Client<Protocol>(port1, () => {});
  const source = { name: "tiny", local: [{ name: "tiny.gguf", blob: gguf }] };
  await client.call("load", {
    source,
    options: {},
    wasmUrl: undefined,
    grammarUrl: undefined,
    token: undefined,
  });
  engine.log = [];
  const chat = client.call("chat", { messages: [] });
  await client.call("dispose", undefined);
  expect(engine.log).toEqual(["chat", "chat ended after 2", "free"]);
  await chat;
  await expect(client.call("chat", { messages: [] })).rejects.toMatchObject({ code: "disposed" });
  client.close(new QwillError("disposed", "over"));
  port1.close();
});
