// The fields of requests, and what each may hold.

import { toAdapterUses } from "./adapters.ts";
import {
  abortSignal,
  type Check,
  callback,
  count,
  finite,
  flag,
  invalid,
  listOf,
  oneOf,
  onlyYet,
  record,
  text,
  textOrTexts,
  whole,
} from "./checks.ts";
import type { ReasoningEffort, Speculation } from "./engine-chat.ts";
import { type Fields, objectOf, openObject, required } from "./fields.ts";

const anything: Check = (_, value) => value;
const isOff = (value: unknown) => value === false;

/** OpenAI's second argument. There is no server: what is said to one is accepted and says nothing. */
export const OPTIONS: Fields = {
  signal: abortSignal,
  timeout: finite,
  maxRetries: whole,
  headers: anything,
  idempotencyKey: text,
};

/** How a reply is given, and what ends it before its time. */
export const TURN: Fields = {
  stream: flag,
  stream_options: objectOf({ include_usage: flag, include_obfuscation: onlyYet(isOff, "false") }),
  signal: abortSignal,
  timeout: finite,
  onProgress: callback,
};

/** What says nothing about the reply, or nothing that a loaded model could follow. */
const HINTS: Fields = {
  model: text,
  user: text,
  metadata: record,
  store: flag,
  service_tier: text,
  safety_identifier: text,
  prompt_cache_key: text,
  prompt_cache_options: record,
  prompt_cache_retention: text,
};

const biases: Check = (name, value) => {
  for (const [id, bias] of Object.entries(record(name, value))) {
    if (!/^\d+$/.test(id)) throw invalid(`${name} must have token ids for names, not "${id}"`);
    finite(`${name}["${id}"]`, bias);
  }
};

const SPECULATIONS: Speculation[] = ["off", "ngram"];

const SAMPLING: Fields = {
  ...HINTS,
  max_tokens: whole,
  stop: textOrTexts,
  temperature: finite,
  top_p: finite,
  top_k: whole,
  min_p: finite,
  repetition_penalty: finite,
  presence_penalty: finite,
  frequency_penalty: finite,
  seed: whole,
  n: count,
  logit_bias: biases,
  speculation: oneOf(...SPECULATIONS),
  adapters: (_, value) => toAdapterUses(value),
};

const onlyFunction = onlyYet((type) => type === "function", '"function"');

const tool = required(
  "function",
  required("name", text, openObject({ description: text, parameters: record, strict: flag })),
  openObject({ type: onlyFunction }),
);

/** A word, or an object that names a function. */
const choice: Check = (name, value) => {
  if (typeof value === "string") return oneOf("auto", "none", "required")(name, value);
  return required(
    "function",
    required("name", text, objectOf({ name: text })),
    objectOf({ type: onlyFunction, function: record }),
  )(name, value);
};

const schema = required(
  "schema",
  record,
  objectOf({ name: text, description: text, schema: record, strict: flag }),
);

/** In OpenAI's shapes. */
const format: Check = (name, value) => {
  oneOf("text", "json_object", "json_schema")(`${name}.type`, record(name, value).type);
  if (record(name, value).type !== "json_schema") return objectOf({ type: text })(name, value);
  return required("json_schema", schema, objectOf({ type: text, json_schema: schema }))(name, value);
};

/** Text, whose syntax follows from it, or with its syntax. */
const grammar: Check = (name, value) => {
  if (typeof value === "string") return value;
  const whole = objectOf({ syntax: oneOf("lark", "gbnf"), definition: text });
  return required("definition", text, required("syntax", text, whole))(name, value);
};

/** What the text of a reply must be. */
const FORM: Fields = { response_format: format, regex: text, grammar };

const EFFORTS: ReasoningEffort[] = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

const CONVERSATION: Fields = {
  ...SAMPLING,
  ...FORM,
  messages: checkMessages,
  tools: listOf(tool),
  tool_choice: choice,
  parallel_tool_calls: flag,
  max_completion_tokens: whole,
  enable_thinking: flag,
  thinking_budget: count,
  reasoning_effort: oneOf(...EFFORTS),
  chat_template: text,
  split_special_tokens: flag,
  chat_template_kwargs: objectOf({ enable_thinking: flag }),
  logprobs: flag,
  top_logprobs: whole,
  modalities: onlyYet((value) => JSON.stringify(value) === '["text"]', '["text"]'),
};

/** Of `chat.completions.create`. */
export const CHAT: Fields = { ...CONVERSATION, ...TURN };

const { n: _, ...HELD } = CONVERSATION;
/** Of `model.session`: how one reply is given is said turn by turn. */
export const SESSION: Fields = HELD;

/** Of `completions.create`. */
export const COMPLETION: Fields = {
  ...SAMPLING,
  ...FORM,
  ...TURN,
  prompt: text,
  suffix: text,
  echo: flag,
  logprobs: whole,
  best_of: onlyYet((value) => value === 1, "1"),
};

/** Whose texts and roles are looked at where they are brought into the engine's form: here is what that would not see. */
export function checkMessages(name: string, messages: unknown): void {
  if (!Array.isArray(messages)) return;
  const none = onlyYet(() => false);
  const call = openObject({ type: onlyFunction });
  const message = openObject({ audio: none, function_call: none, tool_calls: listOf(call) });
  for (const [index, given] of messages.entries()) message(`${name}[${index}]`, given);
}
