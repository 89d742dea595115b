// How fast something comes in, and how long the rest will take.

import type { LoadProgress } from "./protocol.ts";

/** Looks this far back, in milliseconds. */
const WINDOW = 5000;

export class Meter {
  #samples: { at: number; bytes: number }[] = [];

  /** Bytes a second and seconds left, given what there is at the time `at` in milliseconds. */
  measure(
    bytes: number,
    total: number,
    at: number,
  ): { bytesPerSecond: number; secondsLeft: number | undefined } {
    const samples = this.#samples;
    samples.push({ at, bytes });
    while (samples.length > 2 && (samples[1]?.at ?? at) <= at - WINDOW) samples.shift();
    const first = samples[0] ?? { at, bytes };
    const seconds = (at - first.at) / 1000;
    const bytesPerSecond = seconds > 0 ? Math.max(0, (bytes - first.bytes) / seconds) : 0;
    const left = Math.max(0, total - bytes);
    const known = total > 0 && (left === 0 || bytesPerSecond > 0);
    return { bytesPerSecond, secondsLeft: known ? (left === 0 ? 0 : left / bytesPerSecond) : undefined };
  }
}

/** Progress with speed, not more often than a person can read. */
export function progressReporter(
  emit: (progress: LoadProgress) => void,
): (loaded: number, total: number) => void {
  const meter = new Meter();
  let last = Number.NEGATIVE_INFINITY;
  return (loaded, total) => {
    const now = performance.now();
    if (now - last < 50 && (loaded < total || total === 0)) return;
    last = now;
    const { bytesPerSecond, secondsLeft } = meter.measure(loaded, total, now);
    emit({
      stage: "download",
      loaded,
      total,
      bytesPerSecond,
      ...(secondsLeft !== undefined && { secondsLeft }),
    });
  };
}
