// What every kind of completion shares: one call of the engine, as a whole reply or as a stream.

import type { EngineChoiceEvent, EngineReplies, EngineReply, EngineUsage, Timings } from "./engine-chat.ts";
import { aborted, toQwillError } from "./errors.ts";
import { startDeadline } from "./limits.ts";
import type { FinishReason, StreamRequest, Usage } from "./openai.ts";
import type { Call } from "./rpc.ts";
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

/** How the replies to one request look to its caller. */
export interface Form<Whole, Chunk extends AnyChunk> {
  whole(replies: EngineReplies): Whole;
  /** What the stream of a choice begins with. */
  start(index: number): Chunk[];
  /** Undefined where an event says nothing in this form. */
  piece(event: EngineChoiceEvent): Chunk | undefined;
  /** The chunk with the finish_reason. */
  end(reply: EngineReply, index: number): Chunk;
}

export function newHead(prefix: string, model: string): Head {
  return { id: `${prefix}-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
}

/** Asks the engine for replies. */
export type Ask = (options: {
  signal: AbortSignal | undefined;
  onEvent: (event: EngineChoiceEvent) => void;
}) => Call<EngineReplies>;

/** Gives replies as `request` wants them. */
export async function answer<Whole, Chunk extends AnyChunk>(
  request: StreamRequest,
  form: Form<Whole, Chunk>,
  ask: Ask,
): Promise<Whole | ReplyStream<Chunk>> {
  const { onProgress } = request;
  if (request.signal?.aborted) throw aborted(request.signal);
  const { signal, keep } = startDeadline(request);
  const onPrompt = (event: EngineChoiceEvent) => {
    if (event.type === "progress") onProgress?.({ read: event.n_read, total: event.n_tokens });
  };
  if (!request.stream) return form.whole(await ask({ signal, onEvent: onPrompt }).finally(keep));

  const separateUsage = request.stream_options?.include_usage === true;
  return new ReplyStream<Chunk>((sink) => {
    const push = (chunk: Chunk) => sink.push(separateUsage ? { ...chunk, usage: null } : chunk);
    const started = new Set<number>();
    const start = (index: number) => {
      if (!started.has(index)) form.start(index).forEach(push);
      started.add(index);
    };
    const onEvent = (event: EngineChoiceEvent) => {
      onPrompt(event);
      const chunk = form.piece(event);
      if (!chunk) return;
      keep();
      start(event.index);
      push(chunk);
    };
    const call = ask({ signal, onEvent });
    call.finally(keep).then(
      (replies) => {
        const counts = { usage: toUsage(replies), timings: toTimings(replies) };
        for (const [index, reply] of replies.choices.entries()) {
          start(index);
          const end = form.end(reply, index);
          const isLast = index === replies.choices.length - 1;
          if (!isLast || separateUsage) push(end);
          if (isLast) sink.push({ ...end, ...counts, ...(separateUsage && { choices: [] }) });
        }
        sink.end();
      },
      (error) => sink.fail(toQwillError(error)),
    );
    return call.cancel;
  });
}

/** One choice for each reply. */
export function toChoices<Choice>(
  { choices: [first, ...others] }: EngineReplies,
  toChoice: (reply: EngineReply, index: number) => Choice,
): [Choice, ...Choice[]] {
  return [toChoice(first, 0), ...others.map((reply, at) => toChoice(reply, at + 1))];
}

export function toUsage({ usage }: { usage: EngineUsage }): Usage {
  const { prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens } = usage;
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens: prompt_tokens + completion_tokens,
    prompt_tokens_details: { cached_tokens },
    completion_tokens_details: { reasoning_tokens },
  };
}

/** Those of the first choice: the others were made beside it. */
export function toTimings({ choices: [{ timings }] }: EngineReplies): Timings {
  const { load_ms: _, ...ofReply } = timings;
  return ofReply;
}

/** OpenAI has no word for a reply that its reader ended; for them it is simply over. */
export function toFinishReason({ finish_reason }: EngineReply): FinishReason {
  return finish_reason === "aborted" ? "stop" : finish_reason;
}
