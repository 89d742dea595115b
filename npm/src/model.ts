import { Adapters } from "./adapters.ts";
import { ChatCompletions } from "./chat.ts";
import { text } from "./checks.ts";
import { Completions } from "./completions.ts";
import type { Connection } from "./connect.ts";
import { toDecisionRequest, toSystemOneRequest } from "./decide.ts";
import type { Decision, DecisionQuestion, DecisionRequest } from "./decisions.ts";
import type { BenchReport, BenchRequest, EvalCase, EvalResult, Scores, Tokens } from "./engine.ts";
import { QwillError } from "./errors.ts";
import { checkFields } from "./fields.ts";
import { toBenchRequest, toEvalCases } from "./measured.ts";
import type { CallOptions, SessionRequest } from "./openai.ts";
import { CALL } from "./option-fields.ts";
import {
  type EmbedOptions,
  type RankedDocument,
  type RerankOptions,
  rank,
  type ScoreInput,
  toEmbedRequests,
  toRerankRequests,
  toScoreRequest,
} from "./pooled.ts";
import type { LoadResult, Protocol } from "./protocol.ts";
import type { Client } from "./rpc.ts";
import { openSession, restoreSession, type Session } from "./session.ts";
import type { SystemOneQuestions, SystemOneReply, SystemOneRequest } from "./system-one.ts";

/** Facts about a loaded model and the device that it is on. */
export interface ModelInfo {
  /** As the checkpoint names it, e.g. `qwen3`. */
  architecture: string;
  name: string;
  /** The GPU, in the browser's words. */
  gpu: string;
  backend: string;
  /** What of the GPU is used: half precision, subgroups, limits. */
  capabilities: string;
  /** How many kernels were tried on this GPU and compute what they should; those that do not, and why: they are not used. */
  selfTest: { right: number; wrong: string[] };
  /** Tokens that prompt and reply may have together. */
  contextLength: number;
  /** Tokens that the model was made for. */
  modelContextLength: number;
  /** How positions are extended, where the context is longer than what the model was trained for. */
  contextExtension?: string;
  parameters: number;
  /** Bytes of the weights in the files. */
  weightsBytes: number;
  /** Bytes taken on the GPU in all: weights, cache and scratch. */
  deviceBytes: number;
  /** Most bytes of the CPU's memory that loading took in qwill's module. Earlier models of its worker count, too. */
  hostBytes: number;
}

/** Medians of the first depth, and everything else that was measured. */
export interface BenchResult extends BenchReport {
  ttft_ms: number;
  prefill_tps: number;
  decode_tps: number;
}

/**
 * A model on the GPU. Calls that overlap run together, begun in the order in which they were made.
 */
export class Model {
  readonly info: ModelInfo;
  readonly chat: { readonly completions: ChatCompletions };
  /** For text that goes to the model as it stands, without a conversation around it. */
  readonly completions: Completions;
  /** Low-rank adapters (LoRA): small changes to the model, chosen request by request. */
  readonly adapters: Adapters;
  /** Resolves, never rejects, when the model can no longer be used although nobody disposed of it. */
  readonly lost: Promise<QwillError>;
  readonly #client: Client<Protocol>;
  readonly #connection: Connection;
  #disposed = false;

  /** @internal */
  constructor(client: Client<Protocol>, connection: Connection, info: LoadResult, lost: Promise<QwillError>) {
    this.#client = client;
    this.#connection = connection;
    this.info = {
      architecture: info.architecture,
      name: info.name,
      gpu: info.gpu,
      backend: info.backend,
      capabilities: info.capabilities,
      selfTest: info.self_test,
      contextLength: info.context_length,
      modelContextLength: info.model_context_length,
      ...(info.context_extension !== null && { contextExtension: info.context_extension }),
      parameters: info.n_params,
      weightsBytes: info.weights_bytes,
      deviceBytes: info.device_bytes,
      hostBytes: info.host_bytes,
    };
    this.chat = { completions: new ChatCompletions(client, info.name) };
    this.adapters = new Adapters(client);
    this.completions = new Completions(client, info.name);
    this.lost = lost;
  }

  /** Token ids of a text and the piece of text that each one stands for. */
  async tokenize(input: string, options: CallOptions = {}): Promise<Tokens> {
    return this.#client.call("tokenize", text("input", input), toSignal(options));
  }

  /** Starts a conversation that the model's side keeps. What the request says holds for every turn of it. */
  async session(request: SessionRequest = {}): Promise<Session> {
    return openSession(this.#client, this.info.name, request);
  }

  /**
   * A conversation that `session.save` saved, by its name in this browser or from its bytes. It goes on as if it had
   * never been interrupted, with the same weights, the same `kvType`, and the same adapters loaded under the same names.
   */
  async restoreSession(saved: string | Blob | BufferSource): Promise<Session> {
    return restoreSession(this.#client, this.info.name, saved);
  }

  /**
   * Embeds texts: one vector of length 1 for each, in their order. A single text gives a list of one, as with OpenAI.
   */
  async embed(input: string | string[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    const requests = toEmbedRequests(input, options);
    return this.#client.call("embed", requests, { signal: options.signal });
  }

  /** Sorts documents by how well they answer a query, the best first. */
  async rerank(query: string, documents: string[], options: RerankOptions = {}): Promise<RankedDocument[]> {
    const requests = toRerankRequests(query, documents, options);
    const scores = await this.#client.call("rerank", requests, { signal: options.signal });
    return rank(documents, scores, options);
  }

  /** What a reward or classification model says of a conversation, or of token ids. */
  async score(input: ScoreInput, options: CallOptions = {}): Promise<Scores> {
    return this.#client.call("score", toScoreRequest(input), toSignal(options));
  }

  /**
   * Answers questions about a text with probabilities: yes or no, one of several choices, a place on a scale. The text is
   * read once, whatever the number of questions, and nothing is drawn. Any chat model can.
   */
  async decide<const Questions extends readonly DecisionQuestion[]>(
    request: DecisionRequest<Questions>,
    { signal }: CallOptions = {},
  ): Promise<Decision<Questions>> {
    const decision: Decision = await this.#client.call("decide", toDecisionRequest(request), { signal });
    // There is an answer for each question, of its kind.
    return decision as Decision<Questions>;
  }

  /** The same in the shape of TypeSafe's System One: questions and answers by name. */
  async systemOne<const Questions extends SystemOneQuestions>(
    request: SystemOneRequest<Questions>,
    { signal }: CallOptions = {},
  ): Promise<SystemOneReply<Questions>> {
    const reply: SystemOneReply = await this.#client.call("systemOne", toSystemOneRequest(request), {
      signal,
    });
    return reply as SystemOneReply<Questions>;
  }

  /**
   * Runs token ids through the model and returns numbers: likelihoods, logits, greedy continuations. Meant for
   * tests and research; the shapes are those of `qwill eval`.
   */
  async eval(cases: EvalCase[], options: CallOptions = {}): Promise<EvalResult[]> {
    return this.#client.call("eval", toEvalCases(cases), toSignal(options));
  }

  /** Measures prefill and decode speed, of one text at a time and, with `parallel`, of several at once. */
  async bench(request: BenchRequest = {}, options: CallOptions = {}): Promise<BenchResult> {
    const report = await this.#client.call("bench", toBenchRequest(request), toSignal(options));
    const median = (of: "ttft_ms" | "prefill_tps" | "decode_tps") => report.results[0]?.[of].median ?? 0;
    return {
      ttft_ms: median("ttft_ms"),
      prefill_tps: median("prefill_tps"),
      decode_tps: median("decode_tps"),
      ...report,
    };
  }

  /** Frees the model and the memory that it holds. Pending and later calls reject with code `"disposed"`. */
  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const error = new QwillError("disposed", "The model was disposed of.");
    this.#client.abandon(error);
    // Ending a worker frees everything; a model in the page has to be told.
    if (!this.#connection.owned) await this.#client.call("dispose", undefined).catch(() => {});
    this.#client.close(error);
    this.#connection.close();
  }
}

function toSignal(options: CallOptions): CallOptions {
  checkFields(options, CALL);
  return { signal: options.signal };
}
