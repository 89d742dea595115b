// `model.completions.create`: text that goes to the model as it stands, in the shapes of OpenAI's completions.

import type {
  Completion,
  CompletionChunk,
  CompletionRequest,
  CompletionRequestNonStreaming,
  CompletionRequestStreaming,
  FinishReason,
} from "./openai.ts";
import type { Protocol } from "./protocol.ts";
import { answer, type Form, type Head, newHead, toFinishReason, toTimings, toUsage } from "./reply.ts";
import { toRawPrompt } from "./request.ts";
import type { Client } from "./rpc.ts";
import type { ReplyStream } from "./stream.ts";

/** The chunks of a completion as they are generated. */
export type CompletionStream = ReplyStream<CompletionChunk>;

/** What a whole completion and its chunks share. */
type Piece = Omit<Completion, "usage" | "timings">;

/** The one method of `model.completions`. */
export class Completions {
  readonly #client: Client<Protocol>;
  readonly #modelName: string;

  constructor(client: Client<Protocol>, modelName: string) {
    this.#client = client;
    this.#modelName = modelName;
  }

  create(request: CompletionRequestStreaming): Promise<CompletionStream>;
  create(request: CompletionRequestNonStreaming): Promise<Completion>;
  create(request: CompletionRequest): Promise<Completion | CompletionStream>;
  async create(request: CompletionRequest): Promise<Completion | CompletionStream> {
    const args = toRawPrompt(request);
    return answer(this.#client, request, args, textForm(newHead("cmpl", this.#modelName)));
  }
}

function textForm(head: Head): Form<Completion, CompletionChunk> {
  const piece = (text: string, finish_reason: FinishReason | null): Piece => ({
    ...head,
    object: "text_completion",
    choices: [{ text, index: 0, logprobs: null, finish_reason }],
  });
  return {
    whole: (reply) => ({
      ...piece(reply.text, toFinishReason(reply)),
      usage: toUsage(reply),
      timings: toTimings(reply),
    }),
    start: () => [],
    piece: (event) => (event.type === "content" ? piece(event.text, null) : undefined),
    end: (reply) => piece("", toFinishReason(reply)),
  };
}
