// What is said between the page and the worker that holds the model.

import type {
  BenchReport,
  BenchRequest,
  EngineAdapter,
  EngineAdapterUse,
  EngineChatEvent,
  EngineChatReply,
  EngineChatRequest,
  EngineEmbedRequest,
  EngineInfo,
  EngineInspection,
  EngineLoadOptions,
  EngineRerankRequest,
  EngineScoreRequest,
  EvalCase,
  EvalResult,
  Scores,
  Tokens,
} from "./engine.ts";
import type { LoadProgress } from "./load.ts";
import type { FileSource, SourceRef } from "./source.ts";

/** Which model, and how it is set up. */
export interface LoadArgs {
  source: SourceRef;
  options: EngineLoadOptions;
  wasmUrl: string | undefined;
  /** For the hub. */
  token: string | undefined;
}

/** Which adapter, and what requests call it. */
export interface AdapterArgs {
  source: FileSource;
  name: string;
  /** For the hub. */
  token: string | undefined;
}

/** What came of a load. */
export interface LoadResult extends EngineInfo {
  /** Bytes that the module's memory grew to. */
  host_bytes: number;
}

/** What a model takes: of the device, and of the network. */
export interface PlanResult {
  inspection: EngineInspection;
  downloadBytes: number;
}

export type Protocol = {
  load: { args: LoadArgs; result: LoadResult; event: LoadProgress };
  plan: { args: LoadArgs; result: PlanResult; event: never };
  chat: { args: EngineChatRequest; result: EngineChatReply; event: EngineChatEvent };
  eval: { args: EvalCase[]; result: EvalResult[]; event: never };
  embed: { args: EngineEmbedRequest[]; result: Float32Array[]; event: never };
  rerank: { args: EngineRerankRequest[]; result: number[]; event: never };
  score: { args: EngineScoreRequest; result: Scores; event: never };
  bench: { args: BenchRequest; result: BenchReport; event: never };
  loadAdapter: { args: AdapterArgs; result: EngineAdapter; event: LoadProgress };
  unloadAdapter: { args: string; result: undefined; event: never };
  adapters: { args: undefined; result: EngineAdapter[]; event: never };
  selectAdapters: { args: EngineAdapterUse[]; result: undefined; event: never };
  tokenize: { args: string; result: Tokens; event: never };
  dispose: { args: undefined; result: undefined; event: never };
};
