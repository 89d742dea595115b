// One request for a part of a file behind a URL, and what servers make of it.

import { aborted, QwillError } from "./errors.ts";

/** A failure that another request may mend. */
export class Passing extends Error {
  readonly error: QwillError;
  /** Milliseconds that the server asks us to wait. */
  readonly wait: number | undefined;
  /** Whether there was a server at all. */
  readonly reached: boolean;

  constructor(error: QwillError, { wait, reached = true }: { wait?: number; reached?: boolean } = {}) {
    super(error.message);
    this.error = error;
    this.wait = wait;
    this.reached = reached;
  }
}

const PATIENCE = 30_000;

export interface RequestOptions {
  signal: AbortSignal;
  /** A user's token; browsers take it off when a redirect leads to another site. */
  token?: string | undefined;
  /** Milliseconds that an answer may take to begin. */
  patience?: number;
}

const ATTEMPTS = 3;

/** Does something small again if it fails in passing. */
export async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      // Without network there is nothing to wait for.
      if (attempt === ATTEMPTS || globalThis.navigator?.onLine === false) throw error.error;
      await new Promise((resolve) => setTimeout(resolve, Math.min(error.wait ?? 250 * attempt, PATIENCE)));
    }
  }
}

/** What a server says about a file without sending it. */
export interface Facts {
  /** Bytes; unknown for servers that compress on the fly or do not say. */
  size: number | undefined;
  /** Changes with the file; not every server lets a page see one. */
  version: string | undefined;
}

/** The answer to a request for a range. */
export interface Range extends Facts {
  /** Offset of the body's first byte: 0 if the server knows no ranges. */
  start: number;
  /** Whether the server sends ranges. */
  partial: boolean;
  body: ReadableStream<Uint8Array<ArrayBuffer>>;
}

const network = (url: string, what: string, cause?: unknown) =>
  new QwillError("network", `${url} ${what}.`, { cause });

async function request(url: string, method: string, range: string | undefined, options: RequestOptions) {
  const { signal, token, patience = PATIENCE } = options;
  const headers = {
    ...(range !== undefined && { range }),
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
  };
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), patience);
  try {
    return await fetch(url, {
      method,
      headers,
      signal: AbortSignal.any([signal, silent.signal]),
      // A cached piece of an old file must not be mixed with pieces of a new one.
      ...(range !== undefined && { cache: "no-store" }),
    });
  } catch (error) {
    if (signal.aborted) throw aborted(signal);
    if (silent.signal.aborted) throw new Passing(network(url, "did not answer", error), { reached: false });
    const reason = "the network is down, or the server does not let this page read it (CORS)";
    throw new Passing(network(url, `could not be fetched: ${reason}`, error), { reached: false });
  } finally {
    clearTimeout(timer);
  }
}

/** The error that a status means, if it is one. */
function refusal(url: string, response: Response): QwillError | Passing | undefined {
  const { status } = response;
  const answered = `${url} answered ${`${status} ${response.statusText}`.trim()}`;
  if (status === 401 || status === 403) {
    const advice = "it may be private or gated: accept its terms on the hub and pass a token";
    return new QwillError("unauthorized", `${answered}; ${advice}.`);
  }
  if (status === 404 || status === 410) return new QwillError("not-found", `${answered}.`);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
    const wait = seconds >= 0 ? { wait: seconds * 1000 } : {};
    return new Passing(new QwillError("network", `${answered}.`), wait);
  }
  if (status === 416) return new QwillError("file-changed", `${answered}: the file is shorter than it was.`);
  if (status >= 400) return new QwillError("network", `${answered}.`);
  if (response.headers.get("content-type")?.startsWith("text/html")) {
    return network(url, "answered with a web page instead of a file; is the address right?");
  }
  return undefined;
}

function factsOf({ headers }: Response): Facts {
  const length = headers.get("content-length");
  return {
    size: length !== null && !headers.has("content-encoding") ? Number(length) : undefined,
    // servers that compress mark the same version as weak
    version: headers.get("etag")?.replace(/^W\//, "") ?? headers.get("last-modified") ?? undefined,
  };
}

/** Any small answer, as text. */
export async function fetchText(url: string, options: RequestOptions): Promise<[string, Headers]> {
  const response = await request(url, "GET", undefined, options);
  const error = refusal(url, response);
  if (error) throw error;
  try {
    return [await response.text(), response.headers];
  } catch (cause) {
    throw options.signal.aborted ? aborted(options.signal) : new Passing(network(url, "broke off", cause));
  }
}

/** Asks what there is. Servers that do not understand the question are no failure. */
export async function fetchFacts(url: string, options: RequestOptions): Promise<Facts> {
  const response = await request(url, "HEAD", undefined, options);
  if ([400, 405, 501].includes(response.status)) return { size: undefined, version: undefined };
  const error = refusal(url, response);
  if (error) throw error;
  return factsOf(response);
}

/** Asks for bytes `start` to `end`, `end` excluded; for everything if there is no `end`. */
export async function fetchRange(
  url: string,
  start: number,
  end: number | undefined,
  options: RequestOptions,
): Promise<Range> {
  const response = await request(
    url,
    "GET",
    end === undefined ? undefined : `bytes=${start}-${end - 1}`,
    options,
  );
  const error = refusal(url, response);
  if (error) {
    response.body?.cancel().catch(() => {});
    throw error;
  }
  const body = response.body;
  if (!body) throw new Passing(network(url, "answered without a body"));
  const facts = factsOf(response);
  if (response.status !== 206) return { ...facts, start: 0, partial: false, body };
  // Servers of other sites often hide this header; then the length of the body has to do.
  const range = /^bytes (\d+)-\d+\/(\d+|\*)/.exec(response.headers.get("content-range") ?? "");
  if (range && Number(range[1]) !== start) {
    body.cancel().catch(() => {});
    throw new Passing(network(url, `sent bytes from ${range[1]} when asked for those from ${start}`));
  }
  return { size: Number(range?.[2]) || undefined, version: facts.version, start, partial: true, body };
}

/** The chunks of a body, which may not fall silent for `silence` milliseconds. */
export async function* chunksOf(
  url: string,
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  silence: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      const silent = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`nothing came for ${silence / 1000} s`)), silence);
      });
      const { done, value } = await Promise.race([reader.read(), silent]);
      clearTimeout(timer);
      if (done) return;
      yield value;
    }
  } catch (error) {
    if (signal.aborted) throw aborted(signal);
    throw new Passing(network(url, `broke off (${(error as Error).message})`, error));
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}
