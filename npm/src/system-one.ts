// Questions about a state and their answers, in the shape of TypeSafe's System One.

/** A text, or JSON that the model reads as it is written. */
export type SystemOneContent = string | { [key: string]: unknown } | readonly unknown[];

/** Yes or no. */
export interface NoulQuestion {
  type: "noul";
  instructions: SystemOneContent;
  /** What yes and no mean. */
  criteria?: { true?: SystemOneContent | null; false?: SystemOneContent | null };
}

/** One of several answers. */
export interface SystemOneChoiceQuestion {
  type: "choice";
  instructions: SystemOneContent;
  /** 2 to 255 answers, and what they mean. */
  criteria: { [choice: string]: SystemOneContent | null };
}

/** A place on a scale. */
export interface SystemOneScoreQuestion {
  type: "score";
  instructions: SystemOneContent;
  /** What 2 to 10 levels mean, the lowest first. */
  criteria: readonly SystemOneContent[];
}

export type SystemOneQuestion = NoulQuestion | SystemOneChoiceQuestion | SystemOneScoreQuestion;

/** Questions by name. */
export interface SystemOneQuestions {
  [name: string]: SystemOneQuestion;
}

/** Questions about a state, which is read once. */
export interface SystemOneRequest<Questions extends SystemOneQuestions = SystemOneQuestions> {
  state: SystemOneContent;
  questions: Questions;
  /** Ignored: the model is the one that is loaded. */
  model?: string;
}

export interface NoulAnswer {
  type: "noul";
  /** How likely yes is. */
  noul: number;
}

export interface SystemOneChoiceAnswer {
  type: "choice";
  /** The most likely one. */
  choice: string;
  probabilities: { [choice: string]: number };
  /** How far the most likely one stands above chance, from 0 to 1. */
  confidence: number;
}

export interface SystemOneScoreAnswer {
  type: "score";
  /** The expected level, from 0. */
  score: number;
  /** What the levels mean, by their number. */
  legend: { [level: string]: string };
  probabilities: { [level: string]: number };
  /** How far the most likely level stands above chance, from 0 to 1. */
  confidence: number;
}

export type SystemOneAnswer = NoulAnswer | SystemOneChoiceAnswer | SystemOneScoreAnswer;

export interface SystemOneReply<Questions extends SystemOneQuestions = SystemOneQuestions> {
  model: string;
  /** By the names of the questions. */
  answers: {
    -readonly [Name in keyof Questions]: Extract<SystemOneAnswer, { type: Questions[Name]["type"] }>;
  };
  usage: { input_tokens: number; output_tokens: number };
}
