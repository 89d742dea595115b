// A server that misbehaves as real ones do, as far as `fetch` can tell.

import { createHash } from "node:crypto";
import { vi } from "vitest";

/** What happens to one request for bytes. */
export type Fault =
  /** The body ends with an error after so many bytes. */
  | { drop: number }
  /** The body ends after so many bytes, as if that were all. */
  | { truncate: number }
  | { status: number; retryAfter?: number }
  /** The connection is refused. */
  | "refuse"
  /** Nothing comes after the headers. */
  | "silence"
  | "ignore-range"
  | "wrong-byte"
  /** The file is another one from here on. */
  | "change";

export class FaultyServer {
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Taken from the front, one a GET. */
  faults: Fault[] = [];
  /** Whether it knows ranges, tells sizes, and shows versions. */
  ranges = true;
  sizes = true;
  version: string | undefined = '"1"';
  /** Answers everything like this. */
  down = false;
  /** Method, path and range of every request. */
  log: string[] = [];

  constructor() {
    vi.stubGlobal("fetch", (url: string, init?: RequestInit) => this.#answer(new URL(url), init));
  }

  /** An entry of a hub's listing. */
  entry(path: string, file: string) {
    const bytes = this.files.get(file) ?? new Uint8Array();
    const oid = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
    return { type: "file", path, size: bytes.length, oid, lfs: { oid: sha256(bytes), size: bytes.length } };
  }

  async #answer(url: URL, init: RequestInit = {}): Promise<Response> {
    const { method = "GET", signal } = init;
    const range = new Headers(init.headers).get("range") ?? "";
    this.log.push(`${method} ${url.pathname}${range && ` ${range}`}`);
    signal?.throwIfAborted();
    if (this.down) throw new TypeError("Failed to fetch");
    const bytes = this.files.get(url.pathname);
    if (!bytes) return new Response(null, { status: 404, statusText: "Not Found" });
    const headers = new Headers({ ...(this.version && { etag: this.version }) });
    if (method === "HEAD") {
      if (this.sizes) headers.set("content-length", String(bytes.length));
      return new Response(null, { headers });
    }
    const fault = this.faults.shift();
    if (fault === "refuse") throw new TypeError("Failed to fetch");
    if (fault === "change") {
      this.version = '"2"';
      headers.set("etag", this.version);
    }
    if (typeof fault === "object" && "status" in fault) {
      if (fault.retryAfter !== undefined) headers.set("retry-after", String(fault.retryAfter));
      return new Response(null, { status: fault.status, headers });
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const partial = first !== undefined && this.ranges && fault !== "ignore-range";
    const body = partial ? bytes.slice(Number(first), Number(last) + 1) : bytes.slice();
    if (partial) headers.set("content-range", `bytes ${first}-${last}/${bytes.length}`);
    if (this.sizes) headers.set("content-length", String(body.length));
    if (fault === "wrong-byte") body[body.length >> 1] = (body[body.length >> 1] ?? 0) ^ 1;
    const limit = typeof fault === "object" ? ("drop" in fault ? fault.drop : fault.truncate) : body.length;
    const step = Math.max(100, body.length >> 6);
    let sent = 0;
    const stream = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise((resolve) => setTimeout(resolve, 0));
        if (signal?.aborted) return controller.error(signal.reason);
        if (fault === "silence") return new Promise(() => {});
        const chunk = body.subarray(sent, Math.min(sent + step, limit));
        sent += chunk.length;
        if (chunk.length > 0) controller.enqueue(chunk);
        else if (typeof fault === "object" && "drop" in fault) controller.error(new TypeError("reset"));
        else controller.close();
      },
    });
    return new Response(stream, { status: partial ? 206 : 200, headers });
  }
}

export const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** Bytes that repeat nowhere near. */
export const noise = (length: number) =>
  new Uint8Array(length).map((_, i) => (Math.imul(i, 2_654_435_761) >>> 24) ^ (i & 255));
