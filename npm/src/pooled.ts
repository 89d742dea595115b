// Numbers for whole texts: what `model.embed`, `model.rerank` and `model.score` take and give.

import { count, isGiven, listOf, text, texts, whole, wrong } from "./checks.ts";
import type { EngineEmbedRequest, EngineRerankRequest, EngineScoreRequest } from "./engine.ts";
import { checkFields, type Fields } from "./fields.ts";
import type { CallOptions, ChatMessage } from "./openai.ts";
import { CALL } from "./option-fields.ts";
import { someMessages } from "./request.ts";

export interface EmbedOptions extends CallOptions {
  /** What the search is for. Makes the texts queries; documents go without one. */
  instruction?: string | undefined;
  /** Numbers of each vector, cut from the whole and scaled to length 1 again. Default: all that the model makes. */
  dimensions?: number | undefined;
}

export interface RerankOptions extends CallOptions {
  /** What the search is for. Default: answering a web search query. */
  instruction?: string | undefined;
  /** Give only so many, the best. Default: all. */
  topN?: number | undefined;
}

/** A document and how well it answers the query. */
export interface RankedDocument {
  /** Its place in the list that was given. */
  index: number;
  /** From 0, not at all, to 1. */
  score: number;
  document: string;
}

/** A message to be scored. The steps of a solution, for process reward models, may be a list of texts. */
export type ScoredMessage = ChatMessage | { role: "assistant"; content: string[] };

/** A conversation, or its token ids. */
export type ScoreInput = ScoredMessage[] | { ids: number[] };

const EMBED: Fields = { ...CALL, instruction: text, dimensions: count };
const RERANK: Fields = { ...CALL, instruction: text, topN: count };
const SCORE: Fields = { ids: listOf(whole) };

export function toEmbedRequests(input: unknown, options: EmbedOptions): EngineEmbedRequest[] {
  checkFields(options, EMBED);
  const { dimensions } = options;
  const shared = { ...toInstruction(options), ...(isGiven(dimensions) && { dimensions }) };
  const all = typeof input === "string" ? [input] : texts("input", input);
  return all.map((text) => ({ text, ...shared }));
}

export function toRerankRequests(
  query: unknown,
  documents: unknown,
  options: RerankOptions,
): EngineRerankRequest[] {
  checkFields(options, RERANK);
  const shared = { query: text("query", query), ...toInstruction(options) };
  return texts("documents", documents).map((document) => ({ document, ...shared }));
}

/** The best first; equal ones in the order in which they were given. */
export function rank(documents: string[], scores: number[], { topN }: RerankOptions): RankedDocument[] {
  const ranked = scores.map((score, index) => ({ index, score, document: documents[index] ?? "" }));
  return ranked.sort((a, b) => b.score - a.score).slice(0, topN ?? undefined);
}

export function toScoreRequest(input: ScoreInput): EngineScoreRequest {
  if (Array.isArray(input)) return { messages: someMessages(input) };
  if (typeof input !== "object" || input === null) {
    throw wrong("what is scored", "a list of messages, or { ids } with a list of token ids", input);
  }
  checkFields(input, SCORE);
  if (!isGiven(input.ids)) throw wrong("ids", "a list of token ids", input.ids);
  return { ids: input.ids };
}

function toInstruction({ instruction }: EmbedOptions | RerankOptions): { instruction?: string } {
  return isGiven(instruction) ? { instruction } : {};
}
