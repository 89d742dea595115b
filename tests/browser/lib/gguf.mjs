// GGUF files of any size that lie nowhere: a header, and small numbers made up when they are read.

import { noise } from "./faulty.mjs";

const ALIGNMENT = 32;
const F32 = { id: 0, rowBytes: (columns) => 4 * columns };
const Q8_0 = { id: 8, rowBytes: (columns) => (columns / 32) * 34 };

const PATTERN_BYTES = 1 << 20;
/** No float or scale among these has a large exponent. */
const PATTERN = noise(PATTERN_BYTES).map((byte) => byte & 0x3b);

const u32 = (n) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n);
  return bytes;
};
const u64 = (n) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
};
const f32 = (x) => {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(x);
  return bytes;
};
const text = (string) => Buffer.concat([u64(Buffer.byteLength(string)), Buffer.from(string)]);

const TEXT = (value) => [u32(8), text(value)];
const COUNT = (value) => [u32(4), u32(value)];
const FLOAT = (value) => [u32(6), f32(value)];

/**
 * What tests vary of a Qwen3; with experts it is a mixture of two in every layer.
 * @typedef {{ layers: number, hidden?: number, inner?: number, vocab?: number, context?: number, experts?: boolean }} Shape
 */

/** @param {Shape} shape */
function metadataOf({ layers, hidden, inner, context, experts }) {
  const architecture = experts ? "qwen3moe" : "qwen3";
  const counts = {
    embedding_length: hidden,
    block_count: layers,
    context_length: context,
    feed_forward_length: inner,
    "attention.head_count": 16,
    "attention.head_count_kv": 8,
    "attention.key_length": 128,
    ...(experts && { expert_count: 2, expert_used_count: 1, expert_feed_forward_length: inner }),
  };
  return [
    ["general.architecture", TEXT(architecture)],
    ...Object.entries(counts).map(([key, n]) => [`${architecture}.${key}`, COUNT(n)]),
    [`${architecture}.attention.layer_norm_rms_epsilon`, FLOAT(1e-6)],
    [`${architecture}.rope.freq_base`, FLOAT(1e6)],
  ];
}

/** Names of tensors with their sizes, columns first. @param {Shape} shape */
function tensorsOf({ layers, hidden, inner, vocab, experts }) {
  const feedForward = experts
    ? {
        ffn_gate_inp: [hidden, 2],
        ffn_gate_exps: [hidden, inner, 2],
        ffn_up_exps: [hidden, inner, 2],
        ffn_down_exps: [inner, hidden, 2],
      }
    : { ffn_gate: [hidden, inner], ffn_up: [hidden, inner], ffn_down: [inner, hidden] };
  const layer = {
    attn_norm: [hidden],
    attn_q: [hidden, 2048],
    attn_k: [hidden, 1024],
    attn_v: [hidden, 1024],
    attn_q_norm: [128],
    attn_k_norm: [128],
    attn_output: [2048, hidden],
    ffn_norm: [hidden],
    ...feedForward,
  };
  const named = { token_embd: [hidden, vocab], output_norm: [hidden] };
  for (let i = 0; i < layers; i++) {
    for (const [name, size] of Object.entries(layer)) named[`blk.${i}.${name}`] = size;
  }
  return Object.entries(named).map(([name, size]) => ({ name: `${name}.weight`, size }));
}

/**
 * A Qwen3 with such weights, without a tokenizer. It has of a Buffer what a server needs.
 * @param {Shape} given
 */
export function syntheticGguf(given) {
  const shape = { hidden: 1024, inner: 3072, vocab: 16_384, context: 4096, ...given };
  const metadata = metadataOf(shape);
  const tensors = tensorsOf(shape);
  const parts = [Buffer.from("GGUF"), u32(3), u64(tensors.length), u64(metadata.length)];
  for (const [key, value] of metadata) parts.push(text(key), ...value);
  let offset = 0;
  for (const { name, size } of tensors) {
    const [columns, ...others] = size;
    const format = others.length === 0 ? F32 : Q8_0;
    parts.push(text(name), u32(size.length), ...size.map(u64), u32(format.id), u64(offset));
    const bytes = format.rowBytes(columns) * others.reduce((product, n) => product * n, 1);
    offset += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
  }
  const headerBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const header = Buffer.concat([...parts, Buffer.alloc(-headerBytes & (ALIGNMENT - 1))]);
  const length = header.length + offset;
  return {
    length,
    subarray(start = 0, end = length) {
      const bytes = Buffer.alloc(Math.min(end, length) - start);
      const n = header.copy(bytes, 0, Math.min(start, header.length));
      for (let at = n; at < bytes.length; ) {
        at += PATTERN.copy(bytes, at, (start + at) % PATTERN_BYTES);
      }
      return bytes;
    },
  };
}
