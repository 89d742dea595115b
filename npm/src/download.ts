// A file behind a URL that can be read while it is still coming in, so that a model is uploaded to the GPU as it
// arrives and a wrong file is refused after its first kilobytes. What has arrived is kept in Blobs, which browsers
// hold outside the heap and on disk when they are large.

import type { EngineFile } from "./engine.ts";
import { aborted, QwillError, toQwillError } from "./errors.ts";

const PIECE = 8 << 20;

interface Waiter {
  until: number;
  resolve: () => void;
  reject: (error: QwillError) => void;
}

export interface DownloadOptions {
  signal: AbortSignal;
  /** Hears of every arrival; `total` is unknown for some servers. */
  onProgress?: (received: number, total: number | undefined) => void;
}

/** Resolves as soon as the size is known. */
export async function download(url: string, name: string, options: DownloadOptions): Promise<EngineFile> {
  const { signal } = options;
  let response: Response;
  try {
    response = await fetch(url, { signal });
  } catch (error) {
    if (signal.aborted) throw aborted(signal);
    const reason = "the network is down, or the server does not let this page read it (CORS)";
    throw new QwillError("network", `${url} could not be fetched: ${reason}.`, { cause: error });
  }
  if (!response.ok || !response.body) {
    throw new QwillError("network", `${url} answered ${`${response.status} ${response.statusText}`.trim()}.`);
  }
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    throw new QwillError(
      "network",
      `${url} answered with a web page instead of a file; is the address right?`,
    );
  }
  const encoded = response.headers.has("content-encoding");
  const length = response.headers.get("content-length");
  const total = length !== null && !encoded ? Number(length) : undefined;
  const file = new Incoming(url, total, options);
  const finished = file.receive(response.body);
  // A failure reaches the readers; nobody waits for the download itself unless its size is unknown.
  finished.catch(() => {});
  return { name, size: total ?? (await finished), read: (offset, count) => file.read(offset, count) };
}

class Incoming {
  readonly #url: string;
  readonly #total: number | undefined;
  readonly #options: DownloadOptions;
  #sealed: Blob[] = [];
  #fresh: Uint8Array<ArrayBuffer>[] = [];
  #freshBytes = 0;
  #received = 0;
  #finished = false;
  #failure: QwillError | undefined;
  #waiters: Waiter[] = [];

  constructor(url: string, total: number | undefined, options: DownloadOptions) {
    this.#url = url;
    this.#total = total;
    this.#options = options;
  }

  async receive(body: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<number> {
    const { signal, onProgress } = this.#options;
    try {
      for (const reader = body.getReader(); ; ) {
        const { done, value } = await reader.read();
        if (done) break;
        this.#fresh.push(value);
        this.#freshBytes += value.length;
        this.#received += value.length;
        if (this.#freshBytes >= PIECE) this.#seal();
        onProgress?.(this.#received, this.#total);
        this.#wake();
      }
      if (this.#total !== undefined && this.#received !== this.#total) {
        throw this.#broke(`after ${this.#received} of ${this.#total} bytes`);
      }
    } catch (error) {
      this.#failure = signal.aborted
        ? aborted(signal)
        : error instanceof QwillError
          ? error
          : this.#broke(`after ${this.#received} bytes (${toQwillError(error).message})`);
      this.#wake();
      throw this.#failure;
    }
    this.#finished = true;
    this.#seal();
    this.#wake();
    return this.#received;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const until = offset + length;
    if (this.#received < until && !this.#finished && !this.#failure) {
      await new Promise<void>((resolve, reject) => this.#waiters.push({ until, resolve, reject }));
    }
    if (this.#failure) throw this.#failure;
    this.#seal();
    const bytes = new Blob(this.#sealed).slice(offset, until);
    return new Uint8Array(await bytes.arrayBuffer());
  }

  #broke(where: string): QwillError {
    return new QwillError("network", `The download of ${this.#url} broke off ${where}. Try again.`);
  }

  #seal(): void {
    if (this.#freshBytes === 0) return;
    this.#sealed.push(new Blob(this.#fresh));
    this.#fresh = [];
    this.#freshBytes = 0;
  }

  #wake(): void {
    const failure = this.#failure;
    this.#waiters = this.#waiters.filter((waiter) => {
      if (failure) waiter.reject(failure);
      else if (this.#finished || this.#received >= waiter.until) waiter.resolve();
      else return true;
      return false;
    });
  }
}
