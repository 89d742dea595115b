import { afterEach, expect, test, vi } from "vitest";
import type { ChatCompletionChunk, ChatCompletionRequest, ChatMessage, Model } from "../src/index.ts";
import { load } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

const messages: ChatMessage[] = [{ role: "user", content: "hi" }];

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  return { engine, model: await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) }) };
}

async function collect(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const call = {
  id: "call_1",
  type: "function" as const,
  function: { name: "now", arguments: '{"zone":"UTC"}' },
};

afterEach(() => vi.unstubAllGlobals());

test("a whole reply in OpenAI's shape", async () => {
  const { engine, model } = await setUp();
  engine.events.unshift({ type: "reasoning", text: "A greeting." });
  const reply = await model.chat.completions.create({ messages });
  expect(reply).toEqual({
    id: expect.stringMatching(/^chatcmpl-/),
    object: "chat.completion",
    created: expect.any(Number),
    model: "fake",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: "Hello", reasoning_content: "A greeting.", refusal: null },
        logprobs: null,
        finish_reason: "stop",
      },
    ],
    usage: {
      prompt_tokens: 3,
      completion_tokens: 3,
      total_tokens: 6,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 1 },
    },
    timings: { prefill_ms: 1, prefill_tps: 3000, decode_ms: 2, decode_tps: 500 },
  });
});

test("a tool call leaves the content null", async () => {
  const { engine, model } = await setUp();
  engine.events = [{ type: "tool_call_delta", call: 0, ...call.function }];
  const { choices } = await model.chat.completions.create({ messages });
  expect(choices[0]).toMatchObject({
    message: { content: null, tool_calls: [{ ...call, id: expect.stringMatching(/^call_\w{24}$/) }] },
    finish_reason: "tool_calls",
  });
});

test("a stream: role, reasoning, content, tool calls, then finish_reason with usage", async () => {
  const { engine, model } = await setUp();
  engine.events = [
    { type: "reasoning", text: "Hm." },
    { type: "content", text: "Hello" },
    { type: "tool_call_delta", call: 0, name: "now", arguments: "" },
    { type: "tool_call_delta", call: 0, arguments: "{" },
    { type: "tool_call_delta", call: 0, arguments: "}" },
  ];
  const chunks = await collect(await model.chat.completions.create({ messages, stream: true }));
  expect(chunks.map((chunk) => chunk.choices[0]?.delta)).toEqual([
    { role: "assistant", content: "" },
    { reasoning_content: "Hm." },
    { content: "Hello" },
    {
      tool_calls: [
        {
          index: 0,
          id: expect.stringMatching(/^call_/),
          type: "function",
          function: { name: "now", arguments: "" },
        },
      ],
    },
    { tool_calls: [{ index: 0, function: { arguments: "{" } }] },
    { tool_calls: [{ index: 0, function: { arguments: "}" } }] },
    {},
  ]);
  expect(chunks.map((chunk) => chunk.choices[0]?.finish_reason)).toEqual([
    null,
    null,
    null,
    null,
    null,
    null,
    "tool_calls",
  ]);
  expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(1);
  expect(chunks.map((chunk) => "usage" in chunk)).toEqual([...Array(6).fill(false), true]);
  expect(chunks.at(-1)).toMatchObject({ object: "chat.completion.chunk", usage: { total_tokens: 8 } });
});

test("with include_usage, usage comes as OpenAI sends it", async () => {
  const { model } = await setUp();
  const stream_options = { include_usage: true };
  const chunks = await collect(
    await model.chat.completions.create({ messages, stream: true, stream_options }),
  );
  expect(chunks.map((chunk) => chunk.usage?.total_tokens ?? null)).toEqual([null, null, null, null, 5]);
  expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
  expect(chunks.at(-1)?.choices).toEqual([]);
});

test("an aborted call rejects at once and stops the engine", async () => {
  const { engine, model } = await setUp();
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
  const controller = new AbortController();
  const stream = await model.chat.completions.create({ messages, stream: true, signal: controller.signal });
  let seen = 0;
  const loop = (async () => {
    for await (const _ of stream) if (++seen === 3) controller.abort("enough");
  })();
  await expect(loop).rejects.toMatchObject({ code: "aborted", name: "AbortError", cause: "enough" });
  expect(seen).toBe(3);
  await vi.waitFor(() => expect(engine.log.at(-1)).toMatch(/chat ended after \d{1,2}$/));

  const whole = model.chat.completions.create({ messages, signal: AbortSignal.timeout(5) });
  await expect(whole).rejects.toMatchObject({ code: "aborted" });
  await expect(model.chat.completions.create({ messages, signal: controller.signal })).rejects.toThrow(
    "aborted",
  );
});

test("leaving the loop stops the engine", async () => {
  const { engine, model } = await setUp();
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
  for await (const chunk of await model.chat.completions.create({ messages, stream: true })) {
    if (chunk.choices[0]?.delta.content === "la") break;
  }
  await vi.waitFor(() => expect(engine.log.at(-1)).toMatch(/chat ended after \d{1,2}$/));
});

test("stop() ends a stream with its finish_reason and usage", async () => {
  const { engine, model } = await setUp();
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
  const stream = await model.chat.completions.create({ messages, stream: true });
  const chunks = [];
  for await (const chunk of stream) {
    chunks.push(chunk);
    if (chunks.length === 3) stream.stop();
  }
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("stop");
  expect(chunks.at(-1)?.usage?.completion_tokens).toBeLessThan(100);
});

test("a stream throws what the engine throws, after what came before", async () => {
  const { engine, model } = await setUp();
  const stream = await model.chat.completions.create({ messages, stream: true });
  await collect(stream);
  await expect(collect(stream)).rejects.toThrow("only once");
  engine.chatError = Object.assign(new Error("the prompt has 9 tokens"), { code: "prompt-too-long" });
  const failing = await model.chat.completions.create({ messages, stream: true });
  await expect(collect(failing)).rejects.toMatchObject({ code: "prompt-too-long" });
});

test("a request is brought into the engine's form", async () => {
  const { engine, model } = await setUp();
  const tool = { type: "function" as const, function: { name: "now" } };
  const said: ChatMessage[] = [
    {
      role: "developer",
      content: [
        { type: "text", text: "Be " },
        { type: "text", text: "brief." },
      ],
    },
    { role: "assistant", content: null, reasoning_content: "Hm.", tool_calls: [call] },
    { role: "tool", tool_call_id: "call_1", content: "12:00" },
  ];
  await model.chat.completions.create({
    model: "gpt-4o",
    messages: said,
    tools: [tool],
    chat_template: "tool_use",
    split_special_tokens: false,
    max_completion_tokens: 9,
    stop: "END",
    temperature: 0,
    top_k: 20,
    seed: null,
    n: 2,
    logit_bias: { 13: -100 },
    logprobs: true,
    top_logprobs: 0,
    chat_template_kwargs: { enable_thinking: false },
    thinking_budget: 64,
    speculation: "ngram",
  });
  expect(engine.last.request).toEqual({
    // As they are: the engine reads OpenAI's shape, for Rust and TypeScript alike.
    messages: said,
    tools: [tool],
    chat_template: "tool_use",
    split_special_tokens: false,
    max_tokens: 9,
    stop: ["END"],
    temperature: 0,
    top_k: 20,
    n: 2,
    logit_bias: { 13: -100 },
    logprobs: true,
    top_logprobs: 0,
    enable_thinking: false,
    thinking_budget: 64,
    speculation: "ngram",
  });
  await model.chat.completions.create({ messages, tools: [tool], tool_choice: "none" });
  expect(engine.last.request).toEqual({ messages, tools: [tool], tool_choice: "none" });
});

test("what the reply must be goes to the engine as it is, and what it took comes back", async () => {
  const { engine, model } = await setUp();
  engine.reply = {
    timings: { load_ms: 9, prefill_ms: 1, prefill_tps: 2, decode_ms: 3, decode_tps: 4, mask_ms: 0.5 },
  };
  const json_schema = { name: "a", schema: { type: "object" }, strict: true };
  const calls = {
    tool_choice: { type: "function", function: { name: "a" } },
    parallel_tool_calls: false,
  } as const;
  for (const form of [
    { response_format: { type: "json_schema", json_schema } },
    { response_format: { type: "json_object" } },
    { regex: "a|b" },
    { grammar: "root ::= [a-z]" },
    { grammar: { syntax: "lark", definition: "start: /a/" } },
  ] as const) {
    const whole = await model.chat.completions.create({ messages, ...form, ...calls });
    expect(engine.last.request).toEqual({ messages, ...form, ...calls });
    expect(whole.timings).toEqual({
      prefill_ms: 1,
      prefill_tps: 2,
      decode_ms: 3,
      decode_tps: 4,
      mask_ms: 0.5,
    });
    await model.completions.create({ prompt: "a", ...form });
    expect(engine.last.request).toEqual({ prompt: "a", ...form });
    await model.session(form);
    expect(engine.last.session).toEqual({ messages: [], ...form });
  }
});

test.each<[Record<string, unknown>, RegExp]>([
  [{ messages: [] }, /at least one message/],
  [{ messages, chat_template: 7 }, /chat_template must be a text, not 7/],
  [{ messages, topK: 20 }, /"topK" is not known; did you mean "top_k"\?/],
  [{ messages, n: "two" }, /n must be a positive whole number, not "two"/],
  [{ messages, top_logprobs: Number.NaN }, /top_logprobs must be a whole number from 0 on, not NaN/],
  [{ messages, echo: true }, /"echo" is not known/],
  [{ messages, best_of: 2 }, /"best_of" is not known/],
  [{ messages, response_format: { type: "json" } }, /response_format\.type must be one of/],
  [{ messages, chat_template_kwargs: { colour: "red" } }, /"chat_template_kwargs\.colour" is not known/],
  [{ messages, tool_choice: "always" }, /tool_choice must be one of/],
  [{ messages, temperature: "hot" }, /temperature must be a number, not "hot"/],
  [{ messages, max_tokens: Number.NaN }, /max_tokens must be a whole number from 0 on, not NaN/],
  [{ messages, thinking_budget: 0 }, /thinking_budget must be a positive whole number, not 0/],
  [{ messages, suffix: "b" }, /"suffix" is not known/],
])("%j is refused by name", async (request, message) => {
  const { model } = await setUp();
  const error = await model.chat.completions
    .create(request as unknown as ChatCompletionRequest)
    .catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "invalid-request" });
  expect((error as Error).message).toMatch(message);
});
