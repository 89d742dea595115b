// A hub of another origin that misbehaves as real servers do, one fault a request.

import { createHash } from "node:crypto";
import { createServer } from "node:http";

/**
 * What happens to one GET of a file:
 * `drop`: the connection is reset after so many bytes; `truncate`: a body without length ends after so many;
 * `status`; `silence`: nothing comes after the headers for a while; `ignoreRange`; `wrongByte`; `change`: the file
 * has another version from here on; `redirect`: to another address of the same file.
 * @typedef {{ drop?: number, truncate?: number, status?: number, silence?: boolean, ignoreRange?: boolean,
 *   wrongByte?: boolean, change?: boolean, redirect?: boolean }} Fault
 */

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Bytes that repeat nowhere near. */
export const noise = (length, seed = 1) => {
  const bytes = Buffer.alloc(length);
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
};

/** Serves `/api/models/OWNER/NAME/tree/main` and `/OWNER/NAME/resolve/main/PATH`. */
export async function serveFaulty() {
  /**
   * Path of each file, `/OWNER/NAME/resolve/main/PATH`, with its bytes, or with what makes them up.
   * @type {Map<string, Buffer | ReturnType<typeof import("./gguf.mjs").syntheticGguf>>}
   */
  const files = new Map();
  const state = {
    files,
    /** Taken from the front, one a GET of a file. @type {Fault[]} */
    faults: [],
    /** First byte of every GET of a file. @type {number[]} */
    log: [],
    version: 1,
    ranges: true,
    /** Whether every connection is reset. */
    down: false,
    /** Milliseconds between pieces of 16 KiB. */
    delay: 0,
  };

  const listing = (repo) => {
    const prefix = `/${repo}/resolve/main/`;
    const entries = [...files].filter(([path]) => path.startsWith(prefix));
    return entries.map(([path, bytes]) => {
      const oid = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
      const lfs = path.endsWith(".gguf") ? { lfs: { oid: sha256(bytes), size: bytes.length } } : {};
      return { type: "file", path: path.slice(prefix.length), size: bytes.length, oid, ...lfs };
    });
  };

  async function answer(request, response) {
    if (state.down) return response.destroy();
    const { pathname } = new URL(request.url, "http://localhost");
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader(
      "access-control-expose-headers",
      "ETag, Content-Range, Link, Retry-After, X-Repo-Commit",
    );
    response.setHeader("cache-control", "no-store");
    if (request.method === "OPTIONS") {
      response.writeHead(204, { "access-control-allow-headers": "range, authorization" });
      return response.end();
    }
    const [, repo] = /^\/api\/models\/([^/]+\/[^/]+)\/tree\//.exec(pathname) ?? [];
    if (repo) {
      const entries = listing(repo);
      if (entries.length === 0) return response.writeHead(404).end();
      return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(entries));
    }
    const bytes = files.get(pathname.replace(/^\/elsewhere/, ""));
    if (!bytes) return response.writeHead(404).end();
    const headers = { etag: `"${state.version}"`, "content-type": "application/octet-stream" };
    if (request.method === "HEAD") {
      return response.writeHead(200, { ...headers, "content-length": bytes.length }).end();
    }
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
    state.log.push(Number(first ?? 0));
    const fault = state.faults.shift() ?? {};
    if (fault.redirect) return response.writeHead(302, { location: `/elsewhere${pathname}` }).end();
    if (fault.status) return response.writeHead(fault.status, { "retry-after": "0" }).end();
    if (fault.change) {
      state.version += 1;
      headers.etag = `"${state.version}"`;
    }
    const partial = first !== undefined && state.ranges && !fault.ignoreRange;
    let body = Buffer.from(partial ? bytes.subarray(Number(first), Number(last) + 1) : bytes);
    if (fault.wrongByte) body[body.length >> 1] ^= 1;
    if (partial) headers["content-range"] = `bytes ${first}-${last}/${bytes.length}`;
    if (fault.truncate === undefined) headers["content-length"] = String(body.length);
    response.writeHead(partial ? 206 : 200, headers).flushHeaders();
    if (fault.silence) return setTimeout(() => response.destroy(), 2000).unref();
    body = body.subarray(0, fault.drop ?? fault.truncate ?? body.length);
    for (let sent = 0; sent < body.length && !response.destroyed; sent += 16 << 10) {
      response.write(body.subarray(sent, sent + (16 << 10)));
      if (state.delay > 0) await new Promise((resolve) => setTimeout(resolve, state.delay));
    }
    if (fault.drop === undefined) return response.end();
    // what was written should arrive before the connection goes
    await new Promise((resolve) => setTimeout(resolve, 20));
    response.destroy();
  }

  const server = createServer((request, response) => {
    Promise.resolve(answer(request, response)).catch((error) => response.destroy(error));
  });
  const listen = (port) =>
    new Promise((resolve) => server.listen(port, "127.0.0.1", () => resolve(undefined)));
  await listen(0);
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve(undefined));
    });
  return Object.assign(state, { url: `http://127.0.0.1:${port}`, close });
}
