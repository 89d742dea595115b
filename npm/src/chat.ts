// `model.chat.completions.create`: the engine's events and reply in the shapes of OpenAI's chat completions.

import type { EngineChatReply, EngineToolCall } from "./engine.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionDelta,
  ChatCompletionRequest,
  ChatCompletionRequestNonStreaming,
  ChatCompletionRequestStreaming,
  ChatToolCall,
  FinishReason,
} from "./openai.ts";
import type { Protocol } from "./protocol.ts";
import { answer, type Form, type Head, newHead, toFinishReason, toTimings, toUsage } from "./reply.ts";
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

  create(request: ChatCompletionRequestStreaming): Promise<ChatStream>;
  create(request: ChatCompletionRequestNonStreaming): Promise<ChatCompletion>;
  create(request: ChatCompletionRequest): Promise<ChatCompletion | ChatStream>;
  async create(request: ChatCompletionRequest): Promise<ChatCompletion | ChatStream> {
    const args = toConversation(request);
    return answer(this.#client, request, args, chatForm(newHead("chatcmpl", this.#modelName)));
  }
}

function chatForm(head: Head): Form<ChatCompletion, ChatCompletionChunk> {
  let toolCalls = 0;
  const chunk = (
    delta: ChatCompletionDelta,
    finish_reason: FinishReason | null = null,
  ): ChatCompletionChunk => ({
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, logprobs: null, finish_reason }],
  });
  return {
    whole: (reply) => completion(head, reply),
    start: () => [chunk({ role: "assistant", content: "" })],
    piece(event) {
      if (event.type === "content") return chunk({ content: event.text });
      if (event.type === "reasoning") return chunk({ reasoning_content: event.text });
      if (event.type === "tool_call")
        return chunk({ tool_calls: [{ index: toolCalls++, ...toToolCall(event) }] });
      return undefined;
    },
    end: (reply) => chunk({}, toFinishReason(reply)),
  };
}

function toToolCall(call: EngineToolCall): ChatToolCall {
  const id = `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`;
  return { id, type: "function", function: { name: call.name, arguments: call.arguments } };
}

function completion(head: Head, reply: EngineChatReply): ChatCompletion {
  const { text, reasoning } = reply;
  const tool_calls = reply.tool_calls.map(toToolCall);
  return {
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: {
          role: "assistant",
          content: text === "" && tool_calls.length > 0 ? null : text,
          ...(reasoning && { reasoning_content: reasoning }),
          ...(tool_calls.length > 0 && { tool_calls }),
          refusal: null,
        },
        logprobs: null,
        finish_reason: toFinishReason(reply),
      },
    ],
    usage: toUsage(reply),
    timings: toTimings(reply),
  };
}
