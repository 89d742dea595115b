// Where downloaded files are kept: the origin private file system, the Cache API where there is none, or memory for
// as long as the page lives. Folders of small files, each of which is there as a whole or not at all.

import { QwillError } from "./errors.ts";

export interface Store {
  /** `"memory"` keeps nothing beyond this page. */
  readonly kind: "opfs" | "cache" | "memory";
  read(folder: string, name: string): Promise<Blob | undefined>;
  /** Rejects with code `"quota-exceeded"` when there is no room. */
  write(folder: string, name: string, data: Blob): Promise<void>;
  /** Removes one file, or a folder with everything in it; what is not there is no error. */
  remove(folder: string, name?: string): Promise<void>;
  /** Names of a folder's files with their sizes in bytes. */
  list(folder: string): Promise<Map<string, number>>;
  /** Names of all folders. */
  folders(): Promise<string[]>;
}

const ROOT = "qwill";

/** The best store that this browser offers. In private windows that may be memory. */
export async function openStore(): Promise<Store> {
  for (const open of [openOpfs, openCache]) {
    try {
      return await open();
    } catch {
      // The next one may work; private windows and sandboxed frames refuse some.
    }
  }
  return new MemoryStore();
}

/** A failed write in our words. */
function refused(error: unknown, bytes: number): unknown {
  if (!(error instanceof DOMException) || error.name !== "QuotaExceededError") return error;
  const message = `The browser's storage is full: there is no room for another ${bytes} bytes.`;
  return new QwillError("quota-exceeded", message, { cause: error });
}

/** Bytes in a message. */
const shown = (bytes: number) =>
  bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

/** Refuses what cannot fit before anything of it is fetched. */
export async function requireRoom(bytes: number, name: string): Promise<void> {
  const { quota, usage } = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
  if (quota === undefined || usage === undefined || bytes <= quota - usage) return;
  throw new QwillError(
    "quota-exceeded",
    `${name} needs ${shown(bytes)} more on the disk, and the browser lets this site keep ` +
      `${shown(Math.max(0, quota - usage))} more. Delete stored models, or make room on the disk.`,
  );
}

/** Asks the browser to keep what is stored; some ask the user. */
export function askToKeep(): void {
  globalThis.navigator?.storage?.persist?.().catch(() => {});
}

async function openOpfs(): Promise<Store> {
  if (!("createWritable" in FileSystemFileHandle.prototype)) throw new Error("files cannot be written");
  const origin = await navigator.storage.getDirectory();
  return new OpfsStore(await origin.getDirectoryHandle(ROOT, { create: true }));
}

const isMissing = (error: unknown) => error instanceof DOMException && error.name === "NotFoundError";

/** What `find` finds, or nothing. */
async function ifThere<T>(find: Promise<T>): Promise<T | undefined> {
  try {
    return await find;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

class OpfsStore implements Store {
  readonly kind = "opfs";
  readonly #root: FileSystemDirectoryHandle;

  constructor(root: FileSystemDirectoryHandle) {
    this.#root = root;
  }

  async read(folder: string, name: string): Promise<Blob | undefined> {
    const directory = await ifThere(this.#root.getDirectoryHandle(folder));
    const handle = directory && (await ifThere(directory.getFileHandle(name)));
    return handle && ifThere(handle.getFile());
  }

  async write(folder: string, name: string, data: Blob): Promise<void> {
    try {
      const directory = await this.#root.getDirectoryHandle(folder, { create: true });
      const handle = await directory.getFileHandle(name, { create: true });
      // Changes take effect when the stream is closed, all at once.
      const writable = await handle.createWritable();
      try {
        await writable.write(data);
      } catch (error) {
        await writable.abort().catch(() => {});
        throw error;
      }
      await writable.close();
    } catch (error) {
      throw refused(error, data.size);
    }
  }

  async remove(folder: string, name?: string): Promise<void> {
    if (name === undefined) {
      await ifThere(this.#root.removeEntry(folder, { recursive: true }));
      return;
    }
    const directory = await ifThere(this.#root.getDirectoryHandle(folder));
    if (directory) await ifThere(directory.removeEntry(name));
  }

  async list(folder: string): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    const directory = await ifThere(this.#root.getDirectoryHandle(folder));
    if (!directory) return sizes;
    for await (const entry of directory.values()) {
      const file = await ifThere((entry as FileSystemFileHandle).getFile());
      if (file) sizes.set(entry.name, file.size);
    }
    return sizes;
  }

  async folders(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#root.values()) names.push(name);
    return names;
  }
}

async function openCache(): Promise<Store> {
  return new CacheStore(await caches.open(ROOT));
}

class CacheStore implements Store {
  readonly kind = "cache";
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** The cache's keys are addresses; nothing is ever fetched from these. */
  #url(folder: string, name: string): string {
    return `https://${ROOT}.invalid/${folder}/${name}`;
  }

  async read(folder: string, name: string): Promise<Blob | undefined> {
    return (await this.#cache.match(this.#url(folder, name)))?.blob();
  }

  async write(folder: string, name: string, data: Blob): Promise<void> {
    const headers = { "content-length": String(data.size) };
    try {
      await this.#cache.put(this.#url(folder, name), new Response(data, { headers }));
    } catch (error) {
      throw refused(error, data.size);
    }
  }

  async remove(folder: string, name?: string): Promise<void> {
    if (name !== undefined) {
      await this.#cache.delete(this.#url(folder, name));
      return;
    }
    for (const request of await this.#keys(folder)) await this.#cache.delete(request);
  }

  async list(folder: string): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const request of await this.#keys(folder)) {
      const size = (await this.#cache.match(request))?.headers.get("content-length");
      if (size) sizes.set(request.url.slice(this.#url(folder, "").length), Number(size));
    }
    return sizes;
  }

  async folders(): Promise<string[]> {
    const root = this.#url("", "").slice(0, -1);
    const names = (await this.#cache.keys()).map(({ url }) => url.slice(root.length).split("/")[0] ?? "");
    return [...new Set(names)];
  }

  async #keys(folder: string): Promise<Request[]> {
    const prefix = this.#url(folder, "");
    return (await this.#cache.keys()).filter((request) => request.url.startsWith(prefix));
  }
}

/** Keeps Blobs, which browsers hold outside the heap and on disk when they are large. */
export class MemoryStore implements Store {
  readonly kind = "memory";
  readonly #folders = new Map<string, Map<string, Blob>>();

  async read(folder: string, name: string): Promise<Blob | undefined> {
    return this.#folders.get(folder)?.get(name);
  }

  async write(folder: string, name: string, data: Blob): Promise<void> {
    const files = this.#folders.get(folder) ?? new Map<string, Blob>();
    this.#folders.set(folder, files.set(name, data));
  }

  async remove(folder: string, name?: string): Promise<void> {
    if (name === undefined) this.#folders.delete(folder);
    else this.#folders.get(folder)?.delete(name);
  }

  async list(folder: string): Promise<Map<string, number>> {
    return new Map([...(this.#folders.get(folder) ?? [])].map(([name, blob]) => [name, blob.size]));
  }

  async folders(): Promise<string[]> {
    return [...this.#folders.keys()];
  }
}
