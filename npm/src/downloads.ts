// The public face of what is stored.

import { aborted, QwillError } from "./errors.ts";
import { checkFields } from "./fields.ts";
import { deleteModel, listModels, openModel, type StoredModel } from "./library.ts";
import { progressReporter } from "./meter.ts";
import { DOWNLOAD } from "./option-fields.ts";
import type { LoadProgress } from "./protocol.ts";
import { type HubOptions, type ModelSource, resolveSource } from "./source.ts";
import { askToKeep, openStore } from "./store.ts";

export type { StoredModel };

/** What the browser lets this site keep. */
export interface StorageEstimate {
  /** Bytes that everything of this site takes. */
  usage: number | undefined;
  /** Bytes that it may take. */
  quota: number | undefined;
  /** Whether the browser promised not to clear it when the disk becomes full. */
  persisted: boolean;
  /** Where models go; `"memory"` forgets them with the page, as in private windows. */
  kind: "opfs" | "cache" | "memory";
}

export interface DownloadOptions extends HubOptions {
  /** Hears of progress, in bytes; speed and time left come with it. */
  onProgress?: (progress: LoadProgress) => void;
  /** Stops the download; what came is kept, and the next one goes on from there. */
  signal?: AbortSignal;
}

/** Models stored by this site, in the origin private file system or, where there is none, the Cache API. */
export const downloads = {
  /** All models of which something is stored. */
  async list(): Promise<StoredModel[]> {
    return listModels(await openStore());
  },

  /** Removes a model, by the id that `list` gives. Resolves to whether it was there. */
  async delete(id: string): Promise<boolean> {
    return deleteModel(await openStore(), id);
  },

  /** Downloads a model without loading it: a hub id, a URL, or the URLs of a checkpoint's files. */
  async add(source: ModelSource, options: DownloadOptions = {}): Promise<void> {
    checkFields(options, DOWNLOAD);
    const { onProgress, token } = options;
    const signal = options.signal ?? new AbortController().signal;
    if (signal.aborted) throw aborted(signal);
    const resolved = await resolveSource(source, options);
    if (!("remote" in resolved)) {
      throw new QwillError("invalid-source", "Only hub ids and URLs can be downloaded.");
    }
    askToKeep();
    const store = await openStore();
    const report = onProgress && { onProgress: progressReporter(onProgress) };
    const files = await openModel(resolved.remote, { store, signal, token, ...report });
    await Promise.all(files.map((file) => file.finished));
  },

  /** How much room there is, and whether it is safe. */
  async storage(): Promise<StorageEstimate> {
    const storage = globalThis.navigator?.storage;
    const [{ usage, quota } = {}, persisted = false, { kind }] = await Promise.all([
      storage?.estimate?.(),
      storage?.persisted?.(),
      openStore(),
    ]);
    return { usage, quota, persisted, kind };
  },
};
