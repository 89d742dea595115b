// A file behind a URL: fetched in parallel ranges, kept in parts, checked as a whole, and readable while it is still
// coming in, so that a model goes to the GPU as it arrives. What is kept is not fetched again, whatever happened to
// the page meanwhile.

import { type Digest, digestOf, keyOf } from "./digest.ts";
import type { EngineFile } from "./engine.ts";
import { aborted, QwillError } from "./errors.ts";
import { chunksOf, type Facts, fetchFacts, fetchRange, Passing, type Range } from "./ranges.ts";
import { requireRoom, type Store } from "./store.ts";

/** A file that is somewhere else. */
export interface RemoteFile {
  name: string;
  url: string;
  /** Bytes, if a listing says so. */
  size?: number;
  /** Checksum, if a listing says so. */
  digest?: Digest;
}

/** Sizes and patience; the tests use small ones. */
export interface Tuning {
  /** Bytes kept as one: what a crash can cost at most, times `parallel`. */
  partBytes: number;
  /** Parts asked for at once. Requests cost a redirect each, and hubs count them. */
  runParts: number;
  /** Requests at a time. */
  parallel: number;
  /** Milliseconds before the first retry; twice as many before the next, and so on. */
  retryDelay: number;
  /** Requests in a row that may bring nothing. */
  attempts: number;
  /** Milliseconds without a byte after which a connection is given up. */
  silence: number;
}

export const TUNING: Tuning = {
  partBytes: 8 << 20,
  runParts: 8,
  parallel: 4,
  retryDelay: 500,
  attempts: 5,
  silence: 30_000,
};

const LONGEST_DELAY = 30_000;

/** Servers send these compressed, and of other sites a page does not get to see that: their length says nothing. */
const COMPRESSIBLE = /\.(json|txt|jinja|tiktoken)$/i;

export interface IncomingOptions {
  store: Store;
  signal: AbortSignal;
  token?: string | undefined;
  /** Hears of every arrival; bytes kept from earlier count. */
  onProgress?: (received: number, total: number | undefined) => void;
  tuning?: Partial<Tuning>;
}

/** What is kept beside the parts. */
interface Manifest {
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

async function readManifest(store: Store, folder: string): Promise<Manifest | undefined> {
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

/** Keeps other tabs and workers from writing the same file. Returns what gives the lock back. */
async function lock(name: string, signal: AbortSignal): Promise<() => void> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return () => {};
  return new Promise((resolve, reject) => {
    locks
      .request(`qwill/${name}`, { signal }, () => new Promise<void>((release) => resolve(release)))
      // where locks are forbidden, files are not shared either
      .catch(() => (signal.aborted ? reject(aborted(signal)) : resolve(() => {})));
  });
}

/** As `lock`; tells how far another tab has come meanwhile. */
async function lockAndWatch(
  folder: string,
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
    return await lock(folder, signal);
  } finally {
    waiting = false;
    clearInterval(timer);
  }
}

/** Runs `work` unless a download of the same file is going on somewhere. */
export async function unlessLocked(folder: string, work: () => Promise<void>): Promise<boolean> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return work().then(() => true);
  return locks.request(`qwill/${folder}`, { ifAvailable: true }, async (held) => {
    if (held) await work();
    return held !== null;
  });
}

const sleep = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(aborted(signal));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });

export interface IncomingFile extends EngineFile {
  /** Resolves when all of the file is kept and its checksum right. */
  readonly finished: Promise<void>;
}

/** Resolves as soon as the size is known; the file comes in meanwhile. */
export async function openIncoming(file: RemoteFile, options: IncomingOptions): Promise<IncomingFile> {
  const { store, onProgress } = options;
  const tuning = { ...TUNING, ...options.tuning };
  const folder = folderOf(file);
  const release = await lockAndWatch(folder, file, options);
  try {
    const old = await readManifest(store, folder);
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
    const incoming = new Incoming(file, folder, manifest, { ...options, tuning });
    const usable = old && old.size === size && old.version === manifest.version;
    if (old && !usable) await incoming.forget();
    if (usable) await incoming.takeKept();
    if (!incoming.isComplete) await incoming.makeRoom();
    const finished = incoming.finish().finally(release);
    // A failure reaches the readers, and whoever waits for the end.
    finished.catch(() => {});
    if (incoming.size === undefined) await finished;
    onProgress?.(incoming.received, incoming.size);
    return {
      name: file.name,
      size: incoming.size ?? 0,
      finished,
      read: (offset, length) => incoming.read(offset, length),
    };
  } catch (error) {
    release();
    throw error instanceof Passing ? error.error : error;
  }
}

/** What the server has now; what we have, if the server cannot be asked and we have everything. */
async function currentFacts(
  file: RemoteFile,
  old: Manifest | undefined,
  options: IncomingOptions,
  tuning: Tuning,
): Promise<Facts> {
  // A checksum says better than any server whether two files are the same.
  if (file.digest && file.size !== undefined) return { size: file.size, version: undefined };
  for (let attempt = 1; ; attempt++) {
    try {
      const facts = await fetchFacts(file.url, { ...options, patience: tuning.silence });
      return COMPRESSIBLE.test(file.name) ? { ...facts, size: undefined } : facts;
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      if (old?.complete) return { size: old.size, version: old.version };
      if (attempt >= Math.min(2, tuning.attempts)) throw error;
      await sleep(Math.min(error.wait ?? tuning.retryDelay, LONGEST_DELAY), options.signal);
    }
  }
}

/** Parts `from` to `to`, `to` excluded, and what has come of the first that is missing. */
interface Run {
  from: number;
  to: number;
  pieces: Uint8Array<ArrayBuffer>[];
  /** Of all `pieces`. */
  bytes: number;
}

interface Waiter {
  part: number;
  resolve: () => void;
  reject: (error: unknown) => void;
}

class Incoming {
  readonly #file: RemoteFile;
  readonly #folder: string;
  readonly #manifest: Manifest;
  readonly #options: IncomingOptions & { tuning: Tuning };
  /** Ends every request when one of them fails for good. */
  readonly #stop = new AbortController();
  readonly #parts: (Blob | undefined)[] = [];
  readonly #claimed = new Set<number>();
  #workers: Promise<void>[] = [];
  #waiters: Waiter[] = [];
  #failure: unknown;
  #kept = 0;
  #inFlight = 0;

  constructor(
    file: RemoteFile,
    folder: string,
    manifest: Manifest,
    options: IncomingOptions & { tuning: Tuning },
  ) {
    this.#file = file;
    this.#folder = folder;
    this.#manifest = manifest;
    this.#options = options;
  }

  get size(): number | undefined {
    return this.#manifest.size;
  }

  get isComplete(): boolean {
    return this.#manifest.complete;
  }

  /** Bytes that are there, those on their way into a part included. */
  get received(): number {
    return this.#kept + this.#inFlight;
  }

  get #nParts(): number {
    return Math.ceil((this.size ?? Number.POSITIVE_INFINITY) / this.#manifest.partBytes);
  }

  #lengthOf(part: number): number {
    const { partBytes } = this.#manifest;
    return Math.min(partBytes, (this.size ?? Number.POSITIVE_INFINITY) - part * partBytes);
  }

  /** Throws away what is kept. */
  async forget(): Promise<void> {
    await this.#options.store.remove(this.#folder);
    this.#manifest.complete = false;
    this.#manifest.partBytes = this.#options.tuning.partBytes;
    this.#parts.length = 0;
    this.#kept = 0;
  }

  /** Takes up the parts that are kept already. */
  async takeKept(): Promise<void> {
    const sizes = await this.#options.store.list(this.#folder);
    const known = this.size === undefined ? 0 : this.#nParts;
    for (let part = 0; part < known; part++) {
      if (sizes.get(partName(part)) !== this.#lengthOf(part)) continue;
      const blob = await this.#options.store.read(this.#folder, partName(part));
      if (blob) this.#add(part, blob);
    }
    if (this.#kept !== this.size) this.#manifest.complete = false;
  }

  /** Refuses what cannot fit before anything is fetched. */
  async makeRoom(): Promise<void> {
    const missing = (this.size ?? 0) - this.#kept;
    if (this.#options.store.kind !== "memory") await requireRoom(missing, this.#file.name);
    await this.#writeManifest();
  }

  #writeManifest(): Promise<void> {
    const text = new Blob([JSON.stringify(this.#manifest)]);
    return this.#options.store.write(this.#folder, MANIFEST, text);
  }

  #add(part: number, blob: Blob): void {
    this.#parts[part] = blob;
    this.#kept += blob.size;
    this.#waiters = this.#waiters.filter((waiter) => {
      if (this.#parts[waiter.part]) waiter.resolve();
      return !this.#parts[waiter.part];
    });
  }

  #fail(error: unknown): void {
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

  /** Brings what is missing and checks everything. */
  async finish(): Promise<void> {
    if (this.isComplete) return;
    const { signal } = this.#options;
    const abort = () => this.#fail(aborted(signal));
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    try {
      const checked = this.#check().catch((error: unknown) => this.#fail(error));
      this.#work();
      for (let seen = 0; seen < this.#workers.length; ) {
        const workers = this.#workers;
        seen = workers.length;
        await Promise.all(workers);
      }
      // After a failure it is over soon, but may still take the parts away.
      await checked;
      if (this.#failure) throw this.#failure;
      this.#manifest.complete = true;
      await this.#writeManifest();
    } catch (error) {
      this.#fail(error instanceof Passing ? error.error : error);
      throw this.#failure;
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Hashes the parts in their order while they come in. */
  async #check(): Promise<void> {
    const { digest } = this.#manifest;
    if (!digest) return;
    const found = await digestOf(digest.kind, this.#inOrder());
    if (found === digest.hex) return;
    // Whoever reads meanwhile should hear this, not that the parts are gone.
    this.#fail(
      new QwillError(
        "checksum-mismatch",
        `${this.#file.name} came with the checksum ${found}, but the hub lists ${digest.hex}. What came was thrown ` +
          "away; load the model again, or use another mirror.",
      ),
    );
    await this.forget();
  }

  async *#inOrder(): AsyncGenerator<Blob> {
    for (let part = 0; part < this.#nParts; part++) yield await this.#need(part);
  }

  /** Starts one more sequence of requests. */
  #work(): void {
    const work = async () => {
      for (let run = this.#claim(); run && !this.#failure; run = this.#claim()) await this.#bring(run);
    };
    const failed = (error: unknown) => {
      this.#fail(error instanceof Passing ? error.error : error);
      throw this.#failure;
    };
    this.#workers = [...this.#workers, work().catch(failed)];
    this.#workers.at(-1)?.catch(() => {});
  }

  /** The next parts to bring: those that a reader waits for, else the first that are missing. */
  #claim(): Run | undefined {
    const isFree = (part: number) => part < this.#nParts && !this.#parts[part] && !this.#claimed.has(part);
    if (this.size === undefined) return isFree(0) ? this.#claimRun(0, isFree, 1) : undefined;
    const wanted = this.#waiters.map(({ part }) => part).find(isFree);
    let from = wanted ?? 0;
    while (from < this.#nParts && !isFree(from)) from++;
    return from < this.#nParts ? this.#claimRun(from, isFree, this.#options.tuning.runParts) : undefined;
  }

  #claimRun(from: number, isFree: (part: number) => boolean, most: number): Run {
    let to = from;
    while (to - from < most && isFree(to)) this.#claimed.add(to++);
    return { from, to, pieces: [], bytes: 0 };
  }

  async #bring(run: Run): Promise<void> {
    const { retryDelay, attempts } = this.#options.tuning;
    let reached = this.#kept > 0;
    let before = this.received;
    for (let inVain = 0; ; ) {
      while (run.from < run.to && this.#parts[run.from]) run.from++;
      if (run.from >= run.to) return;
      try {
        await this.#stream(run);
      } catch (error) {
        if (!(error instanceof Passing)) throw error;
        reached ||= error.reached;
        // Some servers serve only so many requests at a time: what the others bring counts, too.
        inVain = this.received > before ? 0 : inVain + 1;
        before = this.received;
        // A server that was never heard of is given up sooner: its address may be wrong.
        if (inVain >= (reached ? attempts : Math.min(2, attempts))) {
          const { message } = error.error;
          const kept = `${this.#kept} of ${this.size ?? "unknown"} bytes are kept; try again to go on from there`;
          throw new QwillError("network", `${message} ${kept}.`, { cause: error.error });
        }
        const delay = Math.min(error.wait ?? retryDelay * 2 ** inVain, LONGEST_DELAY);
        await sleep(delay, this.#stop.signal);
      }
    }
  }

  /** One request: cuts what comes into parts and keeps those that were missing. */
  async #stream(run: Run): Promise<void> {
    const { partBytes } = this.#manifest;
    const { tuning, token } = this.#options;
    const { url } = this.#file;
    const signal = this.#stop.signal;
    const begin = run.from * partBytes + run.bytes;
    const end = this.size === undefined ? undefined : Math.min(run.to * partBytes, this.size);
    const isAll = begin === 0 && end === this.size;
    const range = await fetchRange(url, begin, isAll ? undefined : end, {
      signal,
      token,
      patience: tuning.silence,
    });
    this.#compare(range);
    const alone = this.#workers.length === 1;
    if (range.partial && alone) {
      for (let i = 1; i < tuning.parallel; i++) this.#work();
    } else if (alone) {
      // A server that sends everything anyway may as well be listened to until the end.
      if (this.#parts.slice(0, run.from).includes(undefined)) this.#drop(run);
      run.from = this.#firstMissing();
      run.to = this.#nParts;
      for (let part = 0; part < run.to && this.size !== undefined; part++) this.#claimed.add(part);
    }
    const limit = Math.min(run.to * partBytes, this.size ?? Number.POSITIVE_INFINITY);
    let offset = range.start;
    for await (const chunk of chunksOf(url, range.body, tuning.silence, signal)) {
      for (let rest = chunk; rest.length > 0 && offset < limit; ) {
        const part = Math.floor(offset / partBytes);
        const isWanted = part >= run.from && !this.#parts[part];
        const within = offset - part * partBytes;
        // What an earlier request brought of this part is passed over, as are whole parts.
        const isNew = isWanted && within >= run.bytes;
        const length = this.#lengthOf(part);
        const piece = rest.subarray(0, (isWanted && !isNew ? run.bytes : length) - within);
        rest = rest.subarray(piece.length);
        offset += piece.length;
        if (!isNew) continue;
        run.pieces.push(piece);
        run.bytes += piece.length;
        this.#inFlight += piece.length;
        if (run.bytes === length) await this.#keep(part, run);
        this.#report();
      }
      if (offset >= limit) return;
    }
    if (this.size !== undefined) {
      throw new Passing(new QwillError("network", `${url} broke off after ${offset} bytes.`));
    }
    this.#manifest.size = offset;
    run.to = this.#nParts;
    if (run.bytes > 0) await this.#keep(run.to - 1, run);
    await this.#writeManifest();
  }

  #firstMissing(): number {
    let part = 0;
    while (this.#parts[part]) part++;
    return part;
  }

  /** Forgets the beginning of a part. */
  #drop(run: Run): void {
    this.#inFlight -= run.bytes;
    run.bytes = 0;
    run.pieces = [];
  }

  async #keep(part: number, run: Run): Promise<void> {
    const { store } = this.#options;
    const blob = new Blob(run.pieces);
    await store.write(this.#folder, partName(part), blob);
    const kept = (await store.read(this.#folder, partName(part))) ?? blob;
    this.#drop(run);
    this.#add(part, kept);
  }

  /** Notices a file that is another one than when the download began. */
  #compare({ size, version, partial }: Range): void {
    const { digest, ...manifest } = this.#manifest;
    const otherVersion =
      !digest && manifest.version !== undefined && version !== undefined && version !== manifest.version;
    const otherSize =
      (partial || !digest) && manifest.size !== undefined && size !== undefined && size !== manifest.size;
    if (!otherVersion && !otherSize) return;
    throw new QwillError(
      "file-changed",
      `${this.#file.url} changed on the server while it was downloaded. Load the model again; it will be fetched anew.`,
    );
  }

  #report(): void {
    this.#options.onProgress?.(this.received, this.size);
  }
}
