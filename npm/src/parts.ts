// What is kept of a file that comes in, part by part, and who waits for the rest.

import { type Digest, keyOf } from "./digest.ts";
import { QwillError } from "./errors.ts";
import type { RemoteFile } from "./protocol.ts";
import { requireRoom, type Store } from "./store.ts";

/** What is kept beside the parts. */
export interface Manifest {
  url: string;
  partBytes: number;
  size?: number;
  version?: string;
  digest?: Digest;
  /** All parts are there and come to the digest. */
  complete: boolean;
}

const MANIFEST = "manifest.json";

/** Where a file is kept. Of a file with a checksum it does not matter which address it came from. */
export const folderOf = (file: RemoteFile) => `${FILES}${keyOf(file.digest?.hex ?? file.url)}`;

/** How the names of such folders begin. */
export const FILES = "file-";

const partName = (part: number) => String(part).padStart(6, "0");

export async function readManifest(store: Store, folder: string): Promise<Manifest | undefined> {
  try {
    const text = await (await store.read(folder, MANIFEST))?.text();
    return text === undefined ? undefined : (JSON.parse(text) as Manifest);
  } catch {
    return undefined;
  }
}

/** How much of a file is kept. */
export async function keptOf(
  store: Store,
  file: RemoteFile,
): Promise<{ bytes: number; size: number | undefined; complete: boolean }> {
  const folder = folderOf(file);
  const [manifest, sizes] = await Promise.all([readManifest(store, folder), store.list(folder)]);
  sizes.delete(MANIFEST);
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const size = manifest?.size ?? file.size;
  return { bytes, size, complete: manifest?.complete === true && bytes === size };
}

interface Waiter {
  part: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

/** The parts of one file. */
export class Parts {
  readonly #file: RemoteFile;
  readonly #folder: string;
  readonly #manifest: Manifest;
  readonly #store: Store;
  readonly #stop = new AbortController();
  readonly #parts: (Blob | undefined)[] = [];
  #waiters: Waiter[] = [];
  #failure: unknown;
  #kept = 0;

  constructor(file: RemoteFile, manifest: Manifest, store: Store) {
    this.#file = file;
    this.#folder = folderOf(file);
    this.#manifest = manifest;
    this.#store = store;
  }

  get manifest(): Readonly<Manifest> {
    return this.#manifest;
  }

  get size(): number | undefined {
    return this.#manifest.size;
  }

  get isComplete(): boolean {
    return this.#manifest.complete;
  }

  /** Bytes that are kept. */
  get kept(): number {
    return this.#kept;
  }

  /** How many there are in all; infinitely many while the size is unknown. */
  get count(): number {
    return Math.ceil((this.size ?? Number.POSITIVE_INFINITY) / this.#manifest.partBytes);
  }

  /** What ended it, if something did. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Fires at the first failure: nothing more is wanted. */
  get failed(): AbortSignal {
    return this.#stop.signal;
  }

  lengthOf(part: number): number {
    const { partBytes } = this.#manifest;
    return Math.min(partBytes, (this.size ?? Number.POSITIVE_INFINITY) - part * partBytes);
  }

  has(part: number): boolean {
    return this.#parts[part] !== undefined;
  }

  /** Those that readers wait for, who came first first. */
  get awaited(): number[] {
    return this.#waiters.map(({ part }) => part);
  }

  get firstMissing(): number {
    let part = 0;
    while (this.has(part)) part++;
    return part;
  }

  /** Throws away what is kept; what comes next is kept in parts of `partBytes`. */
  async forget(partBytes: number): Promise<void> {
    await this.#store.remove(this.#folder);
    this.#manifest.complete = false;
    this.#manifest.partBytes = partBytes;
    this.#parts.length = 0;
    this.#kept = 0;
  }

  /** Takes up the parts that are kept already. */
  async takeKept(): Promise<void> {
    const sizes = await this.#store.list(this.#folder);
    const known = this.size === undefined ? 0 : this.count;
    for (let part = 0; part < known; part++) {
      if (sizes.get(partName(part)) !== this.lengthOf(part)) continue;
      const blob = await this.#store.read(this.#folder, partName(part));
      if (blob) this.add(part, blob);
    }
    if (this.#kept !== this.size) this.#manifest.complete = false;
  }

  /** Refuses what cannot fit before anything is fetched. */
  async makeRoom(): Promise<void> {
    const missing = (this.size ?? 0) - this.#kept;
    if (this.#store.kind !== "memory") await requireRoom(missing, this.#file.name);
    await this.writeManifest();
  }

  /** Keeps what is known of the file. */
  writeManifest(): Promise<void> {
    const text = new Blob([JSON.stringify(this.#manifest)]);
    return this.#store.write(this.#folder, MANIFEST, text);
  }

  /** Learns the size of a file whose server did not say it. */
  end(size: number): void {
    this.#manifest.size = size;
  }

  /** Notes that all parts are there and right. */
  async complete(): Promise<void> {
    this.#manifest.complete = true;
    await this.writeManifest();
  }

  /** Stores a part; returns it as it lies in the store. */
  async write(part: number, blob: Blob): Promise<Blob> {
    await this.#store.write(this.#folder, partName(part), blob);
    return (await this.#store.read(this.#folder, partName(part))) ?? blob;
  }

  /** Gives a stored part to those who wait for it. */
  add(part: number, blob: Blob): void {
    this.#parts[part] = blob;
    this.#kept += blob.size;
    this.#waiters = this.#waiters.filter((waiter) => {
      if (this.has(waiter.part)) waiter.resolve();
      return !this.has(waiter.part);
    });
  }

  /** Ends it for everybody; only the first failure counts. */
  fail(error: unknown): void {
    this.#failure ??= error;
    this.#stop.abort();
    for (const waiter of this.#waiters) waiter.reject(this.#failure);
    this.#waiters = [];
  }

  async #need(part: number): Promise<Blob> {
    if (this.#failure) throw this.#failure;
    const found = this.#parts[part];
    if (found) return found;
    await new Promise<void>((resolve, reject) => this.#waiters.push({ part, resolve, reject }));
    return this.#need(part);
  }

  /** Waits for every part in turn. */
  async *inOrder(): AsyncGenerator<Blob> {
    for (let part = 0; part < this.count; part++) yield await this.#need(part);
  }

  /** Waits for the parts that hold these bytes. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    if (this.#failure) throw this.#failure;
    const { partBytes } = this.#manifest;
    const end = Math.min(offset + length, this.size ?? 0);
    const first = Math.floor(offset / partBytes);
    const blobs: Blob[] = [];
    for (let part = first; part * partBytes < end; part++) blobs.push(await this.#need(part));
    const bytes = new Blob(blobs).slice(offset - first * partBytes, end - first * partBytes);
    try {
      return new Uint8Array(await bytes.arrayBuffer());
    } catch (error) {
      if (this.#failure) throw this.#failure;
      const message = `${this.#file.name} cannot be read any more; was it deleted? Load the model again.`;
      throw new QwillError("file-not-found", message, { cause: error });
    }
  }
}
