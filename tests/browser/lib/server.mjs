// A static file server for the tests: several folders mounted under URL prefixes, nothing cached.
// `/slow/…` serves the same tree in small delayed pieces, so that a download can be aborted half way.

import { createReadStream, promises as fs } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = {
  ".css": "text/css",
  ".gguf": "application/octet-stream",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/**
 * @param {Record<string, string>} mounts URL prefix → folder
 * @returns {Promise<{ url: string, requests: string[], close: () => Promise<void> }>} with the paths that were asked for
 */
export async function serve(mounts) {
  const prefixes = Object.keys(mounts).sort((a, b) => b.length - a.length);
  const requests = [];
  const server = createServer(async (request, response) => {
    try {
      let pathname = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
      requests.push(pathname);
      const slow = pathname.startsWith("/slow/");
      if (slow) pathname = pathname.slice("/slow".length);
      if (pathname === "/favicon.ico") return void response.writeHead(204).end();
      const prefix = prefixes.find((candidate) => pathname.startsWith(candidate));
      const folder = prefix && mounts[prefix];
      if (!prefix || !folder) return void response.writeHead(404).end("not found");
      const file = path.join(folder, path.normalize(`/${pathname.slice(prefix.length)}`));
      const stat = await fs.stat(file).catch(() => undefined);
      if (!stat?.isFile()) return void response.writeHead(404).end("not found");
      const headers = {
        "content-type": TYPES[path.extname(file)] ?? "application/octet-stream",
        "content-length": stat.size,
        "cache-control": "no-store",
        "access-control-allow-origin": "*",
      };
      if (request.method === "HEAD") return void response.writeHead(200, headers).end();
      response.writeHead(200, headers);
      if (!slow) return void createReadStream(file).pipe(response);
      for await (const piece of createReadStream(file, { highWaterMark: 16 << 10 })) {
        if (response.destroyed) return;
        response.write(piece);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      response.end();
    } catch (error) {
      response.writeHead(500).end(String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
