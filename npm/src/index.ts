/**
 * Qwen language models on the user's own GPU.
 *
 * ```ts
 * import { load } from "qwill";
 *
 * const model = await load("demo");
 * const stream = await model.chat.completions.create({
 *   messages: [{ role: "user", content: "Hello!" }],
 *   stream: true,
 * });
 * for await (const chunk of stream) console.log(chunk.choices[0]?.delta.content);
 * ```
 *
 * @module
 */

export type { AdapterInfo, AdapterLoadOptions, Adapters } from "./adapters.ts";
export type { ChatCompletions, ChatStream } from "./chat.ts";
export type { CompletionStream, Completions } from "./completions.ts";
export type { WorkerOption } from "./connect.ts";
export type * from "./decisions.ts";
export { type DownloadOptions, downloads, type StorageEstimate, type StoredModel } from "./downloads.ts";
export type {
  BenchReport,
  BenchRequest,
  BenchRun,
  EvalCase,
  EvalResult,
  ParallelRun,
  Percentiles,
  Scores,
  Spread,
  Tokens,
} from "./engine.ts";
export type { CompletionLogprobs, Timings, TokenLogprob, TopLogprob } from "./engine-chat.ts";
export { QwillError, type QwillErrorCode } from "./errors.ts";
export { type LoadOptions, load, type RopeScaling, type WeightFormat } from "./load.ts";
export type { BenchResult, Model, ModelInfo } from "./model.ts";
export type * from "./openai.ts";
export { type MemoryPlan, type ModelPlan, type PlanOptions, plan } from "./plan.ts";
export type {
  EmbedOptions,
  RankedDocument,
  RerankOptions,
  ScoredMessage,
  ScoreInput,
} from "./pooled.ts";
export type { LoadProgress, RandomModel } from "./protocol.ts";
export { type SavedSession, sessions } from "./saved-sessions.ts";
export type { Session, TurnNonStreaming, TurnStreaming } from "./session.ts";
export type { HubOptions, ModelSource, StorageOptions } from "./source.ts";
export type * from "./system-one.ts";
