// Checks requests and brings them into the engine's form.

import { toAdapterUses } from "./adapters.ts";
import { count, finite, invalid, type NotYet, refuseUnknown, text } from "./checks.ts";
import type { EngineConversation, EngineRawPrompt, EngineSampling } from "./engine-chat.ts";
import type { ChatCompletionRequest, CompletionRequest, SamplingRequest, SessionRequest } from "./openai.ts";

/** How a reply is given. */
export const TURN = ["stream", "stream_options", "signal", "onProgress"];
const IGNORED = ["model", "user", "metadata", "store", ...TURN];

const NUMBERS = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repetition_penalty",
  "presence_penalty",
  "frequency_penalty",
  "seed",
  "n",
] as const;

const SHARED = [...IGNORED, ...NUMBERS, "max_tokens", "stop", "logit_bias", "logprobs", "adapters"];

const CHAT = new Set([
  ...SHARED,
  ...["messages", "tools", "tool_choice", "max_completion_tokens", "top_logprobs"],
  ...["enable_thinking", "thinking_budget", "chat_template_kwargs"],
  ...["chat_template", "split_special_tokens"],
]);

/** What says how one reply is given is said turn by turn. */
const SESSION = new Set([...CHAT].filter((name) => !["n", ...TURN].includes(name)));

const CHAT_NOT_YET: NotYet = {
  response_format: (value) => (value as { type?: unknown }).type !== "text",
};

const COMPLETION = new Set([...SHARED, "prompt", "suffix", "echo"]);

const COMPLETION_NOT_YET: NotYet = {
  best_of: (value) => value !== 1,
};

/** The engine's form of a conversation to continue. */
export function toConversation(request: ChatCompletionRequest): EngineConversation {
  refuseUnknown(request, CHAT, CHAT_NOT_YET);
  return conversation(someMessages(request.messages), request);
}

/** The engine's form of what holds for every turn of a session. */
export function toSessionRequest(request: SessionRequest): EngineConversation {
  refuseUnknown(request, SESSION, CHAT_NOT_YET);
  const messages = request.messages ?? [];
  return conversation(messages.length === 0 ? [] : someMessages(messages), request);
}

function conversation(messages: unknown[], request: SessionRequest): EngineConversation {
  const { tool_choice = "auto", tools = [], chat_template_kwargs = {}, thinking_budget } = request;
  const { logprobs, top_logprobs, chat_template, split_special_tokens } = request;
  if (tool_choice !== "auto" && tool_choice !== "none") {
    throw invalid(
      `"tool_choice": ${JSON.stringify(tool_choice)} is not supported yet, only "auto" and "none"`,
    );
  }
  for (const key of Object.keys(chat_template_kwargs)) {
    if (key !== "enable_thinking")
      throw invalid(`"chat_template_kwargs": ${JSON.stringify(key)} is not supported yet`);
  }
  const enable_thinking = request.enable_thinking ?? chat_template_kwargs.enable_thinking;
  const max_tokens = request.max_completion_tokens ?? request.max_tokens;
  return {
    messages,
    ...(tool_choice === "auto" && tools.length > 0 && { tools }),
    ...(typeof enable_thinking === "boolean" && { enable_thinking }),
    ...(isGiven(thinking_budget) && { thinking_budget: count("thinking_budget", thinking_budget) }),
    ...(isGiven(chat_template) && { chat_template: text("chat_template", chat_template) }),
    ...(isGiven(split_special_tokens) && { split_special_tokens }),
    ...(isGiven(logprobs) && { logprobs }),
    ...(isGiven(top_logprobs) && { top_logprobs: finite("top_logprobs", top_logprobs) }),
    ...toSampling({ ...request, max_tokens }),
  };
}

/** The engine's form of a text to continue, or of a gap to fill. */
export function toRawPrompt(request: CompletionRequest): EngineRawPrompt {
  refuseUnknown(request, COMPLETION, COMPLETION_NOT_YET);
  const { suffix, echo, logprobs } = request;
  return {
    prompt: text("prompt", request.prompt),
    ...(isGiven(suffix) && { suffix: text("suffix", suffix) }),
    ...(isGiven(echo) && { echo }),
    ...(isGiven(logprobs) && { logprobs: finite("logprobs", logprobs) }),
    ...toSampling(request),
  };
}

function toSampling(request: SamplingRequest): EngineSampling {
  const { max_tokens, logit_bias, adapters } = request;
  const stop = typeof request.stop === "string" ? [request.stop] : request.stop;
  const result: EngineSampling = {};
  if (isGiven(max_tokens)) result.max_tokens = finite("max_tokens", max_tokens);
  if (stop && stop.length > 0) result.stop = stop;
  if (isGiven(logit_bias)) result.logit_bias = logit_bias;
  if (isGiven(adapters)) result.adapters = toAdapterUses(adapters);
  for (const key of NUMBERS) {
    const value = request[key];
    if (isGiven(value)) result[key] = finite(key, value);
  }
  return result;
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

/** Messages as they are; the engine reads OpenAI's shape. */
export function someMessages(messages: unknown): unknown[] {
  if (Array.isArray(messages) && messages.length > 0) return messages;
  throw invalid("messages must be a list of at least one message");
}
