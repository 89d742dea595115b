// What the reference implementation gave, and how far something is from it.

/** `NAME.json`, and the float32 tensors of `NAME.safetensors` by name. */
export function fetchExpected(name) {
  return Promise.all([
    fetch(`${name}.json`).then((response) => response.json()),
    fetch(`${name}.safetensors`).then(async (response) => parseSafetensors(await response.arrayBuffer())),
  ]);
}

/** Infinite where the lengths differ or something is no number. */
export function largestDifference(got, want) {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
    largest = Math.max(largest, difference);
  }
  return largest;
}

function parseSafetensors(buffer) {
  const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)));
  const tensors = new Map();
  for (const [name, { dtype, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__" || dtype !== "F32") continue;
    const [start, end] = offsets;
    tensors.set(name, new Float32Array(buffer.slice(8 + headerLength + start, 8 + headerLength + end)));
  }
  return tensors;
}
