// Checks a chat request and brings it into the engine's form. What qwill cannot do (yet) is refused by name:
// an option that is silently ignored costs its user an evening.

import type { EngineChatRequest } from "./engine.ts";
import { QwillError } from "./errors.ts";
import type { ChatCompletionRequest, ChatMessage } from "./openai.ts";

const IGNORED = ["model", "user", "metadata", "store", "stream", "stream_options", "signal"];

const NUMBERS = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "repetition_penalty",
  "presence_penalty",
  "frequency_penalty",
  "seed",
] as const;

const NOT_YET: Record<string, (value: unknown) => boolean> = {
  n: (value) => value !== 1,
  logprobs: (value) => value !== false,
  top_logprobs: (value) => value !== 0,
  logit_bias: (value) => Object.keys(value as object).length > 0,
  response_format: (value) => (value as { type?: unknown }).type !== "text",
};

const HANDLED = new Set<string>([
  ...IGNORED,
  ...NUMBERS,
  ...["messages", "tools", "tool_choice", "max_tokens", "max_completion_tokens", "stop", "enable_thinking"],
  "chat_template_kwargs",
]);

export function toEngineRequest(request: ChatCompletionRequest): EngineChatRequest {
  for (const [key, value] of Object.entries(request)) {
    if (value === undefined || value === null || HANDLED.has(key)) continue;
    if (!(key in NOT_YET)) throw invalid(`the option "${key}" is not known`);
    if (NOT_YET[key]?.(value)) throw invalid(`"${key}": ${JSON.stringify(value)} is not supported yet`);
  }
  if (!Array.isArray(request.messages) || request.messages.length === 0) {
    throw invalid("messages must be a list of at least one message");
  }
  const { tool_choice = "auto", tools = [], chat_template_kwargs = {} } = request;
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
  const stop = typeof request.stop === "string" ? [request.stop] : request.stop;

  const result: EngineChatRequest = { messages: request.messages.map(toEngineMessage) };
  if (tool_choice === "auto" && tools.length > 0) result.tools = tools;
  if (max_tokens !== undefined && max_tokens !== null) result.max_tokens = finite("max_tokens", max_tokens);
  if (stop && stop.length > 0) result.stop = stop;
  if (typeof enable_thinking === "boolean") result.enable_thinking = enable_thinking;
  for (const key of NUMBERS) {
    const value = request[key];
    if (value !== undefined && value !== null) result[key] = finite(key, value);
  }
  return result;
}

const ROLES = ["system", "developer", "user", "assistant", "tool"];

function toEngineMessage(message: ChatMessage, index: number): unknown {
  if (!ROLES.includes(message?.role)) {
    throw invalid(
      `messages[${index}].role must be one of ${ROLES.join(", ")}, not ${JSON.stringify(message?.role)}`,
    );
  }
  const role = message.role === "developer" ? "system" : message.role;
  return { ...message, role, content: toText(message.content ?? "", index) };
}

function toText(content: unknown, index: number): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content))
    throw invalid(`messages[${index}].content must be text or a list of text parts`);
  const texts = content.map((part: { type?: unknown; text?: unknown }) => {
    if (part?.type === "text" && typeof part.text === "string") return part.text;
    throw invalid(
      `messages[${index}].content has a part of type ${JSON.stringify(part?.type)}; only text is supported`,
    );
  });
  return texts.join("");
}

function finite(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw invalid(`${name} must be a number, not ${JSON.stringify(value)}`);
}

function invalid(message: string): QwillError {
  return new QwillError("invalid-request", `The request cannot be served: ${message}.`);
}
