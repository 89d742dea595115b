// What every kind of completion shares: one call of the engine, as a whole reply or as a stream.

import type { EngineChatEvent, EngineChatReply, EngineChatRequest, Timings } from "./engine.ts";
import { aborted, toQwillError } from "./errors.ts";
import type { FinishReason, StreamRequest, Usage } from "./openai.ts";
import type { Protocol } from "./protocol.ts";
import type { Client } from "./rpc.ts";
import { ReplyStream } from "./stream.ts";

/** What every reply and chunk begins with. */
export interface Head {
  id: string;
  created: number;
  model: string;
}

interface AnyChunk {
  choices: unknown[];
  usage?: Usage | null;
  timings?: Timings;
}

/** How one reply looks to its caller. */
export interface Form<Whole, Chunk extends AnyChunk> {
  whole(reply: EngineChatReply): Whole;
  /** What a stream begins with, before anything is generated. */
  start(): Chunk[];
  /** Undefined where an event says nothing in this form. */
  piece(event: EngineChatEvent): Chunk | undefined;
  /** The chunk with the finish_reason. */
  end(reply: EngineChatReply): Chunk;
}

export function newHead(prefix: string, model: string): Head {
  return { id: `${prefix}-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

/** Has the engine serve `args`, and gives the reply as `request` wants it. */
export async function answer<Whole, Chunk extends AnyChunk>(
  client: Client<Protocol>,
  request: StreamRequest,
  args: EngineChatRequest,
  form: Form<Whole, Chunk>,
): Promise<Whole | ReplyStream<Chunk>> {
  const { signal, onProgress } = request;
  const onPrompt = (event: EngineChatEvent) => {
    if (event.type === "progress") onProgress?.({ read: event.n_read, total: event.n_tokens });
  };
  if (signal?.aborted) throw aborted(signal);
  if (!request.stream) return form.whole(await client.call("chat", args, { signal, onEvent: onPrompt }));

  const separateUsage = request.stream_options?.include_usage === true;
  const marked = (chunk: Chunk): Chunk => (separateUsage ? { ...chunk, usage: null } : chunk);
  return new ReplyStream<Chunk>((sink) => {
    for (const chunk of form.start()) sink.push(marked(chunk));
    const onEvent = (event: EngineChatEvent) => {
      onPrompt(event);
      const chunk = form.piece(event);
      if (chunk) sink.push(marked(chunk));
    };
    const call = client.call("chat", args, { signal, onEvent });
    call.then(
      (reply) => {
        const end = form.end(reply);
        const counted = { ...end, usage: toUsage(reply), timings: toTimings(reply) };
        if (separateUsage) {
          sink.push(marked(end));
          sink.push({ ...counted, choices: [] });
        } else {
          sink.push(counted);
        }
        sink.end();
      },
      (error) => sink.fail(toQwillError(error)),
    );
    return call.cancel;
  });
}

export function toUsage({ usage }: EngineChatReply): Usage {
  const { prompt_tokens, completion_tokens, cached_tokens } = usage;
  const total_tokens = prompt_tokens + completion_tokens;
  return { prompt_tokens, completion_tokens, total_tokens, prompt_tokens_details: { cached_tokens } };
}

export function toTimings({ timings }: EngineChatReply): Timings {
  const { prefill_ms, prefill_tps, decode_ms, decode_tps } = timings;
  return { prefill_ms, prefill_tps, decode_ms, decode_tps };
}

/** OpenAI has no word for a reply that its reader ended; for them it is simply over. */
export function toFinishReason({ finish_reason }: EngineChatReply): FinishReason {
  return finish_reason === "aborted" ? "stop" : finish_reason;
}
