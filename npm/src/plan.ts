// What a model would take on this device, and whether it fits: known before anything is downloaded.

import { connect } from "./connect.ts";
import type { EngineMemory } from "./engine.ts";
import { aborted, type QwillError } from "./errors.ts";
import { checkFields } from "./fields.ts";
import { type LoadOptions, loadArgs } from "./load.ts";
import { LOAD } from "./option-fields.ts";
import type { PlanResult, Protocol } from "./protocol.ts";
import { Client } from "./rpc.ts";
import { type ModelSource, resolveSource } from "./source.ts";
import { requireWebGpu } from "./webgpu.ts";

/** Those of `load` that have a bearing on memory or on where the model is. */
export type PlanOptions = Omit<LoadOptions, "onProgress" | "onRebuild" | "storage">;

/** Bytes on the GPU, by what they are for, and whether they fit. */
export interface MemoryPlan {
  /** Tokens that this is for: those asked for, else the most up to 8192 that fit. */
  contextLength: number;
  /** Format of the KV cache. */
  kvType: "f32" | "f16" | "q8";
  weightsBytes: number;
  cacheBytes: number;
  /** Activations of a prefill step; `expertBytes` are those inside mixtures of experts. */
  activationBytes: number;
  expertBytes: number;
  /** Logits, and what they are made from. */
  outputBytes: number;
  /** What the processor writes for each step, angles of positions among it, and parameters of kernels. */
  steeringBytes: number;
  totalBytes: number;
  /**
   * - `"fits"`;
   * - `"unsure"`: it takes more than the browser says is there, so that only trying tells;
   * - `"with-context"`: not with the context asked for, but with `fittingContextLength`;
   * - `"with-f16-cache"`: not with an f32 cache, but with an f16 one;
   * - `"with-q8-cache"`: not with the cache asked for, but with a q8 one, or with `fittingContextLength` if that is there;
   * - `"does-not-fit"`: not with any context.
   */
  fit: "fits" | "unsure" | "with-context" | "with-f16-cache" | "with-q8-cache" | "does-not-fit";
  fittingContextLength?: number;
  /** What stands in the way, in words. */
  obstacle?: string;
}

export interface ModelPlan {
  name: string;
  /** As the checkpoint names it, e.g. `qwen3`. */
  architecture: string;
  parameters: number;
  /** Tokens that the model was made for. */
  modelContextLength: number;
  /** Bytes that a load has yet to download; files whose server does not say how large they are do not count. */
  downloadBytes: number;
  /** The GPU, in the browser's words. */
  gpu: string;
  /** Bytes of the largest buffer, and of what a kernel sees of one. */
  maxBufferBytes: number;
  maxBindingBytes: number;
  memory: MemoryPlan;
}

/** Says what a model would take and whether it fits, from the headers of its files. Downloads and keeps no weights. */
export async function plan(source: ModelSource, options: PlanOptions = {}): Promise<ModelPlan> {
  checkFields(options, LOAD);
  const { signal } = options;
  if (signal?.aborted) throw aborted(signal);
  const resolved = await resolveSource(source, options);
  requireWebGpu();
  const connection = await connect(options.worker ?? "auto");
  const die = (error: QwillError) => client.close(error);
  const client = new Client<Protocol>(connection.port, die);
  connection.onDeath(die);
  try {
    return planOf(await client.call("plan", loadArgs(resolved, options), { signal }));
  } finally {
    connection.close();
  }
}

function planOf({ inspection, downloadBytes }: PlanResult): ModelPlan {
  const { name, architecture, n_params, model_context_length, memory } = inspection;
  return {
    name,
    architecture,
    parameters: n_params,
    modelContextLength: model_context_length,
    downloadBytes,
    gpu: memory.device?.gpu ?? "",
    maxBufferBytes: memory.device?.max_buffer_bytes ?? 0,
    maxBindingBytes: memory.device?.max_binding_bytes ?? 0,
    memory: memoryOf(memory),
  };
}

function memoryOf(memory: EngineMemory): MemoryPlan {
  const { fit, obstacle } = memory;
  const fittingContextLength = fit && "context_length" in fit ? fit.context_length : null;
  return {
    contextLength: memory.context_length,
    kvType: memory.kv_type,
    weightsBytes: memory.weights_bytes,
    cacheBytes: memory.cache_bytes,
    activationBytes: memory.activation_bytes,
    expertBytes: memory.expert_bytes,
    outputBytes: memory.output_bytes,
    steeringBytes: memory.steering_bytes,
    totalBytes: memory.total_bytes,
    fit: fit?.verdict ?? "unsure",
    ...(fittingContextLength !== null && { fittingContextLength }),
    ...(obstacle !== null && { obstacle }),
  };
}
