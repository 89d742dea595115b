// Checks requests and brings them into the engine's form.

import { toAdapterUses } from "./adapters.ts";
import { invalid, isGiven, text } from "./checks.ts";
import type { EngineConversation, EngineForm, EngineRawPrompt, EngineSampling } from "./engine-chat.ts";
import { checkFields } from "./fields.ts";
import type {
  ChatCompletionRequest,
  CompletionRequest,
  FormRequest,
  SamplingRequest,
  SessionRequest,
} from "./openai.ts";
import { CHAT, COMPLETION, SESSION } from "./request-fields.ts";

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

/** The engine's form of a conversation to continue. */
export function toConversation(request: ChatCompletionRequest): EngineConversation {
  checkFields(request, CHAT);
  return conversation(someMessages(request.messages), request);
}

/** The engine's form of what holds for every turn of a session. */
export function toSessionRequest(request: SessionRequest): EngineConversation {
  checkFields(request, SESSION);
  const messages = request.messages ?? [];
  return conversation(messages.length === 0 ? [] : someMessages(messages), request);
}

function conversation(messages: unknown[], request: SessionRequest): EngineConversation {
  const { enable_thinking, thinking_budget, reasoning_effort, logprobs, top_logprobs } = request;
  const { chat_template, split_special_tokens, tool_choice, parallel_tool_calls } = request;
  const thinks = enable_thinking ?? request.chat_template_kwargs?.enable_thinking;
  const max_tokens = request.max_completion_tokens ?? request.max_tokens;
  const tools = request.tools ?? [];
  return {
    messages,
    ...(tools.length > 0 && { tools }),
    ...(isGiven(tool_choice) && { tool_choice }),
    ...(isGiven(parallel_tool_calls) && { parallel_tool_calls }),
    ...(isGiven(thinks) && { enable_thinking: thinks }),
    ...(isGiven(thinking_budget) && { thinking_budget }),
    ...(isGiven(reasoning_effort) && { reasoning_effort }),
    ...(isGiven(chat_template) && { chat_template }),
    ...(isGiven(split_special_tokens) && { split_special_tokens }),
    ...(isGiven(logprobs) && { logprobs }),
    ...(isGiven(top_logprobs) && { top_logprobs }),
    ...toForm(request),
    ...toSampling({ ...request, max_tokens }),
  };
}

/** The engine's form of a text to continue, or of a gap to fill. */
export function toRawPrompt(request: CompletionRequest): EngineRawPrompt {
  checkFields(request, COMPLETION);
  const { suffix, echo, logprobs } = request;
  return {
    prompt: text("prompt", request.prompt),
    ...(isGiven(suffix) && { suffix }),
    ...(isGiven(echo) && { echo }),
    ...(isGiven(logprobs) && { logprobs }),
    ...toForm(request),
    ...toSampling(request),
  };
}

function toForm({ response_format, regex, grammar }: FormRequest): EngineForm {
  return {
    ...(isGiven(response_format) && { response_format }),
    ...(isGiven(regex) && { regex }),
    ...(isGiven(grammar) && { grammar }),
  };
}

function toSampling(request: SamplingRequest): EngineSampling {
  const { max_tokens, logit_bias, adapters, speculation } = request;
  const stop = typeof request.stop === "string" ? [request.stop] : request.stop;
  const result: EngineSampling = {};
  if (isGiven(max_tokens)) result.max_tokens = max_tokens;
  if (stop && stop.length > 0) result.stop = stop;
  if (isGiven(logit_bias)) result.logit_bias = logit_bias;
  if (isGiven(speculation)) result.speculation = speculation;
  if (isGiven(adapters)) result.adapters = toAdapterUses(adapters);
  for (const key of NUMBERS) {
    const value = request[key];
    if (isGiven(value)) result[key] = value;
  }
  return result;
}

/** Messages as they are; the engine reads OpenAI's shape. */
export function someMessages(messages: unknown): unknown[] {
  if (Array.isArray(messages) && messages.length > 0) return messages;
  throw invalid("messages must be a list of at least one message");
}
