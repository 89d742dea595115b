// The shapes of OpenAI's chat completions and completions, as far as qwill speaks them, and what it adds to them. What
// OpenAI's clients send fits into them, too; what of it is not served is refused by name.

import type {
  CompletionLogprobs,
  ReasoningEffort,
  Speculation,
  Timings,
  TokenLogprob,
} from "./engine-chat.ts";
import type { ChatCustomTool, ChatMessage, ChatTool, ChatToolCall } from "./messages.ts";

export type * from "./messages.ts";
export type { ReasoningEffort, Speculation };

/** How much of a long prompt the model has read. */
export interface PromptProgress {
  /** Tokens read. */
  read: number;
  /** Tokens of the prompt. */
  total: number;
}

/** What ends a call before its time. */
export interface Limits {
  /** Stops the generation; the call rejects, or the stream throws, with code `"aborted"`. */
  signal?: AbortSignal | null | undefined;
  /**
   * Milliseconds until the reply must be there, or the first piece of a streamed one; else the call rejects, or the
   * stream throws, with code `"timeout"`. Without it a call takes as long as it takes.
   */
  timeout?: number | null | undefined;
}

/** OpenAI's second argument of `create`. */
export interface RequestOptions extends Limits {
  /** Accepted for the sake of OpenAI's clients, as what follows: there is no server. */
  maxRetries?: number | undefined;
  headers?: unknown;
  idempotencyKey?: string | undefined;
}

/** Whether and how a reply is streamed. */
export interface StreamRequest extends Limits {
  stream?: boolean | null;
  /** With `include_usage`, usage comes in a chunk of its own with empty `choices`, exactly as OpenAI sends it. */
  stream_options?: { include_usage?: boolean; include_obfuscation?: boolean } | null;
  /** qwill's: hears how much of the prompt was read, after each step of one that takes several. */
  onProgress?: (progress: PromptProgress) => void;
}

/** An adapter that a request uses. */
export interface AdapterUse {
  name: string;
  /** Its change is multiplied by this, besides the adapter's own scale. Default: 1; 0 leaves it out. */
  scale?: number;
}

/** How tokens are chosen and when a reply ends. What is left out follows the model's `generation_config.json`. */
export interface SamplingRequest {
  /** Default: until the model ends its reply or the context is full. */
  max_tokens?: number | null | undefined;
  stop?: string | string[] | null;
  /** 0 always takes the most likely token. */
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  repetition_penalty?: number | null;
  presence_penalty?: number | null;
  frequency_penalty?: number | null;
  /** The same seed, prompt and device give the same reply. */
  seed?: number | null;
  /** qwill's: the low-rank adapters to answer with. Default: those that `model.adapters.select` named. */
  adapters?: AdapterUse[] | null;
  /**
   * How many replies, 1 to 128; they run together, and their prompt is read once. The first has `seed`, each other one
   * the seed after that of the one before. Default: 1.
   */
  n?: number | null;
  /**
   * Added to the logits of tokens, by id: -100, which forbids a token, to 100, which forces it. Of 1024 tokens at most;
   * `model.tokenize` tells ids.
   */
  logit_bias?: Record<string, number> | null;
  /**
   * qwill's: `"ngram"` guesses tokens where the reply repeats what stood before, and checks several at once, which is faster
   * for texts that are edited or quoted; the reply is the same. Not where a format or penalties look at each token.
   * Default: `"off"`.
   */
  speculation?: Speculation | null;
  /** Accepted for the sake of OpenAI clients; the loaded model answers whatever stands here. */
  model?: string;
  user?: string;
  metadata?: Record<string, unknown> | null;
  store?: boolean | null;
  service_tier?: string | null;
  safety_identifier?: string | null;
  prompt_cache_key?: string | null;
  prompt_cache_options?: object | null;
  prompt_cache_retention?: string | null;
}

/** What OpenAI's clients may ask a conversation for and the model cannot do; or only what it does anyway. */
type NotServed = Partial<
  Record<
    | ("audio" | "function_call" | "functions" | "modalities" | "moderation")
    | ("prediction" | "verbosity" | "web_search_options"),
    unknown
  >
>;

/**
 * What the text of a reply must be, behind its thoughts; of the three one at most. Tokens that do not fit are never drawn, so
 * that a reply which ends by itself (`finish_reason: "stop"`) has the form. What cannot be followed is refused before anything is
 * generated.
 */
export interface FormRequest {
  /** JSON: any object, or what a schema describes. */
  response_format?:
    | { type: "text" }
    | { type: "json_object" }
    | {
        type: "json_schema";
        json_schema: {
          name: string;
          description?: string;
          schema?: Record<string, unknown>;
          /** Every schema is followed strictly, whatever stands here. */
          strict?: boolean | null;
        };
      }
    | null;
  /** qwill's: what matches this regular expression as a whole, in the syntax of Rust's `regex`. */
  regex?: string | null;
  /** qwill's: what follows this grammar: Lark's, from the rule `start` on, or llama.cpp's, which is known by its `::=`. */
  grammar?: string | { syntax: "lark" | "gbnf"; definition: string } | null;
}

/** Whether a reply calls tools. */
export type ToolChoice = "auto" | "none" | "required" | { type: "function"; function: { name: string } };

/** What a conversation is answered with. */
export interface ConversationRequest extends SamplingRequest, FormRequest, NotServed {
  /** The calls of tools that say `strict` obey their `parameters`. */
  tools?: (ChatTool | ChatCustomTool)[] | null;
  /**
   * `"auto"` lets the model decide, `"none"` hides the tools. `"required"` and a tool's name have the reply be calls, which obey
   * the tools' `parameters`. What else OpenAI has is not served.
   */
  tool_choice?: ToolChoice | { type: "allowed_tools" | "custom" } | null;
  /** `false`: one call at most. */
  parallel_tool_calls?: boolean | null;
  /** OpenAI's newer name for `max_tokens`. */
  max_completion_tokens?: number | null;
  /** Whether a model that can think does. */
  enable_thinking?: boolean | null;
  /** Most tokens of the thoughts, at least 1; longer ones are ended, and the answer follows. */
  thinking_budget?: number | null;
  /**
   * OpenAI's word for both: `"none"` does not think, `"minimal"`, `"low"`, `"medium"` and `"high"` have budgets of 256,
   * 1024, 4096 and 16384 tokens, `"xhigh"` and `"max"` none. What the two fields above say counts more.
   */
  reasoning_effort?: ReasoningEffort | null;
  /** Whether to tell how likely each token was, under the softmax of the logits as the model gives them. */
  logprobs?: boolean | null;
  /** With `logprobs`: how many of the most likely tokens to tell in each place, up to 20. */
  top_logprobs?: number | null;
  /** qwill's: the name of one of the model's chat templates. Default: `tool_use` with tools, if there is one, else `default`. */
  chat_template?: string | null;
  /**
   * Whether names of special tokens that people, tools and programs wrote (`<|im_end|>`, `</think>`) are ordinary text.
   * Default: `true`. `false` makes tokens of them, as transformers does: a page that a tool returns could forge an answer.
   */
  split_special_tokens?: boolean | null;
  /** Where other servers' clients put it. */
  chat_template_kwargs?: { enable_thinking?: boolean | null } | null;
}

/** What `chat.completions.create` takes. */
export interface ChatCompletionRequest extends StreamRequest, ConversationRequest {
  messages: ChatMessage[];
}

/** What `model.session` takes: what holds for every turn. */
export interface SessionRequest extends Omit<ConversationRequest, "n"> {
  /** How the conversation begins, such as with a system message. */
  messages?: ChatMessage[];
}

/** What `completions.create` takes. */
export interface CompletionRequest extends StreamRequest, SamplingRequest, FormRequest {
  /** Goes to the model as it stands: special tokens by their names, if there is no suffix. */
  prompt: string;
  /** The text after the gap that the model fills. Code models of Qwen2.5 and later can. */
  suffix?: string | null;
  /** Whether the prompt begins the text, and its tokens the `logprobs`: then these are told even if `max_tokens` is 0. */
  echo?: boolean | null;
  /** Tell how likely each token was, and up to 20 of the most likely ones in its place. */
  logprobs?: number | null;
}

/** A request for one whole reply. */
export type ChatCompletionRequestNonStreaming = ChatCompletionRequest & { stream?: false | null };
/** A request for a stream. */
export type ChatCompletionRequestStreaming = ChatCompletionRequest & { stream: true };
/** A request for one whole completion. */
export type CompletionRequestNonStreaming = CompletionRequest & { stream?: false | null };
/** A request for a stream. */
export type CompletionRequestStreaming = CompletionRequest & { stream: true };

/** Per-call options of everything but completions. */
export interface CallOptions {
  signal?: AbortSignal | null | undefined;
}

/** Why a reply ended. */
export type FinishReason = "stop" | "length" | "tool_calls";

/** Tokens counted. */
export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** `cached_tokens`: prompt tokens that were still in the cache from an earlier call. */
  prompt_tokens_details: { cached_tokens: number };
  /** `reasoning_tokens`: those of `completion_tokens` that are thoughts, or begin or end them. */
  completion_tokens_details: { reasoning_tokens: number };
}

/** How likely the tokens of a reply were: all that were drawn, thoughts included, but for one that ends the text. */
export interface ChatLogprobs {
  content: TokenLogprob[];
  refusal: null;
}

/** One of the replies to a request. */
export interface ChatCompletionChoice {
  index: number;
  message: {
    role: "assistant";
    content: string | null;
    reasoning_content?: string;
    tool_calls?: ChatToolCall[];
    refusal: null;
  };
  logprobs: ChatLogprobs | null;
  finish_reason: FinishReason;
}

/** Whole replies, in OpenAI's shape. */
export interface ChatCompletion {
  id: string;
  object: "chat.completion";
  created: number;
  model: string;
  choices: [ChatCompletionChoice, ...ChatCompletionChoice[]];
  usage: Usage;
  /** Of several choices: those of the first. */
  timings: Timings;
}

/** What one chunk adds to the message. */
export interface ChatCompletionDelta {
  role?: "assistant";
  content?: string;
  reasoning_content?: string;
  tool_calls?: {
    index: number;
    id?: string;
    type?: "function";
    function: { name?: string; arguments?: string };
  }[];
}

/** A piece of a streamed reply, in OpenAI's shape. */
export interface ChatCompletionChunk {
  id: string;
  object: "chat.completion.chunk";
  created: number;
  model: string;
  choices: {
    index: number;
    delta: ChatCompletionDelta;
    /** Of the tokens that the chunk shows the text of. */
    logprobs: ChatLogprobs | null;
    finish_reason: FinishReason | null;
  }[];
  /** On the chunk with the last finish_reason, or with `include_usage` on an extra last chunk. */
  usage?: Usage | null;
  /** Beside `usage`. */
  timings?: Timings;
}

/** The text of a completion, or a piece of it. */
export interface CompletionChoice {
  text: string;
  index: number;
  logprobs: CompletionLogprobs | null;
  /** Null in every chunk but the last of the choice. */
  finish_reason: FinishReason | null;
}

/** A whole completion, in OpenAI's shape. */
export interface Completion {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: [CompletionChoice, ...CompletionChoice[]];
  usage: Usage;
  /** Of several choices: those of the first. */
  timings: Timings;
}

/** A piece of a streamed completion, in OpenAI's shape. */
export interface CompletionChunk {
  id: string;
  object: "text_completion";
  created: number;
  model: string;
  choices: CompletionChoice[];
  /** On the chunk with the last finish_reason, or with `include_usage` on an extra last chunk. */
  usage?: Usage | null;
  /** Beside `usage`. */
  timings?: Timings;
}
