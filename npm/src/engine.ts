// What the wasm module offers. crates/wasm implements these interfaces, the unit tests fake them.
// Field names are those of the Rust side.

import type { ChatToolCall, FinishReason, Timings, Usage } from "./openai.ts";

/** Random access to one file, wherever its bytes lie. */
export interface EngineFile {
  readonly name: string;
  readonly size: number;
  read(offset: number, length: number): Promise<Uint8Array>;
}

export interface EngineLoadOptions {
  context_length?: number;
  kv_type?: string;
  /** Capabilities to take away, e.g. `no-subgroups,max-binding=128MiB`. */
  caps?: string;
  exact?: boolean;
  /** What was switched on behind wgpu's back, see request-device.ts. */
  web_subgroups?: { min: number; max: number };
  /** Make a model of this shape and format instead of reading files. */
  random?: string;
}

export interface EngineProgress {
  stage: string;
  bytes_done: number;
  bytes_total: number;
}

export interface EngineInfo {
  architecture: string;
  name: string;
  adapter: string;
  backend: string;
  context_length: number;
  n_params: number;
  weights_bytes: number;
}

export interface EngineChatRequest {
  messages: unknown[];
  tools?: unknown[];
  max_tokens?: number;
  stop?: string[];
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  repetition_penalty?: number;
  presence_penalty?: number;
  frequency_penalty?: number;
  seed?: number;
  enable_thinking?: boolean;
  template_kwargs?: Record<string, unknown>;
}

export type EngineChatEvent =
  | { type: "reasoning"; text: string }
  | { type: "text"; text: string }
  | { type: "tool_call"; index: number; tool_call: ChatToolCall };

export interface EngineChatReply {
  text: string;
  reasoning: string;
  tool_calls: ChatToolCall[];
  finish_reason: FinishReason;
  ids: number[];
  usage: Omit<Usage, "total_tokens">;
  timings: Timings;
}

/** Token ids in, numbers out; the same shapes as `qwill eval` reads and writes. */
export interface EvalCase {
  name: string;
  ids: number[];
  /** How many tokens to continue greedily, end-of-sequence ignored. */
  greedy?: number;
  /** How many alternatives to report for the last position. */
  top_logprobs?: number;
  logits?: "none" | "last" | "all";
}

export interface EvalResult {
  name: string;
  n: number;
  /** Negative log likelihood of every token but the first, given those before it. */
  nll: number[];
  perplexity: number | null;
  top_logprobs: { id: number; logprob: number }[][];
  greedy: number[];
  /** `[positions, vocabulary]`, flattened; empty unless asked for. */
  logits: Float32Array;
}

export interface EvalRequest {
  cases: EvalCase[];
  /** Prefill in pieces of this many tokens. */
  chunk?: number;
}

export interface BenchRequest {
  prompt_tokens?: number;
  decode_tokens?: number;
  runs?: number;
}

/** Medians over the runs. */
export interface BenchResult {
  ttft_ms: number;
  prefill_tps: number;
  decode_tps: number;
  [more: string]: unknown;
}

export interface Tokens {
  ids: number[];
  tokens: string[];
}

export interface EngineModel {
  info(): EngineInfo;
  /** `onEvent` returns whether to go on. */
  chat(request: EngineChatRequest, onEvent: (event: EngineChatEvent) => boolean): Promise<EngineChatReply>;
  eval(request: EvalRequest): Promise<EvalResult[]>;
  bench(request: BenchRequest): Promise<BenchResult>;
  tokenize(text: string): Tokens;
  free(): void;
}

export interface Engine {
  load(
    files: EngineFile[],
    options: EngineLoadOptions,
    onProgress: (progress: EngineProgress) => void,
  ): Promise<EngineModel>;
}
