// What a chosen model takes on this GPU, known before it is downloaded.

import { useCallback, useEffect, useState } from "preact/hooks";
import { type MemoryPlan, type ModelPlan, plan, type QwillError } from "qwill";
import { bytes } from "./format.ts";
import { type ModelChoice, toError } from "./model.ts";

/** What a person may set before a model is loaded. */
export interface Setup {
  /** Tokens; null leaves them to the model and the GPU. */
  contextLength: number | null;
  kvType: MemoryPlan["kvType"];
}

export type PlanState =
  /** With the plan for what was set before, if there is one. */
  | { kind: "checking"; plan: ModelPlan | undefined }
  | { kind: "known"; plan: ModelPlan }
  | { kind: "failed"; plan: undefined; error: QwillError };

/** Milliseconds without a change after which a number counts as typed. */
const TYPING_PAUSE = 250;

export function withSetup(choice: ModelChoice, { contextLength, kvType }: Setup): ModelChoice {
  const options = { ...choice.options, kvType, ...(contextLength !== null && { contextLength }) };
  return { ...choice, options };
}

/** The plan for a choice as it is set up, and a way to ask once more. */
export function usePlan(choice: ModelChoice, setup: Setup): [PlanState, () => void] {
  const { contextLength, kvType } = setup;
  const [state, setState] = useState<PlanState>({ kind: "checking", plan: undefined });
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    setState(({ plan }) => ({ kind: "checking", plan }));
    const ask = async (): Promise<PlanState> => {
      try {
        const { source, options } = withSetup(choice, { contextLength, kvType });
        return { kind: "known", plan: await plan(source, { ...options, signal }) };
      } catch (thrown) {
        return { kind: "failed", plan: undefined, error: toError(thrown) };
      }
    };
    const timer = setTimeout(async () => {
      const answer = await ask();
      if (!signal.aborted) setState(answer);
    }, TYPING_PAUSE);
    return () => {
      clearTimeout(timer);
      controller.abort();
    };
  }, [choice, contextLength, kvType, attempt]);

  return [state, useCallback(() => setAttempt((n) => n + 1), [])];
}

/** How the formats of the cache are called. */
export const CACHES: Record<MemoryPlan["kvType"], string> = {
  f16: "16-bit",
  q8: "8-bit",
  f32: "32-bit",
};

const tokens = (n: number) => `${n.toLocaleString("en")} tokens`;

/** A change that makes a model fit. */
export interface Suggestion {
  label: string;
  change: Partial<Setup>;
}

/** What would fit instead of what does not. */
export function suggestions({ fit, fittingContextLength }: MemoryPlan): Suggestion[] {
  const cache = (kvType: Setup["kvType"]) => ({
    label: `Use the ${CACHES[kvType]} cache`,
    change: { kvType },
  });
  const context = (contextLength: number) => ({
    label: `Use a context of ${tokens(contextLength)}`,
    change: { contextLength },
  });
  return [
    ...(fit === "with-q8-cache" ? [cache("q8")] : []),
    ...(fit === "with-f16-cache" ? [cache("f16")] : []),
    ...(fittingContextLength !== undefined ? [context(fittingContextLength)] : []),
  ];
}

/** Whether it fits, in words. */
export function verdict({ memory, maxBufferBytes }: ModelPlan): string {
  const context = `a context of ${tokens(memory.contextLength)}`;
  const obstacle = memory.obstacle ? `: ${memory.obstacle}` : "";
  switch (memory.fit) {
    case "fits":
      return `It fits, with ${context}.`;
    case "unsure":
      return (
        `It may fit, with ${context}. It takes ${bytes(memory.totalBytes)}; of this GPU's memory only so much is ` +
        `known that one buffer may have ${bytes(maxBufferBytes)}. If there is too little, loading ends with a message.`
      );
    case "does-not-fit":
      return (
        `It does not fit this GPU, whatever the context${obstacle}. ` +
        "Choose a smaller model, or one whose weights are quantised more."
      );
    default:
      return `It does not fit with ${context} and the ${CACHES[memory.kvType]} cache${obstacle}.`;
  }
}
