// Requests and replies of the wasm module, see engine.ts.

/** An adapter that a call uses; without a scale at its own. */
export interface EngineAdapterUse {
  name: string;
  scale?: number;
}

/** How much to think, from not at all to as much as the model likes. */
export type ReasoningEffort = "none" | "minimal" | "low" | "medium" | "high" | "xhigh" | "max";

/** Whether tokens are guessed, and where guesses come from. */
export type Speculation = "off" | "ngram";

export interface EngineSampling {
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
  /** By token id. */
  logit_bias?: Record<string, number>;
  /** Replies. */
  n?: number;
  adapters?: EngineAdapterUse[];
  speculation?: Speculation;
}

/** What the text of a reply must be. */
export interface EngineForm {
  response_format?: unknown;
  regex?: string;
  grammar?: unknown;
}

/** Messages, to be answered. */
export interface EngineConversation extends EngineSampling, EngineForm {
  messages: unknown[];
  tools?: unknown[];
  tool_choice?: unknown;
  parallel_tool_calls?: boolean;
  enable_thinking?: boolean;
  thinking_budget?: number;
  /** OpenAI's word for both; what they say themselves counts more. */
  reasoning_effort?: ReasoningEffort;
  chat_template?: string;
  split_special_tokens?: boolean;
  logprobs?: boolean;
  top_logprobs?: number;
}

/** A conversation that goes on. One call at a time. */
export interface EngineSession {
  messages(): unknown[];
  push(messages: unknown[]): void;
  /** Adds messages, and the reply to all. When `signal` fires, the reply is what there is. */
  reply(
    added: unknown[],
    onEvent: (event: EngineChoiceEvent) => void,
    signal: AbortSignal,
  ): Promise<EngineReplies>;
  /** A conversation of its own that begins like this one. */
  fork(): EngineSession;
  /** Forgets all messages behind the first `n`. */
  rewind(n: number): void;
  /** Forgets the last thing that the user said, and what followed. */
  undo(): void;
  save(): Promise<Uint8Array<ArrayBuffer>>;
  free(): void;
}

/** Text, to be continued or, with a suffix, to be filled. */
export interface EngineRawPrompt extends EngineSampling, EngineForm {
  prompt: string;
  suffix?: string;
  echo?: boolean;
  logprobs?: number;
}

export type EngineChatRequest = EngineConversation | EngineRawPrompt;

/** A token that could have come, and how likely it was. */
export interface TopLogprob {
  /** Its text. Tokens may be parts of characters: what is no text by itself is replaced. */
  token: string;
  /** Natural logarithm of its probability, under the softmax of the model's own logits. */
  logprob: number;
  /** Its bytes in UTF-8. */
  bytes: number[];
  /** Its id, for `logit_bias`: qwill's addition. */
  id: number;
}

/** A token of a reply, and how likely it was. */
export interface TokenLogprob extends TopLogprob {
  /** The most likely tokens in its place, in falling order, as many as were asked for. */
  top_logprobs: TopLogprob[];
}

/** How likely the tokens of a completion were. Tokens that are no text by themselves are called `bytes:\xe4\xbd`. */
export interface CompletionLogprobs {
  tokens: string[];
  /** Null for the first token of an echoed prompt, which nothing comes before. */
  token_logprobs: (number | null)[];
  /** The most likely tokens in each place, as many as were asked for, and the token itself. */
  top_logprobs: (Record<string, number> | null)[];
  /** Where each token begins, in characters of the tokens before it. */
  text_offset: number[];
}

/** In the shape that OpenAI has for the kind of request. */
export type EngineLogprobs = { content: TokenLogprob[] } | CompletionLogprobs;

/** A part of a call of a tool while it is written. */
export interface EngineToolCallDelta {
  /** Which of the calls that the reply began, from 0. */
  call: number;
  /** In the first part. */
  name?: string;
  /** More of the JSON text. */
  arguments: string;
}

/** A call of a tool; `arguments` is JSON text. */
export interface EngineToolCall {
  name: string;
  arguments: string;
}

export type EngineChatEvent =
  /** So much of a long prompt has been read. */
  { type: "progress"; n_read: number; n_tokens: number } | EngineSaid;

/** What a reply says, or what is told of it. */
export type EngineSaid = (
  | { type: "reasoning"; text: string }
  | { type: "content"; text: string }
  /** The prompt, which begins the reply. */
  | { type: "prompt"; text: string }
  | ({ type: "tool_call_delta" } & EngineToolCallDelta)
  /** A token was made, whether or not it shows yet. What it shows was said before. */
  | { type: "token" }
) & {
  /** Of the tokens, if that was asked for. */
  logprobs?: EngineLogprobs;
};

/** Of the choice with this index. */
export type EngineChoiceEvent = { index: number } & EngineChatEvent;

/** Time spent; an addition to OpenAI's shape. */
export interface Timings {
  /** Milliseconds until the first token. */
  prefill_ms: number;
  /** Prompt tokens per second. */
  prefill_tps: number;
  /** Milliseconds from the first token to the last. */
  decode_ms: number;
  /** Tokens per second while decoding. */
  decode_tps: number;
  /** Of a reply that must have a form: milliseconds to list the tokens that may follow, the median over its tokens. */
  mask_ms?: number;
  /** Tokens that were guessed, where some were. */
  draft_n?: number;
  /** Those of them that were right. */
  draft_n_accepted?: number;
}

export interface EngineUsage {
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  reasoning_tokens: number;
}

export interface EngineReply {
  text: string;
  reasoning: string;
  tool_calls: EngineToolCall[];
  finish_reason: "stop" | "length" | "tool_calls" | "aborted";
  ids: number[];
  logprobs?: EngineLogprobs;
  usage: EngineUsage;
  timings: Timings & { load_ms: number };
}

/** All replies to one request. */
export interface EngineReplies {
  choices: [EngineReply, ...EngineReply[]];
  /** Of all of them: their prompt counts once. */
  usage: EngineUsage;
}
