// A file behind a URL of which parts are read where it is: for headers, which is all that a plan of memory needs.

import type { EngineFile } from "./engine.ts";
import { QwillError } from "./errors.ts";
import type { RemoteFile } from "./protocol.ts";
import { chunksOf, fetchFacts, fetchRange, insist, Passing, type RequestOptions } from "./ranges.ts";

/** Headers are read in small pieces, and a request takes as long as many of them. */
const READ_AHEAD = 256 << 10;

const SILENCE = 30_000;

/** Resolves when the size is known. */
export async function openRemote(file: RemoteFile, options: RequestOptions): Promise<EngineFile> {
  const { name, url } = file;
  const size = file.size ?? (await insist(() => fetchFacts(url, options))).size;
  if (size === undefined) {
    throw new QwillError(
      "network",
      `${url} does not say how large it is, so that no part of it can be read.`,
    );
  }
  let held = { start: 0, bytes: new Uint8Array() };
  return {
    name,
    size,
    async read(offset, length) {
      if (offset < held.start || offset + length > held.start + held.bytes.length) {
        const end = Math.min(size, offset + Math.max(length, READ_AHEAD));
        held = { start: offset, bytes: await insist(() => fetchBytes(url, offset, end, options)) };
      }
      return held.bytes.slice(offset - held.start, offset - held.start + length);
    },
  };
}

async function fetchBytes(
  url: string,
  start: number,
  end: number,
  options: RequestOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const range = await fetchRange(url, start, end, options);
  const bytes = new Uint8Array(end - start);
  // A server that knows no ranges begins at 0; what comes after the end is not waited for.
  let at = range.start;
  for await (const chunk of chunksOf(url, range.body, SILENCE, options.signal)) {
    const from = Math.max(start - at, 0);
    const piece = chunk.subarray(from, Math.max(end - at, 0));
    if (piece.length > 0) bytes.set(piece, at + from - start);
    at += chunk.length;
    if (at >= end) return bytes;
  }
  throw new Passing(new QwillError("network", `${url} broke off after ${at} bytes.`));
}
