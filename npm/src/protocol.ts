// What is said between the page and the worker that holds the model.

import type {
  BenchReport,
  BenchRequest,
  EngineChatEvent,
  EngineChatReply,
  EngineChatRequest,
  EngineEmbedRequest,
  EngineInfo,
  EngineLoadOptions,
  EngineRerankRequest,
  EngineScoreRequest,
  EvalCase,
  EvalResult,
  Scores,
  Tokens,
} from "./engine.ts";
import type { LoadProgress } from "./load.ts";
import type { SourceRef } from "./source.ts";

export type Protocol = {
  load: {
    args: {
      source: SourceRef;
      options: EngineLoadOptions;
      wasmUrl: string | undefined;
      /** For the hub. */
      token: string | undefined;
    };
    result: EngineInfo;
    event: LoadProgress;
  };
  chat: { args: EngineChatRequest; result: EngineChatReply; event: EngineChatEvent };
  eval: { args: EvalCase[]; result: EvalResult[]; event: never };
  embed: { args: EngineEmbedRequest[]; result: Float32Array[]; event: never };
  rerank: { args: EngineRerankRequest[]; result: number[]; event: never };
  score: { args: EngineScoreRequest; result: Scores; event: never };
  bench: { args: BenchRequest; result: BenchReport; event: never };
  tokenize: { args: string; result: Tokens; event: never };
  dispose: { args: undefined; result: undefined; event: never };
};
