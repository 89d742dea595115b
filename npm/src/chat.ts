// `model.chat.completions.create`: the engine's events and reply in OpenAI's shapes.

import type { EngineChatEvent, EngineChatReply, EngineToolCall } from "./engine.ts";
import { aborted, QwillError, toQwillError } from "./errors.ts";
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionDelta,
  ChatCompletionRequest,
  ChatCompletionRequestNonStreaming,
  ChatCompletionRequestStreaming,
  ChatToolCall,
  FinishReason,
  Timings,
  Usage,
} from "./openai.ts";
import type { Protocol } from "./protocol.ts";
import { toEngineRequest } from "./request.ts";
import type { Client } from "./rpc.ts";

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
    const args = toEngineRequest(request);
    const { signal } = request;
    if (signal?.aborted) throw aborted(signal);
    const head: Head = {
      id: `chatcmpl-${crypto.randomUUID()}`,
      created: Math.floor(Date.now() / 1000),
      model: this.#modelName,
    };
    if (!request.stream) return completion(head, await this.#client.call("chat", args, { signal }));

    const stream = new ChatStream(head, request.stream_options?.include_usage === true);
    const onEvent = (event: EngineChatEvent) => stream[PUSH](event);
    const call = this.#client.call("chat", args, { signal, onEvent });
    stream[START](call.cancel);
    call.then(
      (reply) => stream[END](reply),
      (error) => stream[FAIL](toQwillError(error)),
    );
    return stream;
  }
}

interface Head {
  id: string;
  created: number;
  model: string;
}

const START = Symbol("start");
const PUSH = Symbol("push");
const END = Symbol("end");
const FAIL = Symbol("fail");

/**
 * The chunks of a reply as they are generated: `for await (const chunk of stream)`.
 *
 * Leaving the loop stops the generation. `stop()` ends it early but politely: the last chunk, with its
 * finish_reason and usage, still comes.
 */
export class ChatStream implements AsyncIterable<ChatCompletionChunk> {
  readonly #head: Head;
  readonly #separateUsage: boolean;
  #chunks: ChatCompletionChunk[] = [];
  #error: QwillError | undefined;
  #done = false;
  #cancelled = false;
  #iterated = false;
  #toolCalls = 0;
  #wake: (() => void) | undefined;
  #cancel: () => void = () => {};

  /** @internal */
  constructor(head: Head, separateUsage: boolean) {
    this.#head = head;
    this.#separateUsage = separateUsage;
    this.#push({ role: "assistant", content: "" });
  }

  /** Ends the generation after the current token. */
  stop(): void {
    this.#cancelled = true;
    this.#cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChatCompletionChunk, void, undefined> {
    if (this.#iterated) throw new QwillError("invalid-request", "A stream can be read only once.");
    this.#iterated = true;
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          yield chunk;
          continue;
        }
        if (this.#error) throw this.#error;
        if (this.#done) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      if (!this.#done) this.stop();
    }
  }

  /** @internal */
  [START](cancel: () => void): void {
    this.#cancel = cancel;
  }

  /** @internal */
  [PUSH](event: EngineChatEvent): void {
    if (event.type === "content") this.#push({ content: event.text });
    if (event.type === "reasoning") this.#push({ reasoning_content: event.text });
    if (event.type === "tool_call")
      this.#push({ tool_calls: [{ index: this.#toolCalls++, ...toToolCall(event) }] });
  }

  /** @internal */
  [END](reply: EngineChatReply): void {
    const usage = toUsage(reply);
    const timings = toTimings(reply);
    if (this.#separateUsage) {
      this.#push({}, toFinishReason(reply));
      this.#chunks.push({ ...this.#chunk({}, null), choices: [], usage, timings });
    } else {
      this.#chunks.push({ ...this.#chunk({}, toFinishReason(reply)), usage, timings });
    }
    this.#finish();
  }

  /** @internal */
  [FAIL](error: QwillError): void {
    // A call that was still queued when `stop()` came has nothing more to say.
    if (!(this.#cancelled && error.code === "aborted")) {
      this.#error = error;
      // What was generated before the caller aborted is not shown after it.
      if (error.code === "aborted") this.#chunks = [];
    }
    this.#finish();
  }

  #finish(): void {
    this.#done = true;
    this.#wake?.();
  }

  #push(delta: ChatCompletionDelta, finish: FinishReason | null = null): void {
    const chunk = this.#chunk(delta, finish);
    this.#chunks.push(this.#separateUsage ? { ...chunk, usage: null } : chunk);
    this.#wake?.();
  }

  #chunk(delta: ChatCompletionDelta, finish_reason: FinishReason | null): ChatCompletionChunk {
    return {
      ...this.#head,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, logprobs: null, finish_reason }],
    };
  }
}

function toUsage({ usage }: EngineChatReply): Usage {
  const { prompt_tokens, completion_tokens, cached_tokens } = usage;
  const total_tokens = prompt_tokens + completion_tokens;
  return { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details: { cached_tokens } };
}

function toTimings({ timings }: EngineChatReply): Timings {
  const { prefill_ms, prefill_tps, decode_ms, decode_tps } = timings;
  return { prefill_ms, prefill_tps, decode_ms, decode_tps };
}

/** OpenAI has no word for a reply that its reader ended; for them it is simply over. */
function toFinishReason({ finish_reason }: EngineChatReply): FinishReason {
  return finish_reason === "aborted" ? "stop" : finish_reason;
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
