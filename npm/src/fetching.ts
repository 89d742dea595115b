// Brings the missing parts of a file: parallel requests for ranges, again and again as long as they bring something.

import { aborted, QwillError } from "./errors.ts";
import type { Manifest, Parts } from "./parts.ts";
import { refusePointer } from "./pointer.ts";
import type { RemoteFile } from "./protocol.ts";
import {
  chunksOf,
  type Facts,
  fetchFacts,
  fetchRange,
  Passing,
  type Range,
  type RequestOptions,
} from "./ranges.ts";

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

/** What comes in place of a file and is smaller than this is looked at. */
const LARGEST_ODDITY = 4096;

/** Servers send these compressed, and of other sites a page does not get to see that: their length says nothing. */
const COMPRESSIBLE = /\.(json|txt|jinja|tiktoken)$/i;

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

/** What the server has now; what we have, if the server cannot be asked and we have everything. */
export async function currentFacts(
  file: RemoteFile,
  old: Manifest | undefined,
  options: RequestOptions,
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

export interface FetchingOptions {
  token?: string | undefined;
  /** Hears of every arrival; bytes kept from earlier count. */
  onProgress?: (received: number, total: number | undefined) => void;
  tuning: Tuning;
}

/** The requests for one file. A failure of theirs ends its parts. */
export class Fetching {
  readonly #url: string;
  readonly #parts: Parts;
  readonly #options: FetchingOptions;
  readonly #claimed = new Set<number>();
  #workers: Promise<void>[] = [];
  #inFlight = 0;

  constructor(url: string, parts: Parts, options: FetchingOptions) {
    this.#url = url;
    this.#parts = parts;
    this.#options = options;
  }

  /** Bytes that are there, those on their way into a part included. */
  get received(): number {
    return this.#parts.kept + this.#inFlight;
  }

  /** Brings all that is missing. */
  async run(): Promise<void> {
    this.#work();
    for (let seen = 0; seen < this.#workers.length; ) {
      const workers = this.#workers;
      seen = workers.length;
      await Promise.all(workers);
    }
  }

  /** Starts one more sequence of requests. */
  #work(): void {
    const work = async () => {
      for (let run = this.#claim(); run && !this.#parts.failure; run = this.#claim()) await this.#bring(run);
    };
    const failed = (error: unknown) => {
      this.#parts.fail(error instanceof Passing ? error.error : error);
      throw this.#parts.failure;
    };
    this.#workers = [...this.#workers, work().catch(failed)];
    this.#workers.at(-1)?.catch(() => {});
  }

  /** The next parts to bring: those that a reader waits for, else the first that are missing. */
  #claim(): Run | undefined {
    const parts = this.#parts;
    const isFree = (part: number) => part < parts.count && !parts.has(part) && !this.#claimed.has(part);
    if (parts.size === undefined) return isFree(0) ? this.#claimRun(0, isFree, 1) : undefined;
    let from = parts.awaited.find(isFree) ?? 0;
    while (from < parts.count && !isFree(from)) from++;
    return from < parts.count ? this.#claimRun(from, isFree, this.#options.tuning.runParts) : undefined;
  }

  #claimRun(from: number, isFree: (part: number) => boolean, most: number): Run {
    let to = from;
    while (to - from < most && isFree(to)) this.#claimed.add(to++);
    return { from, to, pieces: [], bytes: 0 };
  }

  async #bring(run: Run): Promise<void> {
    const parts = this.#parts;
    const { retryDelay, attempts } = this.#options.tuning;
    let reached = parts.kept > 0;
    let before = this.received;
    for (let inVain = 0; ; ) {
      while (run.from < run.to && parts.has(run.from)) run.from++;
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
          const kept = `${parts.kept} of ${parts.size ?? "unknown"} bytes are kept; try again to go on from there`;
          throw new QwillError("network", `${message} ${kept}.`, { cause: error.error });
        }
        const delay = Math.min(error.wait ?? retryDelay * 2 ** inVain, LONGEST_DELAY);
        await sleep(delay, parts.failed);
      }
    }
  }

  /** One request: cuts what comes into parts and keeps those that were missing. */
  async #stream(run: Run): Promise<void> {
    const parts = this.#parts;
    const url = this.#url;
    const { partBytes } = parts.manifest;
    const { tuning, token } = this.#options;
    const signal = parts.failed;
    const begin = run.from * partBytes + run.bytes;
    const end = parts.size === undefined ? undefined : Math.min(run.to * partBytes, parts.size);
    const isAll = begin === 0 && end === parts.size;
    const range = await fetchRange(url, begin, isAll ? undefined : end, {
      signal,
      token,
      patience: tuning.silence,
    });
    await this.#compare(range);
    const alone = this.#workers.length === 1;
    if (range.partial && alone) {
      for (let i = 1; i < tuning.parallel; i++) this.#work();
    } else if (alone) {
      // A server that sends everything anyway may as well be listened to until the end.
      if (parts.firstMissing < run.from) this.#drop(run);
      run.from = parts.firstMissing;
      run.to = parts.count;
      for (let part = 0; part < run.to && parts.size !== undefined; part++) this.#claimed.add(part);
    }
    const limit = Math.min(run.to * partBytes, parts.size ?? Number.POSITIVE_INFINITY);
    let offset = range.start;
    for await (const chunk of chunksOf(url, range.body, tuning.silence, signal)) {
      for (let rest = chunk; rest.length > 0 && offset < limit; ) {
        const part = Math.floor(offset / partBytes);
        const isWanted = part >= run.from && !parts.has(part);
        const within = offset - part * partBytes;
        // What an earlier request brought of this part is passed over, as are whole parts.
        const isNew = isWanted && within >= run.bytes;
        const length = parts.lengthOf(part);
        const piece = rest.subarray(0, (isWanted && !isNew ? run.bytes : length) - within);
        rest = rest.subarray(piece.length);
        offset += piece.length;
        if (!isNew) continue;
        run.pieces.push(piece);
        run.bytes += piece.length;
        this.#inFlight += piece.length;
        if (run.bytes === length) await this.#keep(part, run);
        this.#options.onProgress?.(this.received, parts.size);
      }
      if (offset >= limit) return;
    }
    if (parts.size !== undefined) {
      if (run.from === 0) await refusePointer(url, new Blob(run.pieces));
      throw new Passing(new QwillError("network", `${url} broke off after ${offset} bytes.`));
    }
    parts.end(offset);
    run.to = parts.count;
    if (run.bytes > 0) await this.#keep(run.to - 1, run);
    await parts.writeManifest();
  }

  /** Forgets the beginning of a part. */
  #drop(run: Run): void {
    this.#inFlight -= run.bytes;
    run.bytes = 0;
    run.pieces = [];
  }

  async #keep(part: number, run: Run): Promise<void> {
    const kept = await this.#parts.write(part, new Blob(run.pieces));
    this.#drop(run);
    this.#parts.add(part, kept);
  }

  /** Notices a file that is another one than when the download began. */
  async #compare({ size, version, partial, start, body }: Range): Promise<void> {
    const { digest, ...known } = this.#parts.manifest;
    const otherVersion =
      !digest && known.version !== undefined && version !== undefined && version !== known.version;
    const otherSize =
      (partial || !digest) && known.size !== undefined && size !== undefined && size !== known.size;
    if (!otherVersion && !otherSize) return;
    if (start === 0 && size !== undefined && size < LARGEST_ODDITY) {
      await refusePointer(this.#url, await new Response(body).blob());
    }
    throw new QwillError(
      "file-changed",
      `${this.#url} changed on the server while it was downloaded. Load the model again; it will be fetched anew.`,
    );
  }
}
