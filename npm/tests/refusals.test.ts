// What is wrong with a call is said by name and in sentences, whatever it is called with.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type ChatMessage, downloads, load, type Model, plan, QwillError } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

const gguf = new File(["GGUF"], "tiny.gguf");
const messages: ChatMessage[] = [{ role: "user", content: "hi" }];
let model: Model;

beforeEach(async () => {
  fakeBrowser();
  model = await load(gguf, { worker: fakeWorker(new FakeEngine()) });
});
afterEach(() => vi.unstubAllGlobals());

/** Has no type, as in JavaScript. */
const untyped = (value: unknown) => value as never;

async function refusal(call: () => unknown): Promise<string> {
  const error = await (async () => call())().then(
    () => "no error",
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(QwillError);
  expect(error).toMatchObject({ code: "invalid-request" });
  const { message } = error as QwillError;
  expect(message).toMatch(/^The request cannot be served: .*\.$/);
  expect(message).not.toMatch(/is not a function|undefined \(|Cannot|serde|line \d|expected/);
  return message;
}

describe("load", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ contextlength: 9 }, '"contextlength" is not known; did you mean "contextLength"?'],
    [{ context_length: 9 }, '"context_length" is not known; did you mean "contextLength"?'],
    [{ onprogres: () => {} }, 'did you mean "onProgress"?'],
    [{ banana: 1 }, 'the option "banana" is not known.'],
    [{ contextLength: "8k" }, 'contextLength must be a positive whole number, not "8k"'],
    [{ maxSequences: 0 }, "maxSequences must be a positive whole number, not 0"],
    [{ cacheTokens: -1 }, "cacheTokens must be a positive whole number, not -1"],
    [{ prefillChunk: 1.5 }, "prefillChunk must be a positive whole number, not 1.5"],
    [{ onProgress: true }, "onProgress must be a function, not true"],
    [{ onRebuild: "x" }, 'onRebuild must be a function, not "x"'],
    [{ signal: {} }, "signal must be an AbortSignal, not {}"],
    [{ worker: "none" }, 'worker must be "auto", "inline" or a Worker, not "none"'],
    [{ wasmUrl: 7 }, "wasmUrl must be a text or a URL, not 7"],
    [{ grammarUrl: 7 }, "grammarUrl must be a text or a URL, not 7"],
    [{ quantize: 4 }, "quantize must be a text, not 4"],
    [{ ropeScaling: 4 }, "ropeScaling must be a text, not 4"],
    [{ kvType: "q4" }, 'kvType must be one of "f32", "f16", "q8", not "q4"'],
    [{ exact: "yes" }, 'exact must be true or false, not "yes"'],
    [{ selfTest: 0 }, "selfTest must be true or false, not 0"],
    [{ caps: ["no-f16"] }, 'caps must be a text, not ["no-f16"]'],
    [{ revision: 1 }, "revision must be a text, not 1"],
    [{ token: {} }, "token must be a text, not {}"],
    [{ endpoint: 5 }, "endpoint must be a text or a URL, not 5"],
    [{ storage: "forever" }, 'storage must be one of "keep", "none", not "forever"'],
  ])("%j", async (options, words) => {
    expect(await refusal(() => load(gguf, untyped(options)))).toContain(words);
    expect(await refusal(() => plan(gguf, untyped(options)))).toContain(words);
  });

  test("options that are none", async () => {
    for (const options of ["inline", 5, null, [1]]) {
      expect(await refusal(() => load(gguf, untyped(options)))).toMatch(/must be an object, not/);
    }
    const add = () => downloads.add("a/b", untyped({ onProgres: () => {} }));
    expect(await refusal(add)).toContain('did you mean "onProgress"?');
    const adapter = () => model.adapters.load(gguf, untyped({ nam: "a" }));
    expect(await refusal(adapter)).toContain('did you mean "name"?');
  });

  test("null says nothing", async () => {
    const nothing = { contextLength: null, worker: null, signal: null, wasmUrl: null };
    const options = untyped({ ...nothing, worker: fakeWorker(new FakeEngine()) });
    expect((await load(gguf, options)).info.name).toBe("fake");
  });
});

describe("chat", () => {
  test.each<[Record<string, unknown>, string]>([
    [{ stop: 5 }, "stop must be a text or a list of texts, not 5"],
    [{ stop: ["a", 5] }, "stop[1] must be a text, not 5"],
    [{ tools: {} }, "tools must be a list, not {}"],
    [{ tools: [null] }, "tools[0] must be an object, not null"],
    [{ tools: [{ type: "function" }] }, "tools[0].function must be an object, not undefined"],
    [{ tools: [{ type: "function", function: {} }] }, "tools[0].function.name must be a text"],
    [
      { tools: [{ type: "custom", custom: { name: "a" } }] },
      '"tools[0].type": "custom" is not supported yet',
    ],
    [
      { tools: [{ type: "function", function: { name: "a", parameters: "{}" } }] },
      'tools[0].function.parameters must be an object, not "{}"',
    ],
    [
      { tools: [{ type: "function", function: { name: "a", strict: "yes" } }] },
      'tools[0].function.strict must be true or false, not "yes"',
    ],
    [{ tool_choice: "any" }, 'tool_choice must be one of "auto", "none", "required", not "any"'],
    [{ tool_choice: { type: "allowed_tools" } }, '"tool_choice.type": "allowed_tools" is not supported yet'],
    [{ tool_choice: { type: "function" } }, "tool_choice.function must be an object, not undefined"],
    [{ tool_choice: { type: "function", function: {} } }, "tool_choice.function.name must be a text"],
    [{ enable_thinking: "no" }, 'enable_thinking must be true or false, not "no"'],
    [{ speculation: true }, 'speculation must be one of "off", "ngram", not true'],
    [{ thinking_budget: "9" }, 'thinking_budget must be a positive whole number, not "9"'],
    [{ reasoning_effort: "huge" }, 'reasoning_effort must be one of "none", "minimal", "low"'],
    [
      { chat_template_kwargs: { enable_thinking: 1 } },
      "chat_template_kwargs.enable_thinking must be true or",
    ],
    [{ chat_template_kwargs: { enable_thinkin: true } }, 'did you mean "enable_thinking"?'],
    [{ stream: "yes" }, 'stream must be true or false, not "yes"'],
    [{ stream_options: { include_usag: true } }, 'did you mean "include_usage"?'],
    [{ stream_options: { include_usage: 1 } }, "stream_options.include_usage must be true or false, not 1"],
    [{ stream_options: true }, "stream_options must be an object, not true"],
    [{ max_tokens: 1.5 }, "max_tokens must be a whole number from 0 on, not 1.5"],
    [{ max_completion_tokens: -1 }, "max_completion_tokens must be a whole number from 0 on, not -1"],
    [{ seed: 0.5 }, "seed must be a whole number from 0 on, not 0.5"],
    [{ top_k: "20" }, 'top_k must be a whole number from 0 on, not "20"'],
    [{ n: 0 }, "n must be a positive whole number, not 0"],
    [{ logit_bias: [1] }, "logit_bias must be an object, not [1]"],
    [{ logit_bias: { yes: 1 } }, 'logit_bias must have token ids for names, not "yes"'],
    [{ logit_bias: { 7: "1" } }, 'logit_bias["7"] must be a number, not "1"'],
    [{ logprobs: 2 }, "logprobs must be true or false, not 2"],
    [{ top_logprobs: "2" }, 'top_logprobs must be a whole number from 0 on, not "2"'],
    [{ adapters: [{ name: "a", strength: 2 }] }, 'the option "adapters[0].strength" is not known'],
    [{ response_format: {} }, 'response_format.type must be one of "text", "json_object", "json_schema"'],
    [{ response_format: { type: "xml" } }, 'response_format.type must be one of "text"'],
    [{ response_format: { type: "json_object", schema: {} } }, '"response_format.schema" is not known'],
    [
      { response_format: { type: "json_schema" } },
      "response_format.json_schema must be an object, not undefined",
    ],
    [
      { response_format: { type: "json_schema", json_schema: { name: "a" } } },
      "response_format.json_schema.schema must be an object, not undefined",
    ],
    [{ regex: /a/ }, "regex must be a text, not {}"],
    [{ grammar: { syntax: "bnf", definition: "" } }, 'grammar.syntax must be one of "lark", "gbnf"'],
    [{ grammar: { definition: "" } }, "grammar.syntax must be a text, not undefined"],
    [{ grammar: { syntax: "lark" } }, "grammar.definition must be a text, not undefined"],
    [{ parallel_tool_calls: "no" }, 'parallel_tool_calls must be true or false, not "no"'],
    [{ modalities: ["audio"] }, '"modalities": ["audio"] is not supported yet'],
    [{ functions: [] }, '"functions" is not known'],
    [{ web_search_options: {} }, '"web_search_options" is not known'],
    [{ signal: true }, "signal must be an AbortSignal, not true"],
    [{ timeout: "1s" }, 'timeout must be a number, not "1s"'],
    [{ onProgress: {} }, "onProgress must be a function, not {}"],
    [{ temperature: 1n }, "temperature must be a number, not 1"],
    [{ metadata: 1 }, "metadata must be an object, not 1"],
    [{ messages: [null] }, "messages[0] must be an object, not null"],
    [{ messages: { role: "user" } }, "messages must be a list"],
    [{ messages: undefined }, "messages must be a list"],
    [
      { messages: [{ role: "assistant", audio: { id: "a" } }] },
      '"messages[0].audio": {"id":"a"} is not supported',
    ],
    [
      { messages: [{ role: "assistant", tool_calls: [{ id: "a", type: "custom", custom: {} }] }] },
      '"messages[0].tool_calls[0].type": "custom" is not supported yet',
    ],
    [{ messages: [{ role: "assistant", tool_calls: {} }] }, "messages[0].tool_calls must be a list, not {}"],
  ])("%o", async (request, words) => {
    const body = untyped({ messages, ...request });
    expect(await refusal(() => model.chat.completions.create(body))).toContain(words);
  });

  test("what is nothing that could be a request", async () => {
    const circle: Record<string, unknown> = {};
    circle.circle = circle;
    for (const body of [undefined, null, 5, "hi", messages, () => {}, Symbol("a"), { stop: circle }]) {
      await refusal(() => model.chat.completions.create(untyped(body)));
      await refusal(() => model.completions.create(untyped(body)));
      if (body !== undefined) await refusal(() => model.session(untyped(body)));
    }
    for (const options of [null, 5, "x", { signall: 1 }, { timeout: true }]) {
      await refusal(() => model.chat.completions.create({ messages }, untyped(options)));
    }
  });

  test("what cannot be sent to the worker", async () => {
    const parameters = { validate: () => true };
    const tools = [{ type: "function" as const, function: { name: "a", parameters } }];
    const words = await refusal(() => model.chat.completions.create({ messages, tools }));
    expect(words).toContain("cannot be sent to a worker");
    expect((await model.chat.completions.create({ messages })).choices).toHaveLength(1);
  });

  test("what OpenAI's clients send and that changes nothing is taken", async () => {
    await model.chat.completions.create(
      {
        ...{ model: "gpt-5", messages, user: "a", metadata: { a: "b" }, store: false, service_tier: "auto" },
        ...{ safety_identifier: "a", prompt_cache_key: "b", prompt_cache_retention: "24h" },
        ...{ parallel_tool_calls: true, modalities: ["text"], response_format: { type: "text" } },
        ...{ stream_options: null, tools: null, audio: null, stop: null },
      },
      { maxRetries: 0, headers: { a: "b" }, idempotencyKey: "c" },
    );
  });
});

describe("everything else", () => {
  test.each<[string, (model: Model) => unknown, string]>([
    ["tokenize", (model) => model.tokenize(untyped(7)), "input must be a text, not 7"],
    ["tokenize", (model) => model.tokenize("a", untyped(null)), "must be an object, not null"],
    ["eval", (model) => model.eval(untyped({ ids: [1] })), "cases must be a list"],
    [
      "eval",
      (model) => model.eval(untyped([{ ids: ["a"] }])),
      'cases[0].ids[0] must be a whole number from 0 on, not "a"',
    ],
    ["eval", (model) => model.eval(untyped([{ name: "a" }])), "cases[0].ids must be a list, not undefined"],
    ["eval", (model) => model.eval(untyped([{ ids: [1], logit: "all" }])), 'did you mean "logits"?'],
    [
      "eval",
      (model) => model.eval(untyped([{ ids: [1], logits: 1 }])),
      'cases[0].logits must be one of "none"',
    ],
    ["bench", (model) => model.bench(untyped({ prompt_token: 1 })), 'did you mean "prompt_tokens"?'],
    ["bench", (model) => model.bench({ decode_tokens: 1.5 }), "decode_tokens must be a whole number"],
    [
      "bench",
      (model) => model.bench({ parallel: [0] }),
      "parallel[0] must be a positive whole number, not 0",
    ],
    ["score", (model) => model.score({ ids: [1] }, untyped({ sig: 1 })), '"sig" is not known'],
    ["session", (model) => model.session(untyped({ stream: true })), '"stream" is not known'],
    ["session", (model) => model.session(untyped({ stop: 5 })), "stop must be a text or a list of texts"],
  ])("%s", async (_, call, words) => {
    expect(await refusal(() => call(model))).toContain(words);
  });

  test("turns of a session", async () => {
    const session = await model.session();
    expect(await refusal(() => session.say("a", untyped({ strem: true })))).toContain(
      'did you mean "stream"?',
    );
    expect(await refusal(() => session.push(untyped({ role: "assistant", function_call: {} })))).toContain(
      '"messages[0].function_call"',
    );
  });
});
