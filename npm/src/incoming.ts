// A file behind a URL: fetched in parallel ranges, kept in parts, checked as a whole, and readable while it is still
// coming in, so that a model goes to the GPU as it arrives. What is kept is not fetched again, whatever happened to
// the page meanwhile.

import { digestOf } from "./digest.ts";
import type { EngineFile } from "./engine.ts";
import { aborted, QwillError } from "./errors.ts";
import { currentFacts, Fetching, TUNING, type Tuning } from "./fetching.ts";
import { lock } from "./lock.ts";
import { folderOf, keptOf, type Manifest, Parts, readManifest } from "./parts.ts";
import type { RemoteFile } from "./protocol.ts";
import { Passing } from "./ranges.ts";
import type { Store } from "./store.ts";

export interface IncomingOptions {
  store: Store;
  signal: AbortSignal;
  token?: string | undefined;
  /** Hears of every arrival; bytes kept from earlier count. */
  onProgress?: (received: number, total: number | undefined) => void;
  tuning?: Partial<Tuning>;
}

export interface IncomingFile extends EngineFile {
  /** Resolves when all of the file is kept and its checksum right. */
  readonly finished: Promise<void>;
}

/** Resolves as soon as the size is known; the file comes in meanwhile. */
export async function openIncoming(file: RemoteFile, options: IncomingOptions): Promise<IncomingFile> {
  const { store, signal, onProgress } = options;
  const tuning = { ...TUNING, ...options.tuning };
  const release = await lockAndWatch(file, options);
  try {
    const old = await readManifest(store, folderOf(file));
    const facts = await currentFacts(file, old, options, tuning);
    // Some servers never say the size; then the version alone has to tell.
    const isSame = facts.version !== undefined && facts.version === old?.version;
    const size = facts.size ?? (isSame ? old?.size : undefined);
    const manifest: Manifest = {
      url: file.url,
      partBytes: old?.partBytes ?? tuning.partBytes,
      ...(size !== undefined && { size }),
      ...(facts.version !== undefined && { version: facts.version }),
      ...(file.digest && { digest: file.digest }),
      complete: old?.complete ?? false,
    };
    const parts = new Parts(file, manifest, store);
    const fetching = new Fetching(file.url, parts, { ...options, tuning });
    const forget = () => parts.forget(tuning.partBytes);
    const usable = old && old.size === size && old.version === manifest.version;
    if (old && !usable) await forget();
    if (usable) await parts.takeKept();
    if (!parts.isComplete) await parts.makeRoom();
    const bring = async () => {
      const checked = check(file.name, parts, forget).catch((error: unknown) => parts.fail(error));
      await fetching.run();
      // After a failure it is over soon, but may still take the parts away.
      await checked;
    };
    const finished = finish(parts, bring, signal).finally(release);
    // A failure reaches the readers, and whoever waits for the end.
    finished.catch(() => {});
    if (parts.size === undefined) await finished;
    onProgress?.(fetching.received, parts.size);
    return {
      name: file.name,
      size: parts.size ?? 0,
      finished,
      read: (offset, length) => parts.read(offset, length),
    };
  } catch (error) {
    release();
    throw error instanceof Passing ? error.error : error;
  }
}

/** As `lock`; tells how far another tab has come meanwhile. */
async function lockAndWatch(
  file: RemoteFile,
  { store, signal, onProgress }: IncomingOptions,
): Promise<() => void> {
  let waiting = true;
  const timer = setInterval(() => {
    keptOf(store, file).then(
      ({ bytes, size }) => waiting && onProgress?.(bytes, size),
      () => {},
    );
  }, 500);
  try {
    return await lock(folderOf(file), signal);
  } finally {
    waiting = false;
    clearInterval(timer);
  }
}

/** Brings what is missing, as long as `signal` lets it. */
async function finish(parts: Parts, bring: () => Promise<void>, signal: AbortSignal): Promise<void> {
  if (parts.isComplete) return;
  const abort = () => parts.fail(aborted(signal));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await bring();
    if (parts.failure) throw parts.failure;
    await parts.complete();
  } catch (error) {
    parts.fail(error instanceof Passing ? error.error : error);
    throw parts.failure;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Hashes the parts in their order while they come in. */
async function check(name: string, parts: Parts, forget: () => Promise<void>): Promise<void> {
  const { digest } = parts.manifest;
  if (!digest) return;
  const found = await digestOf(digest.kind, parts.inOrder());
  if (found === digest.hex) return;
  // Whoever reads meanwhile should hear this, not that the parts are gone.
  parts.fail(
    new QwillError(
      "checksum-mismatch",
      `${name} came with the checksum ${found}, but the hub lists ${digest.hex}. What came was thrown ` +
        "away; load the model again, or use another mirror.",
    ),
  );
  await forget();
}
