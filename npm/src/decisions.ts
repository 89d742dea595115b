// Questions about a text and their answers, in the shape of OpenAI's Decisions.

import type { Timings } from "./engine-chat.ts";
import type { AdapterUse } from "./openai.ts";

interface Asked {
  /** What is asked: a question, or a statement that may be true. */
  instructions: string;
  /** What the answer is called. No two questions of a request are called the same. */
  name?: string;
}

/** Yes or no. */
export interface PredicateQuestion extends Asked {
  type: "predicate";
}

/** One of several answers, whose order says nothing. */
export interface ChoiceQuestion extends Asked {
  type: "choice";
  /** 2 to 255 answers, and what they mean. */
  choices: readonly { value: string | boolean; description?: string }[];
}

/** A place on a scale. */
export interface ScoreQuestion extends Asked {
  type: "score";
  /** 2 to 10 levels, the lowest first, and what they mean. */
  levels: readonly { label: string; description?: string }[];
}

export type DecisionQuestion = PredicateQuestion | ChoiceQuestion | ScoreQuestion;

/** A message of the input. The texts of several are read as one. */
export interface DecisionInputMessage {
  role: "user";
  content: string | readonly { type: "input_text" | "text"; text: string }[];
  type?: "message";
}

/** Questions about an input, which is read once. */
export interface DecisionRequest<
  Questions extends readonly DecisionQuestion[] = readonly DecisionQuestion[],
> {
  input: string | readonly DecisionInputMessage[];
  questions: Questions;
  /** Ignored: the model is the one that is loaded. */
  model?: string;
  /** qwill's: the low-rank adapters to answer with. Default: those that `model.adapters.select` named. */
  adapters?: AdapterUse[] | null;
}

export interface PredicateAnswer {
  type: "predicate";
  name: string | null;
  /** Of yes. */
  probability: number;
}

export interface ChoiceAnswer {
  type: "choice";
  name: string | null;
  /** The most likely one. */
  choice: string | boolean;
  /** How far it stands above chance: from 0, all are equally likely, to 1, it is certain. */
  confidence: number;
  /** Of all choices, in the order in which they were given. */
  probabilities: { value: string | boolean; probability: number }[];
}

export interface ScoreAnswer {
  type: "score";
  name: string | null;
  /** The expected level, from 0 for the lowest to their number less one. */
  score: number;
  /** How far the most likely level stands above chance, from 0 to 1. */
  confidence: number;
  /** Of all levels, the lowest first; `value` counts them from 0. */
  probabilities: { value: number; label: string; probability: number }[];
}

export type DecisionAnswer = PredicateAnswer | ChoiceAnswer | ScoreAnswer;

/** The answer to a kind of question. */
export type AnswerTo<Question extends DecisionQuestion> = Extract<DecisionAnswer, { type: Question["type"] }>;

export interface Decision<Questions extends readonly DecisionQuestion[] = readonly DecisionQuestion[]> {
  model: string;
  /** One for each question, in their order. */
  answers: { -readonly [Index in keyof Questions]: AnswerTo<Questions[Index]> };
  usage: {
    /** What all questions begin with once, then each question and each of its options. */
    input_tokens: number;
    /** Tokens of the first question that were in the cache already. */
    input_tokens_details: { cached_tokens: number };
    /** 0: nothing is written. */
    output_tokens: number;
    output_tokens_details: { reasoning_tokens: number };
    total_tokens: number;
    /** qwill's: tokens that the device read. */
    read_tokens: number;
  };
  /** qwill's: there is only prefill. */
  timings: Timings & { load_ms: number };
}
