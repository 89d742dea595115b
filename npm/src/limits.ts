// What ends a call before its time: its caller's signal, or the clock.

import { isGiven } from "./checks.ts";
import { QwillError } from "./errors.ts";
import { checkFields } from "./fields.ts";
import type { Limits, RequestOptions } from "./openai.ts";
import { OPTIONS } from "./request-fields.ts";

/** The longest time that browsers can wait; a longer one would be over at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** A request with what OpenAI's second argument says of it: either signal ends it, and that argument's time counts. */
export function withOptions<Request extends Limits>(request: Request, options: RequestOptions): Request {
  checkFields(options, OPTIONS);
  const signals = [request.signal, options.signal].filter(isGiven);
  return {
    ...request,
    signal: signals.length > 1 ? AbortSignal.any(signals) : signals[0],
    timeout: options.timeout ?? request.timeout,
  };
}

/** A call's end, as long as it is not called off. */
export interface Deadline {
  /** Fires with the caller's signal, or when the time is over. */
  signal: AbortSignal | undefined;
  /** There is something of a reply: the clock stops, the signal counts on. */
  keep: () => void;
}

/** Starts the clock of a call. */
export function startDeadline({ signal, timeout }: Limits): Deadline {
  const given = signal ?? undefined;
  if (!isGiven(timeout)) return { signal: given, keep: () => {} };
  const late = new AbortController();
  const error = new QwillError("timeout", `There was nothing of a reply after ${timeout} ms.`);
  const timer = setTimeout(() => late.abort(error), Math.min(timeout, LONGEST_MS));
  return {
    signal: given ? AbortSignal.any([given, late.signal]) : late.signal,
    keep: () => clearTimeout(timer),
  };
}
