// What the wasm module offers. crates/wasm implements these interfaces, the unit tests fake them.
// Field names are those of the Rust side.

import type { Decision, DecisionRequest } from "./decisions.ts";
import type {
  EngineAdapterUse,
  EngineChatRequest,
  EngineChoiceEvent,
  EngineConversation,
  EngineReplies,
  EngineSession,
} from "./engine-chat.ts";
import type { SystemOneReply, SystemOneRequest } from "./system-one.ts";

/** Random access to one file, wherever its bytes lie. */
export interface EngineFile {
  readonly name: string;
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface EngineLoadOptions {
  context_length?: number;
  /** Texts that run at a time; others wait. */
  max_sequences?: number;
  /** Tokens of all texts together that the cache holds. */
  cache_tokens?: number;
  prefill_chunk?: number;
  quantize?: string;
  kv_type?: string;
  rope_scaling?: string;
  exact?: boolean;
  /** Capabilities to take away, e.g. `no-subgroups,max-binding=128MiB`. */
  caps?: string;
  /** Whether kernels are tried on the device before the model uses them; if you leave it out, they are. */
  self_test?: "off";
  /** What `EngineModel.findings` said at an earlier load on this device. */
  findings?: string;
  /** What the device is called, for request-device.ts to know it by. */
  device_label?: string;
  /** What was switched on behind wgpu's back, see request-device.ts. */
  web_subgroups?: { min: number; max: number };
  /** What to call the model if its files do not say. */
  name?: string;
  /** Make a model of this shape and format instead of reading files. */
  random?: string;
}

export interface EngineInfo {
  name: string;
  architecture: string;
  n_params: number;
  context_length: number;
  model_context_length: number;
  context_extension: string | null;
  weights_bytes: number;
  device_bytes: number;
  gpu: string;
  backend: string;
  capabilities: string;
  /** Kernels that compute what they should on this device, and which do not, and why. */
  self_test: { right: number; wrong: string[] };
}

/** A loaded low-rank adapter. */
export interface EngineAdapter {
  name: string;
  n_params: number;
  device_bytes: number;
}

/** Token ids to run through the model, and what to report; the same shape as `qwill eval` reads. */
export interface EvalCase {
  name: string;
  ids: number[];
  /** How many tokens to continue greedily, end-of-sequence ignored. */
  greedy?: number;
  /** How many alternatives to report for the last position. */
  top_logprobs?: number;
  logits?: "none" | "last" | "all";
  /** Prefill in pieces of this many tokens. */
  chunk?: number;
  /** The embedding of the tokens, or what a reward or classification model says of them, instead of what is above. */
  pooled?: "none" | "embedding" | "score";
  /** The low-rank adapters to evaluate with. Default: those that are selected. */
  adapters?: EngineAdapterUse[];
}

export interface EvalResult {
  name: string;
  n: number;
  /** Negative log likelihood of every token but the first, given those before it. */
  nll: number[];
  /** Of a single token there is none. */
  perplexity: number | null;
  top_logprobs: { id: number; logprob: number }[][];
  greedy: number[];
  /** `[positions, vocabulary]`, flattened; empty unless asked for. */
  logits: Float32Array;
  /** `[hidden_size]`, of length 1; empty unless asked for. */
  embedding: Float32Array;
  /** Null unless asked for. */
  scores: Scores | null;
}

/** What a reward or classification model says of a text. */
export interface Scores {
  /** Raw scores of the text, one for each label. */
  last: number[];
  /** Raw scores of every token, one for each label, from models that score every token. */
  tokens: number[][] | null;
  /** The probability that a step is right, for each step of a solution, from process reward models. */
  steps: number[] | null;
}

export interface EngineEmbedRequest {
  text: string;
  instruction?: string;
  dimensions?: number;
}

export interface EngineRerankRequest {
  query: string;
  document: string;
  instruction?: string;
}

export type EngineDecisionRequest = Omit<DecisionRequest, "adapters"> & { adapters?: EngineAdapterUse[] };

export type EngineScoreRequest = { messages: unknown[] } | { ids: number[] };

export interface BenchRequest {
  prompt_tokens?: number;
  decode_tokens?: number;
  runs?: number;
  /** Tokens in the cache beforehand, one measurement each. Default: `[0]`. */
  depths?: number[];
  /**
   * Numbers of texts at once, one measurement each; nothing is in the cache before them. More than the model was loaded
   * for, see `maxSequences`, wait for others to end. Default: `[]`.
   */
  parallel?: number[];
}

/** Median, least and most of the runs. */
export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** Speeds at one depth, as `qwill bench` prints them. */
export interface BenchRun {
  depth: number;
  prefill_tps: Spread;
  ttft_ms: Spread;
  decode_tps: Spread;
  decode_gbps: number;
  bandwidth_share: number;
}

/** How long most wait, and how long the unlucky: 95 of 100 at most `p95`. */
export interface Percentiles {
  median: number;
  p95: number;
}

/** Speeds of texts that run at the same time. */
export interface ParallelRun {
  /** Texts at once. */
  n_texts: number;
  /** Tokens that all of them together decode a second, from when the last has its first token to when all are done. */
  decode_tps: Spread;
  /** Milliseconds to the first token of a text, when all prompts arrive together and none is in the cache. */
  ttft_ms: Percentiles;
}

/** A measurement with what explains it, as `qwill bench` prints it. */
export interface BenchReport {
  model: string;
  gpu: string;
  backend: string;
  capabilities: string;
  prompt_tokens: number;
  decode_tokens: number;
  runs: number;
  load_ms: number;
  dispatches_per_token: number;
  dispatches_per_layer: number;
  submits_per_token: number;
  cpu_ms_per_token: number;
  weight_bytes_per_token: number;
  copy_gbps: number;
  results: BenchRun[];
  /** One for each number of texts at once, if any was asked for. */
  parallel?: ParallelRun[];
}

export interface Tokens {
  ids: number[];
  tokens: string[];
}

/** Calls that overlap run together. A `signal` reaches them between two steps, whatever they wait for. */
export interface EngineModel {
  info(): EngineInfo;
  /** What the self-test has found out about the device, to be kept for the next load. */
  findings(): string;
  /** When `signal` fires, the replies are what there is; everything else rejects with code `"aborted"`. */
  chat(
    request: EngineChatRequest,
    onEvent: (event: EngineChoiceEvent) => void,
    signal: AbortSignal,
  ): Promise<EngineReplies>;
  /** Starts a conversation; what the request says holds for every turn. */
  session(request: EngineConversation): EngineSession;
  /** A conversation that `EngineSession.save` wrote. */
  restore(file: Uint8Array): Promise<EngineSession>;
  eval(request: EvalCase, signal: AbortSignal): Promise<EvalResult>;
  embed(request: EngineEmbedRequest, signal: AbortSignal): Promise<Float32Array>;
  /** Between 0 and 1. */
  rerank(request: EngineRerankRequest, signal: AbortSignal): Promise<number>;
  score(request: EngineScoreRequest, signal: AbortSignal): Promise<Scores>;
  decide(request: EngineDecisionRequest, signal: AbortSignal): Promise<Decision>;
  systemOne(request: SystemOneRequest, signal: AbortSignal): Promise<SystemOneReply>;
  bench(request: BenchRequest, signal: AbortSignal): Promise<BenchReport>;
  tokenize(text: string): Tokens;
  loadAdapter(files: EngineFile[], name: string): Promise<EngineAdapter>;
  /** Resolves when nothing that runs uses it any more. */
  unloadAdapter(name: string): Promise<void>;
  adapters(): EngineAdapter[];
  /** Sets the adapters of calls that name none. */
  selectAdapters(uses: EngineAdapterUse[]): void;
  /** No call may be running. */
  free(): void;
}

/** Bytes on the device, by what they are for. */
export interface EngineMemory {
  context_length: number;
  prefill_chunk: number;
  kv_type: "f32" | "f16" | "q8";
  weights_bytes: number;
  cache_bytes: number;
  activation_bytes: number;
  expert_bytes: number;
  output_bytes: number;
  steering_bytes: number;
  total_bytes: number;
  device: {
    gpu: string;
    max_buffer_bytes: number;
    max_binding_bytes: number;
    room: { kind: "known" | "at-least"; bytes: number } | { kind: "unknown" };
  } | null;
  fit:
    | { verdict: "fits" | "unsure" | "with-f16-cache" | "does-not-fit" }
    | { verdict: "with-context"; context_length: number }
    | { verdict: "with-q8-cache"; context_length: number | null }
    | null;
  obstacle: string | null;
}

/** A model without its weights, as `qwill inspect` prints it. */
export interface EngineInspection {
  name: string;
  architecture: string;
  n_params: number;
  model_context_length: number;
  memory: EngineMemory;
}

export interface Engine {
  /** `listener` hears of a fault in the module, after which it must not be used, until what comes back is called. */
  onPanic(listener: (message: string) => void): () => void;
  /** Size of the module's memory, which only grows. */
  memoryBytes(): number;
  /** What a model takes; reads headers only. */
  inspect(files: EngineFile[], options: EngineLoadOptions): Promise<EngineInspection>;
  /** Rejects as `load` would for want of memory; reads headers only. */
  check(files: EngineFile[], options: EngineLoadOptions): Promise<void>;
  /**
   * `onProgress` returns whether to go on. `files` are read again when the device was lost. `grammarUrl` is where the grammar
   * module lies, if not in its usual place.
   */
  load(
    files: EngineFile[],
    options: EngineLoadOptions,
    onProgress: (bytesDone: number, bytesTotal: number) => boolean,
    grammarUrl?: string,
  ): Promise<EngineModel>;
}

/** Fetches and starts the wasm module. */
export type StartEngine = (wasmUrl: string | undefined) => Promise<Engine>;
