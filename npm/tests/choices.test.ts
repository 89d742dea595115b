// Several replies to one request, and how likely their tokens were.

import { afterEach, expect, test, vi } from "vitest";
import type { EngineChatEvent } from "../src/engine-chat.ts";
import { load, type Model } from "../src/index.ts";
import { paired } from "../src/pairing.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

const messages = [{ role: "user" as const, content: "hi" }];
const call = { name: "now", arguments: "{}" };

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  return { engine, model: await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) }) };
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** Of a chat. */
const told = (token: string) => ({
  content: [{ token, logprob: -0.5, bytes: [...new TextEncoder().encode(token)], id: 7, top_logprobs: [] }],
});

/** Of a completion. */
const counted = (token: string, text_offset: number) => ({
  tokens: [token],
  token_logprobs: [-0.5],
  top_logprobs: [{ [token]: -0.5 }],
  text_offset: [text_offset],
});

afterEach(() => vi.unstubAllGlobals());

test("several choices have an index each, and the prompt counts once", async () => {
  const { engine, model } = await setUp();
  const chat = await model.chat.completions.create({ messages, n: 3 });
  expect(chat.choices.map(({ index, message }) => [index, message.content])).toEqual([
    [0, "Hello"],
    [1, "Hello"],
    [2, "Hello"],
  ]);
  expect(chat.usage).toMatchObject({ prompt_tokens: 3, completion_tokens: 6, total_tokens: 9 });
  expect(engine.last.request).toEqual({ messages, n: 3 });
  const completion = await model.completions.create({ prompt: "a", n: 2 });
  expect(completion.choices.map(({ index, text }) => [index, text])).toEqual([
    [0, "Hello"],
    [1, "Hello"],
  ]);
});

test("chunks carry the index of their choice; each begins with its role, and usage comes once", async () => {
  const { engine, model } = await setUp();
  engine.events = [
    { type: "content", text: "Hi" },
    { type: "tool_call_delta", call: 0, ...call },
    { type: "tool_call_delta", call: 1, ...call },
  ];
  const chunks = await collect(await model.chat.completions.create({ messages, n: 2, stream: true }));
  for (const wanted of [0, 1]) {
    const choices = chunks.flatMap(({ choices }) => choices).filter(({ index }) => index === wanted);
    expect(choices.map(({ delta }) => delta)).toMatchObject([
      { role: "assistant", content: "" },
      { content: "Hi" },
      { tool_calls: [{ index: 0 }] },
      { tool_calls: [{ index: 1 }] },
      {},
    ]);
    expect(choices.map(({ finish_reason }) => finish_reason).join()).toBe(",,,,tool_calls");
  }
  expect(chunks.filter((chunk) => chunk.usage)).toEqual([chunks.at(-1)]);

  const stream_options = { include_usage: true };
  const request = { prompt: "a", n: 2, stream: true as const, stream_options };
  const pieces = await collect(await model.completions.create(request));
  expect(pieces.map(({ choices }) => choices[0]?.finish_reason)).toEqual([
    null,
    null,
    "tool_calls",
    "tool_calls",
    undefined,
  ]);
  expect(pieces.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 9 } });
});

test("how likely tokens were comes with their text, in the shape of chats", async () => {
  const { engine, model } = await setUp();
  engine.events = [
    { type: "reasoning", text: "Hm." },
    { type: "content", text: "Hel" },
    { type: "token", logprobs: told("Hel") },
    { type: "token", logprobs: told("l") },
    { type: "content", text: "lo" },
    { type: "token", logprobs: told("o") },
    { type: "content", text: "!" },
  ];
  const request = { messages, logprobs: true, top_logprobs: 0 };
  const chunks = await collect(await model.chat.completions.create({ ...request, stream: true }));
  const shown = (token: string) => ({ ...told(token), refusal: null });
  expect(chunks.map(({ choices }) => [choices[0]?.delta, choices[0]?.logprobs])).toEqual([
    [{ role: "assistant", content: "" }, null],
    [{ reasoning_content: "Hm." }, null],
    [{ content: "Hel" }, shown("Hel")],
    [{}, shown("l")],
    [{ content: "lo" }, shown("o")],
    [{ content: "!" }, null],
    [{}, null],
  ]);
  engine.reply = { logprobs: told("Hello") };
  const { choices } = await model.chat.completions.create(request);
  expect(choices[0].logprobs).toEqual(shown("Hello"));
});

test("and in the shape of completions, an echoed prompt first", async () => {
  const { engine, model } = await setUp();
  engine.events = [
    { type: "prompt", text: "a", logprobs: counted("a", 0) },
    { type: "token", logprobs: counted("bytes:\\xe4", 1) },
    { type: "content", text: "b" },
    { type: "token", logprobs: counted("b", 2) },
    { type: "token" },
  ];
  const request = { prompt: "a", logprobs: 0, echo: true };
  const chunks = await collect(await model.completions.create({ ...request, stream: true }));
  expect(chunks.map(({ choices }) => [choices[0]?.text, choices[0]?.logprobs])).toEqual([
    ["a", counted("a", 0)],
    ["", counted("bytes:\\xe4", 1)],
    ["b", counted("b", 2)],
    ["", null],
  ]);
  expect(engine.last.request).toEqual(request);
  engine.reply = { logprobs: counted("ab", 0) };
  const { choices } = await model.completions.create(request);
  expect(choices[0]).toMatchObject({ text: "ab", logprobs: counted("ab", 0) });
});

test("what a token says waits for the token, whatever other choices say", async () => {
  const emitted: unknown[] = [];
  const said = (text: string): EngineChatEvent => ({ type: "content", text });
  const result = await paired(
    (event) => emitted.push(event),
    async (hear) => {
      hear({ index: 0, ...said("a") });
      hear({ index: 1, ...said("b") });
      expect(emitted).toEqual([]);
      hear({ index: 0, type: "token", logprobs: told("a") });
      expect(emitted).toEqual([{ index: 0, ...said("a"), logprobs: told("a") }]);
      hear({ index: 1, type: "token" });
      hear({ index: 1, type: "token" });
      hear({ index: 1, type: "progress", n_read: 1, n_tokens: 2 });
      hear({ index: 0, ...said("c") });
      return 5;
    },
  );
  expect(result).toBe(5);
  expect(emitted.slice(1)).toEqual([
    { index: 1, ...said("b") },
    { index: 1, type: "progress", n_read: 1, n_tokens: 2 },
    { index: 0, ...said("c") },
  ]);
});
