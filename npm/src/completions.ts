// `model.completions.create`: text that goes to the model as it stands, in the shapes of OpenAI's completions.

import type { CompletionLogprobs, EngineLogprobs } from "./engine-chat.ts";
import { withOptions } from "./limits.ts";
import type {
  Completion,
  CompletionChoice,
  CompletionChunk,
  CompletionRequest,
  CompletionRequestNonStreaming,
  CompletionRequestStreaming,
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
import { toRawPrompt } from "./request.ts";
import type { Client } from "./rpc.ts";
import type { ReplyStream } from "./stream.ts";

/** The chunks of a completion as they are generated. */
export type CompletionStream = ReplyStream<CompletionChunk>;

/** The one method of `model.completions`. */
export class Completions {
  readonly #client: Client<Protocol>;
  readonly #modelName: string;

  constructor(client: Client<Protocol>, modelName: string) {
    this.#client = client;
    this.#modelName = modelName;
  }

  create(request: CompletionRequestStreaming, options?: RequestOptions): Promise<CompletionStream>;
  create(request: CompletionRequestNonStreaming, options?: RequestOptions): Promise<Completion>;
  create(request: CompletionRequest, options?: RequestOptions): Promise<Completion | CompletionStream>;
  async create(
    request: CompletionRequest,
    options: RequestOptions = {},
  ): Promise<Completion | CompletionStream> {
    const args = toRawPrompt(request);
    const form = textForm(newHead("cmpl", this.#modelName));
    return answer(withOptions(request, options), form, (more) => this.#client.call("chat", args, more));
  }
}

function textForm(head: Head): Form<Completion, CompletionChunk> {
  const chunk = (choice: CompletionChoice): CompletionChunk => ({
    ...head,
    object: "text_completion",
    choices: [choice],
  });
  return {
    whole: (replies) => ({
      ...head,
      object: "text_completion",
      choices: toChoices(replies, (reply, index) => ({
        text: reply.text,
        index,
        logprobs: toLogprobs(reply.logprobs),
        finish_reason: toFinishReason(reply),
      })),
      usage: toUsage(replies),
      timings: toTimings(replies),
    }),
    start: () => [],
    piece({ index, ...event }) {
      if (event.type === "progress") return undefined;
      const text = event.type === "content" || event.type === "prompt" ? event.text : "";
      const logprobs = toLogprobs(event.logprobs);
      return text || logprobs ? chunk({ text, index, logprobs, finish_reason: null }) : undefined;
    },
    end: (reply, index) => chunk({ text: "", index, logprobs: null, finish_reason: toFinishReason(reply) }),
  };
}

function toLogprobs(logprobs: EngineLogprobs | undefined): CompletionLogprobs | null {
  return logprobs && "tokens" in logprobs ? logprobs : null;
}
