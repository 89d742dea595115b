import { isGiven } from "./checks.ts";
import { connect, type WorkerOption } from "./connect.ts";
import type { EngineLoadOptions } from "./engine.ts";
import { aborted, type QwillError } from "./errors.ts";
import { checkFields } from "./fields.ts";
import { Model } from "./model.ts";
import { LOAD } from "./option-fields.ts";
import type { LoadArgs, LoadProgress, Protocol, SourceRef } from "./protocol.ts";
import { Client } from "./rpc.ts";
import { type HubOptions, type ModelSource, resolveToLoad, type StorageOptions } from "./source.ts";
import { requireWebGpu } from "./webgpu.ts";

/** A number format that float weights are converted to. */
export type WeightFormat =
  | ("f32" | "f16" | "bf16" | "q8_0" | "q6_k" | "q5_k" | "q5_1" | "q5_0")
  | ("q4_k" | "q4_1" | "q4_0" | "iq4_nl" | "iq4_xs" | "mxfp4" | "q3_k" | "q2_k");

/** YaRN to so many times the length that the model was trained for, a base that grows with the text, or neither. */
export type RopeScaling = `yarn:${number}` | "dynamic" | "none";

export interface LoadOptions extends HubOptions, StorageOptions {
  onProgress?: (progress: LoadProgress) => void;
  /** Abandons the load, downloads included; it rejects with code `"aborted"`. */
  signal?: AbortSignal;
  /** Tokens that prompt and reply may have together. Default: what the model was trained for, or what fits. */
  contextLength?: number;
  /** Requests that run at a time; others wait. Each takes a little of the GPU's memory. Default: 8. */
  maxSequences?: number;
  /** Tokens that the cache holds of all requests together. Default: as many as one context has. */
  cacheTokens?: number;
  /**
   * Hears of a lost GPU, and why it was lost. The model is loaded again from the same files; requests wait for that and
   * then go on. If that fails, they reject and `model.lost` resolves.
   */
  onRebuild?: (reason: string) => void;
  /**
   * Where the model computes. `"auto"`: in a worker, so that the page stays smooth. `"inline"`: in the page. Or a
   * module worker of yours whose script imports this package's `worker.js`.
   */
  worker?: WorkerOption;
  /** Where `qwill_wasm_bg.wasm` lies, if not beside this package. */
  wasmUrl?: string | URL;
  /** Where `qwill_grammar_wasm_bg.wasm` lies, if not beside this package; it is fetched when a reply must first have a form. */
  grammarUrl?: string | URL;
  /**
   * Convert weights that the files hold as floats while they are loaded, to take less of the GPU's memory. What is
   * quantised already stays as it is. Default: nothing is converted.
   */
  quantize?: WeightFormat;
  /** How positions are scaled, for contexts beyond the model's own. Default: as its configuration says. */
  ropeScaling?: RopeScaling;
  /** Format of the KV cache: `"f16"` if you leave it out; `"q8"` takes little more than half of its memory. */
  kvType?: "f32" | "f16" | "q8";
  /** Tokens of a prefill step. */
  prefillChunk?: number;
  /** Compute as exactly as the device allows instead of as fast: for tests and research. */
  exact?: boolean;
  /**
   * Try kernels on the GPU before the model uses them, once for each GPU and version of the browser: one that its driver
   * gets wrong is replaced. `true` if you leave it out.
   */
  selfTest?: boolean;
  /** Capabilities of the GPU to leave unused, e.g. `"no-subgroups,no-f16,max-binding=128MiB"`: for tests. */
  caps?: string;
}

/** Loads a model onto the GPU. See the README for what `source` may be. */
export async function load(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
  checkFields(options, LOAD);
  const { signal, onProgress, onRebuild } = options;
  if (signal?.aborted) throw aborted(signal);
  const resolved = await resolveToLoad(source, options);
  requireWebGpu();
  const connection = await connect(options.worker ?? "auto");
  let reportLoss: (error: QwillError) => void = () => {};
  const lost = new Promise<QwillError>((resolve) => {
    reportLoss = resolve;
  });
  const die = (error: QwillError) => {
    client.close(error);
    reportLoss(error);
  };
  const client = new Client<Protocol>(connection.port, die);
  connection.onDeath(die);
  // It ends with the model.
  if (onRebuild) client.call("rebuilds", undefined, { onEvent: onRebuild }).catch(() => {});
  try {
    const info = await client.call("load", loadArgs(resolved, options), {
      signal,
      ...(onProgress && { onEvent: onProgress }),
    });
    return new Model(client, connection, info, lost);
  } catch (error) {
    connection.close();
    throw error;
  }
}

/** What the worker is told of a load, or of a plan for one. */
export function loadArgs(source: SourceRef, options: LoadOptions): LoadArgs {
  const { wasmUrl, grammarUrl, token } = options;
  return {
    source,
    options: engineOptions(options),
    wasmUrl: isGiven(wasmUrl) ? absolute(wasmUrl) : undefined,
    grammarUrl: isGiven(grammarUrl) ? absolute(grammarUrl) : undefined,
    token,
  };
}

function absolute(url: string | URL): string {
  return new URL(url, location.href).href;
}

function engineOptions(options: LoadOptions): EngineLoadOptions {
  const { contextLength, maxSequences, cacheTokens, prefillChunk } = options;
  const { quantize, ropeScaling, kvType, exact, selfTest, caps } = options;
  return {
    ...(isGiven(contextLength) && { context_length: contextLength }),
    ...(isGiven(maxSequences) && { max_sequences: maxSequences }),
    ...(isGiven(cacheTokens) && { cache_tokens: cacheTokens }),
    ...(isGiven(prefillChunk) && { prefill_chunk: prefillChunk }),
    ...(isGiven(quantize) && { quantize }),
    ...(isGiven(ropeScaling) && { rope_scaling: ropeScaling }),
    ...(isGiven(kvType) && { kv_type: kvType }),
    ...(isGiven(exact) && { exact }),
    ...(selfTest === false && { self_test: "off" as const }),
    ...(isGiven(caps) && { caps }),
  };
}
