// What is said between the page and the worker that holds the model.

import type { Decision } from "./decisions.ts";
import type { Digest } from "./digest.ts";
import type {
  BenchReport,
  BenchRequest,
  EngineAdapter,
  EngineDecisionRequest,
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
import type {
  EngineAdapterUse,
  EngineChatRequest,
  EngineChoiceEvent,
  EngineConversation,
  EngineReplies,
} from "./engine-chat.ts";
import type { SystemOneReply, SystemOneRequest } from "./system-one.ts";

/** A shape and a format, such as `"qwen3-0.6b:q4_0"`, filled with random weights: for benchmarks. */
export interface RandomModel {
  random: string;
}

/** A model on a hub. */
export interface HubRef {
  /** `owner/name` */
  repo: string;
  /** Which of a GGUF repository's files: part of the file's name, such as `Q4_K_M`. */
  tag: string | undefined;
  /** Branch, tag or commit. */
  revision: string;
  /** Address of the hub. */
  endpoint: string;
}

/** A file that is somewhere else. */
export interface RemoteFile {
  name: string;
  url: string;
  /** Bytes, if a listing says so. */
  size?: number;
  /** Checksum, if a listing says so. */
  digest?: Digest;
}

/** A model that is somewhere else. */
export type RemoteModel = { id: string; hub: HubRef } | { id: string; files: RemoteFile[] };

/** A file at hand. */
export interface LocalFile {
  name: string;
  blob: Blob;
}

/** Files that can be sent to a worker. */
export type FileSource =
  | { name: string; local: LocalFile[] }
  | {
      name: string;
      local: LocalFile[];
      remote: RemoteModel;
      /** What ships with the page is not worth keeping twice. */
      storage: "keep" | "none";
    };

/** A model that can be sent to a worker. */
export type SourceRef = FileSource | RandomModel;

/** How far a load has come. */
export interface LoadProgress {
  /** `"download"` while files come in, `"load"` while the rest goes to the GPU. */
  stage: "download" | "load";
  /** Bytes done. */
  loaded: number;
  /** Bytes in all; 0 while nobody knows. */
  total: number;
  /** Of a download, over the last seconds. */
  bytesPerSecond?: number;
  /** Of a download, as long as it goes on like this. */
  secondsLeft?: number;
}

/** Which model, and how it is set up. */
export interface LoadArgs {
  source: SourceRef;
  options: EngineLoadOptions;
  wasmUrl: string | undefined;
  grammarUrl: string | undefined;
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

/** A session that the worker holds, and its messages. */
export interface SessionState {
  id: number;
  messages: unknown[];
}

export type Protocol = {
  load: { args: LoadArgs; result: LoadResult; event: LoadProgress };
  plan: { args: LoadArgs; result: PlanResult; event: never };
  chat: { args: EngineChatRequest; result: EngineReplies; event: EngineChoiceEvent };
  session: { args: EngineConversation; result: SessionState; event: never };
  restoreSession: { args: Blob; result: SessionState; event: never };
  forkSession: { args: number; result: SessionState; event: never };
  replyInSession: {
    args: { id: number; added: unknown[] };
    result: EngineReplies & SessionState;
    event: EngineChoiceEvent;
  };
  pushToSession: { args: { id: number; added: unknown[] }; result: SessionState; event: never };
  rewindSession: { args: { id: number; n: number }; result: SessionState; event: never };
  undoInSession: { args: number; result: SessionState; event: never };
  saveSession: { args: number; result: Blob; event: never };
  endSession: { args: number; result: undefined; event: never };
  eval: { args: EvalCase[]; result: EvalResult[]; event: never };
  embed: { args: EngineEmbedRequest[]; result: Float32Array[]; event: never };
  rerank: { args: EngineRerankRequest[]; result: number[]; event: never };
  score: { args: EngineScoreRequest; result: Scores; event: never };
  decide: { args: EngineDecisionRequest; result: Decision; event: never };
  systemOne: { args: SystemOneRequest; result: SystemOneReply; event: never };
  bench: { args: BenchRequest; result: BenchReport; event: never };
  loadAdapter: { args: AdapterArgs; result: EngineAdapter; event: LoadProgress };
  unloadAdapter: { args: string; result: undefined; event: never };
  adapters: { args: undefined; result: EngineAdapter[]; event: never };
  selectAdapters: { args: EngineAdapterUse[]; result: undefined; event: never };
  tokenize: { args: string; result: Tokens; event: never };
  /** Goes on as long as the model does, and tells why a device was lost each time that one is. */
  rebuilds: { args: undefined; result: never; event: string };
  dispose: { args: undefined; result: undefined; event: never };
};
