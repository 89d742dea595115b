// Checksums as the hub lists them: SHA-256 of large files, git's name (a SHA-1) of small ones.

import { sha256 } from "@noble/hashes/sha2.js";

export interface Digest {
  kind: "sha256" | "git";
  /** Lower case. */
  hex: string;
}

const toHex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

/** SHA-256 of bytes that come piece by piece, which WebCrypto cannot do. */
async function sha256Of(pieces: AsyncIterable<Blob>): Promise<string> {
  const hash = sha256.create();
  for await (const piece of pieces) hash.update(new Uint8Array(await piece.arrayBuffer()));
  return toHex(hash.digest());
}

async function gitNameOf(pieces: AsyncIterable<Blob>): Promise<string> {
  const all: Blob[] = [];
  for await (const piece of pieces) all.push(piece);
  const { size } = new Blob(all);
  const named = await new Blob([`blob ${size}\0`, ...all]).arrayBuffer();
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-1", named)));
}

/** Digest of a file whose pieces come in order. */
export function digestOf(kind: Digest["kind"], pieces: AsyncIterable<Blob>): Promise<string> {
  return kind === "sha256" ? sha256Of(pieces) : gitNameOf(pieces);
}

/** A short name for a text, usable as the name of a folder. */
export function keyOf(text: string): string {
  return toHex(sha256(new TextEncoder().encode(text))).slice(0, 40);
}
