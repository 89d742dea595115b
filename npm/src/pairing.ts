// What a token says and how likely it was travel together.

import type { EngineChoiceEvent, EngineLogprobs, EngineSaid } from "./engine-chat.ts";

/**
 * Does work whose events are told to `emit`, what a token says together with its log probabilities: the engine tells of
 * a token behind what it says. Nobody hears of tokens that say nothing and of which nothing is told.
 */
export async function paired<T>(
  emit: (event: EngineChoiceEvent) => void,
  work: (hear: (event: EngineChoiceEvent) => void) => Promise<T>,
): Promise<T> {
  /** What each choice said last, until its token comes. */
  const waiting = new Map<number, EngineSaid>();
  const release = (index: number, logprobs?: EngineLogprobs) => {
    const said = waiting.get(index) ?? (logprobs && { type: "token" });
    waiting.delete(index);
    if (said) emit({ index, ...said, ...(logprobs && { logprobs }) });
  };
  const result = await work(({ index, ...event }) => {
    if (event.type === "token") return release(index, event.logprobs);
    release(index);
    // neither is what a token says
    if (event.type === "progress" || event.type === "prompt") emit({ index, ...event });
    else waiting.set(index, event);
  });
  for (const index of [...waiting.keys()]) release(index);
  return result;
}
