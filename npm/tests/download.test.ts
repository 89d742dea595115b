import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { download } from "../src/download.ts";

let close = () => {};
afterEach(() => close());

async function serveWith(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/m.gguf`;
}

const signal = new AbortController().signal;
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

test("can be read while it comes in", async () => {
  let sendRest = () => {};
  const url = await serveWith((response) => {
    response.writeHead(200, { "content-length": 10 }).write("01234");
    sendRest = () => response.end("56789");
  });
  const progress: [number, number | undefined][] = [];
  const file = await download(url, "m.gguf", { signal, onProgress: (...p) => progress.push(p) });
  expect(file).toMatchObject({ name: "m.gguf", size: 10 });
  expect(text(await file.read(1, 3))).toBe("123");
  const later = file.read(3, 5);
  sendRest();
  expect(text(await later)).toBe("34567");
  expect(text(await file.read(0, 10))).toBe("0123456789");
  expect(progress.at(-1)).toEqual([10, 10]);
});

test("waits for the end when the size is unknown", async () => {
  const url = await serveWith((response) => {
    response.writeHead(200).write("0123");
    response.end("456");
  });
  const file = await download(url, "m.gguf", { signal });
  expect(file.size).toBe(7);
  expect(text(await file.read(2, 4))).toBe("2345");
});

test("is kept in pieces", async () => {
  const bytes = new Uint8Array((9 << 20) + 3).map((_, i) => i % 251);
  const url = await serveWith((response) =>
    response.writeHead(200, { "content-length": bytes.length }).end(bytes),
  );
  const file = await download(url, "m.gguf", { signal });
  const offset = (8 << 20) - 70_000;
  const read = await file.read(offset, 140_000);
  expect(Buffer.compare(read, bytes.subarray(offset, offset + 140_000))).toBe(0);
});

test("a refused address, a web page, a dead server", async () => {
  let url = await serveWith((response) => response.writeHead(404).end());
  await expect(download(url, "m.gguf", { signal })).rejects.toThrow(/m\.gguf answered 404 Not Found/);
  close();
  await expect(download(url, "m.gguf", { signal })).rejects.toMatchObject({ code: "network" });
  url = await serveWith((response) => response.writeHead(200, { "content-type": "text/html" }).end("<html>"));
  await expect(download(url, "m.gguf", { signal })).rejects.toThrow(/a web page instead of a file/);
});

test("a download that breaks off fails its readers", async () => {
  const url = await serveWith((response) => {
    response.writeHead(200, { "content-length": 10 }).write("01234");
    setTimeout(() => response.destroy(), 20);
  });
  const file = await download(url, "m.gguf", { signal });
  await expect(file.read(0, 10)).rejects.toThrow(/broke off after 5 bytes/);
  await expect(file.read(0, 2)).rejects.toMatchObject({ code: "network" });
});

test("an aborted download fails its readers", async () => {
  const url = await serveWith((response) => response.writeHead(200, { "content-length": 10 }).write("01234"));
  const controller = new AbortController();
  const file = await download(url, "m.gguf", { signal: controller.signal });
  const read = file.read(0, 10);
  controller.abort();
  await expect(read).rejects.toMatchObject({ code: "aborted" });
});
