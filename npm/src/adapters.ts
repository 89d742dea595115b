// `model.adapters`: low-rank adapters (LoRA) beside a loaded model.

import { finite, isGiven, listOf, text } from "./checks.ts";
import type { EngineAdapter } from "./engine.ts";
import type { EngineAdapterUse } from "./engine-chat.ts";
import { aborted, QwillError } from "./errors.ts";
import { checkFields, objectOf, required } from "./fields.ts";
import type { AdapterUse } from "./openai.ts";
import { ADAPTER } from "./option-fields.ts";
import type { LoadProgress, Protocol } from "./protocol.ts";
import type { Client } from "./rpc.ts";
import { type HubOptions, type ModelSource, resolveToLoad, type StorageOptions } from "./source.ts";

/** A loaded adapter. */
export interface AdapterInfo {
  /** What requests call it. */
  name: string;
  parameters: number;
  /** Bytes of its matrices on the GPU. */
  deviceBytes: number;
}

export interface AdapterLoadOptions extends HubOptions, StorageOptions {
  /** What requests will call it. Default: the name of the repository, the folder or the file. */
  name?: string;
  /** Hears of the download. */
  onProgress?: (progress: LoadProgress) => void;
  /** Abandons the load, downloads included; it rejects with code `"aborted"`. */
  signal?: AbortSignal;
}

/** The adapters of one model. */
export class Adapters {
  readonly #client: Client<Protocol>;

  constructor(client: Client<Protocol>) {
    this.#client = client;
  }

  /**
   * Loads an adapter beside the model: `adapter_config.json` and `adapter_model.safetensors` as PEFT saves them, or a
   * GGUF file, from wherever `load` takes models. Requests that do not name it are as fast as before.
   */
  async load(source: ModelSource, options: AdapterLoadOptions = {}): Promise<AdapterInfo> {
    checkFields(options, ADAPTER);
    const { signal, onProgress, token } = options;
    if (signal?.aborted) throw aborted(signal);
    const resolved = await resolveToLoad(source, options);
    if ("random" in resolved) {
      throw new QwillError("invalid-source", "An adapter comes from files; there are no random ones.");
    }
    const name = options.name ?? resolved.name;
    const args = { source: resolved, name, token };
    const events = onProgress && { onEvent: onProgress };
    return infoOf(await this.#client.call("loadAdapter", args, { signal, ...events }));
  }

  /** Frees an adapter when the requests that use it are done. Later ones that name it fail; it is no longer selected. */
  async unload(name: string): Promise<void> {
    await this.#client.call("unloadAdapter", text("name", name));
  }

  /** The loaded adapters, in the order in which they were loaded. */
  async list(): Promise<AdapterInfo[]> {
    return (await this.#client.call("adapters", undefined)).map(infoOf);
  }

  /** Sets what every call uses that does not name its adapters: none before this is called. */
  async select(adapters: AdapterUse[]): Promise<void> {
    await this.#client.call("selectAdapters", toAdapterUses(adapters));
  }
}

const use = required("name", text, objectOf({ name: text, scale: finite }));

/** Checks the adapters of a request. */
export function toAdapterUses(adapters: unknown): EngineAdapterUse[] {
  listOf(use)("adapters", adapters);
  return (adapters as AdapterUse[]).map(({ name, scale }) => (isGiven(scale) ? { name, scale } : { name }));
}

function infoOf({ name, n_params, device_bytes }: EngineAdapter): AdapterInfo {
  return { name, parameters: n_params, deviceBytes: device_bytes };
}
