// Streams do what those of OpenAI's client do.

import { Stream } from "openai/streaming";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  type ChatCompletionChunk,
  type ChatMessage,
  type ChatStream,
  load,
  type Model,
} from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

const messages: ChatMessage[] = [{ role: "user", content: "hi" }];
let engine: FakeEngine;
let model: Model;

beforeEach(async () => {
  fakeBrowser();
  engine = new FakeEngine();
  model = await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) });
});
afterEach(() => vi.unstubAllGlobals());

const start = () => model.chat.completions.create({ messages, stream: true });
const sing = () => {
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
};
const ended = () => vi.waitFor(() => expect(engine.log.at(-1)).toMatch(/chat ended after \d{1,3}$/));

async function collect(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

test("a readable stream is what OpenAI's client reads", async () => {
  const theirs = Stream.fromReadableStream<ChatCompletionChunk>(
    (await start()).toReadableStream(),
    new AbortController(),
  );
  const chunks = await collect(theirs);
  expect(chunks.map(({ choices }) => choices[0]?.delta.content)).toEqual(["", "Hel", "lo", undefined]);
  expect(chunks.at(-1)?.usage?.total_tokens).toBe(5);
});

test("a readable stream that is cancelled ends the reply, one that fails says why", async () => {
  sing();
  const reader = (await start()).toReadableStream().getReader();
  await reader.read();
  await reader.cancel();
  await ended();
  engine.chatError = Object.assign(new Error("too long"), { code: "prompt-too-long" });
  const failing = (await start()).toReadableStream().getReader();
  await expect(failing.read()).rejects.toMatchObject({ code: "prompt-too-long" });
});

test("two streams of one: each has all of it, at its own speed", async () => {
  const stream = await start();
  const [a, b] = stream.tee();
  const first = await collect(a);
  expect(first).toHaveLength(4);
  expect(await collect(b)).toEqual(first);
  await expect(collect(stream)).rejects.toThrow(/only once; tee\(\)/);
  engine.chatError = Object.assign(new Error("too long"), { code: "prompt-too-long" });
  for (const half of (await start()).tee()) {
    await expect(collect(half)).rejects.toMatchObject({ code: "prompt-too-long" });
  }
});

test("the reply goes on until both halves are left", async () => {
  sing();
  const [a, b] = (await start()).tee();
  for await (const _ of a) break;
  let n = 0;
  for await (const _ of b) if (++n === 10) break;
  expect(n).toBe(10);
  await ended();
});

test("controller.abort() ends the loop without an error, and the reply", async () => {
  sing();
  const stream: ChatStream = await start();
  const { signal } = stream.controller;
  let n = 0;
  for await (const _ of stream) if (++n === 3) stream.controller.abort();
  expect([n, signal.aborted]).toEqual([3, true]);
  await ended();
  const waiting = await start();
  setTimeout(() => waiting.controller.abort(), 5);
  await collect(waiting);
  await ended();
});
