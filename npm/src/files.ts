// The files of a source, wherever they lie, for the engine to read.

import type { EngineFile } from "./engine.ts";
import { aborted, QwillError } from "./errors.ts";
import type { IncomingFile } from "./incoming.ts";
import { openModel, type PeekOptions } from "./library.ts";
import { progressReporter } from "./meter.ts";
import type { FileSource, LoadProgress, LocalFile, RemoteFile, SourceRef } from "./protocol.ts";
import { MemoryStore, openStore } from "./store.ts";

export type RemoteSource = Extract<FileSource, { remote: unknown }>;

/** How files come in. */
export interface Arrival {
  /** Whether some are still being downloaded. */
  isComing: () => boolean;
  /** Resolves when all of them are here and checked. */
  whole: () => Promise<unknown>;
}

/** What is done with files. */
export interface FileUse<T> {
  signal: AbortSignal;
  /** For the hub. */
  token: string | undefined;
  /** Hears of the download. */
  report: (progress: LoadProgress) => void;
  /** Looks at the source before anything large is fetched. Returns its files if they became known. */
  find?: (source: RemoteSource, from: PeekOptions) => Promise<RemoteFile[] | undefined>;
  /** Reads the files. They can be read later, too, as long as nobody deletes them. */
  use: (files: EngineFile[], arrival: Arrival) => Promise<T>;
  /** Takes the result back: a checksum is known at the end only, and what fails it must not be used. */
  undo: (result: T) => void | Promise<void>;
}

/** Opens a source's files, downloading what is not here, and uses them. Ends with the last byte checked. */
export async function withFiles<T>(source: SourceRef, work: FileUse<T>): Promise<T> {
  const { signal, token, report, find, use, undo } = work;
  let isComing = false;
  // What a read fails with says more than what the engine makes of it, and what the first download fails with
  // says more than that: it ends the others.
  let readError: unknown;
  let downloadError: unknown;
  // Work that fails has no use for the rest of its files.
  const downloads = new AbortController();
  const abort = () => downloads.abort();
  signal.addEventListener("abort", abort, { once: true });
  const openRemote = async (): Promise<IncomingFile[]> => {
    if (!("remote" in source)) return [];
    const store = source.storage === "none" ? new MemoryStore() : await openStore();
    const progress = progressReporter(report);
    const from = { store, signal: downloads.signal, token };
    const found = await find?.(source, from);
    const onProgress = (received: number, total: number) => {
      const before = isComing;
      isComing = received < total || total === 0;
      if (before || isComing) progress(received, total);
    };
    return openModel(source.remote, { ...from, onProgress }, found);
  };
  let result: { value: T } | undefined;
  try {
    const remote = await openRemote();
    for (const { finished } of remote) {
      finished.catch((error: unknown) => {
        downloadError ??= error;
      });
    }
    const files: EngineFile[] = "random" in source ? [] : [...source.local.map(fromLocal), ...remote];
    const watched = files.map((file) => ({
      name: file.name,
      size: file.size,
      read: (offset: number, length: number) =>
        file.read(offset, length).catch((error: unknown) => {
          readError = error;
          throw error;
        }),
    }));
    const whole = () => Promise.all(remote.map((file) => file.finished));
    result = { value: await use(watched, { isComing: () => isComing, whole }) };
    await whole();
    if (signal.aborted) throw aborted();
    return result.value;
  } catch (error) {
    abort();
    if (result) await undo(result.value);
    throw signal.aborted ? aborted() : (downloadError ?? readError ?? error);
  }
}

export function fromLocal({ name, blob }: LocalFile): EngineFile {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (error) {
        const message = `${name} cannot be read any more; was it moved, changed or deleted?`;
        throw new QwillError("file-not-found", message, { cause: error });
      }
    },
  };
}
