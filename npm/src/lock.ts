// Locks that all tabs and workers of a site share: each file has one writer.

import { aborted } from "./errors.ts";

/** Keeps other tabs and workers from writing the same file. Returns what gives the lock back. */
export async function lock(name: string, signal: AbortSignal): Promise<() => void> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return () => {};
  return new Promise((resolve, reject) => {
    locks
      .request(`qwill/${name}`, { signal }, () => new Promise<void>((release) => resolve(release)))
      // where locks are forbidden, files are not shared either
      .catch(() => (signal.aborted ? reject(aborted(signal)) : resolve(() => {})));
  });
}

/** Runs `work` unless somebody holds the lock. Returns whether it ran. */
export async function unlessLocked(name: string, work: () => Promise<void>): Promise<boolean> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work().then(() => true);
  return locks.request(`qwill/${name}`, { ifAvailable: true }, async (held) => {
    if (held) await work();
    return held !== null;
  });
}
