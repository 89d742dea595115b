// `model.chat.completions.create`: the engine's events and reply in the shapes of OpenAI's chat completions.

import type { EngineLogprobs, EngineReply, EngineSaid, EngineToolCall } from "./engine-chat.ts";
import { withOptions } from "./limits.ts";
import type {
  ChatCompletion,
  ChatCompletionChoice,
  ChatCompletionChunk,
  ChatCompletionDelta,
  ChatCompletionRequest,
  ChatCompletionRequestNonStreaming,
  ChatCompletionRequestStreaming,
  ChatLogprobs,
  ChatToolCall,
  FinishReason,
  RequestOptions,
} from "./openai.ts";
import type { Protocol } from "./protocol.ts";
import {
  answer,
  type Form,
  type Head,
  newHead,
  toChoices,
  toFinishReason,
  toTimings,
  toUsage,
} from "./reply.ts";
import { toConversation } from "./request.ts";
import type { Client } from "./rpc.ts";
import type { ReplyStream } from "./stream.ts";

/** The chunks of a chat's reply as they are generated. */
export type ChatStream = ReplyStream<ChatCompletionChunk>;

/** The one method of `model.chat.completions`. */
export class ChatCompletions {
  readonly #client: Client<Protocol>;
  readonly #modelName: string;

  constructor(client: Client<Protocol>, modelName: string) {
    this.#client = client;
    this.#modelName = modelName;
  }

  create(request: ChatCompletionRequestStreaming, options?: RequestOptions): Promise<ChatStream>;
  create(request: ChatCompletionRequestNonStreaming, options?: RequestOptions): Promise<ChatCompletion>;
  create(request: ChatCompletionRequest, options?: RequestOptions): Promise<ChatCompletion | ChatStream>;
  async create(
    request: ChatCompletionRequest,
    options: RequestOptions = {},
  ): Promise<ChatCompletion | ChatStream> {
    const args = toConversation(request);
    const form = chatForm(newHead("chatcmpl", this.#modelName));
    return answer(withOptions(request, options), form, (more) => this.#client.call("chat", args, more));
  }
}

/** How replies to a conversation look. */
export function chatForm(head: Head): Form<ChatCompletion, ChatCompletionChunk> {
  const chunk = (
    index: number,
    delta: ChatCompletionDelta,
    finish_reason: FinishReason | null = null,
    logprobs?: EngineLogprobs,
  ): ChatCompletionChunk => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index, delta, logprobs: toLogprobs(logprobs), finish_reason }],
  });
  const toDelta = (said: EngineSaid): ChatCompletionDelta | undefined => {
    if (said.type === "content") return { content: said.text };
    if (said.type === "reasoning") return { reasoning_content: said.text };
    if (said.type !== "tool_call_delta") return said.logprobs && {};
    const { call: index, name, arguments: more } = said;
    const begun = name !== undefined && toToolCall({ name, arguments: more });
    return { tool_calls: [{ index, ...(begun || { function: { arguments: more } }) }] };
  };
  return {
    whole: (replies) => ({
      ...head,
      object: "chat.completion",
      choices: toChoices(replies, toChoice),
      usage: toUsage(replies),
      timings: toTimings(replies),
    }),
    start: (index) => [chunk(index, { role: "assistant", content: "" })],
    piece({ index, ...event }) {
      if (event.type === "progress") return undefined;
      const delta = toDelta(event);
      return delta && chunk(index, delta, null, event.logprobs);
    },
    end: (reply, index) => chunk(index, {}, toFinishReason(reply)),
  };
}

function toLogprobs(logprobs: EngineLogprobs | undefined): ChatLogprobs | null {
  return logprobs && "content" in logprobs ? { ...logprobs, refusal: null } : null;
}

function toToolCall(call: EngineToolCall): ChatToolCall {
  const id = `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
  return { id, type: "function", function: { name: call.name, arguments: call.arguments } };
}

function toChoice(reply: EngineReply, index: number): ChatCompletionChoice {
  const { text, reasoning, logprobs } = reply;
  const tool_calls = reply.tool_calls.map(toToolCall);
  return {
    index,
    message: {
      role: "assistant",
      content: text === "" && tool_calls.length > 0 ? null : text,
      ...(reasoning && { reasoning_content: reasoning }),
      ...(tool_calls.length > 0 && { tool_calls }),
      refusal: null,
    },
    logprobs: toLogprobs(logprobs),
    finish_reason: toFinishReason(reply),
  };
}
