// The fields of options beside requests, and what each may hold.

import { abortSignal, address, type Check, callback, count, flag, oneOf, text, wrong } from "./checks.ts";
import type { Fields } from "./fields.ts";

/** Of every call that can be ended. */
export const CALL: Fields = { signal: abortSignal };

const FETCHING: Fields = {
  ...CALL,
  onProgress: callback,
  revision: text,
  token: text,
  endpoint: address,
};

/** Of `downloads.add`. */
export const DOWNLOAD = FETCHING;

const KEEPING: Fields = { ...FETCHING, storage: oneOf("keep", "none") };

/** Of `model.adapters.load`. */
export const ADAPTER: Fields = { ...KEEPING, name: text };

/** Of a worker only what is used counts: tests and frames have others than the browser's class. */
const worker: Check = (name, value) => {
  if (value === "auto" || value === "inline") return value;
  if (typeof (value as Worker).postMessage === "function") return value;
  throw wrong(name, '"auto", "inline" or a Worker', value);
};

/** Of `load`, and of `plan`, which says what it would come to. */
export const LOAD: Fields = {
  ...KEEPING,
  contextLength: count,
  maxSequences: count,
  cacheTokens: count,
  onRebuild: callback,
  worker,
  wasmUrl: address,
  grammarUrl: address,
  quantize: text,
  ropeScaling: text,
  kvType: oneOf("f32", "f16", "q8"),
  prefillChunk: count,
  exact: flag,
  selfTest: flag,
  caps: text,
};
