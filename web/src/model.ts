// The model that is loaded, is being loaded, or could not be loaded.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type LoadOptions, type LoadProgress, load, type Model, type ModelSource, QwillError } from "qwill";

/** A model that someone chose, and how it is to be set up. */
export interface ModelChoice {
  source: ModelSource;
  /** What to call it. */
  label: string;
  options?: Pick<LoadOptions, "endpoint" | "contextLength" | "kvType">;
}

export const DEMO: ModelChoice = { source: "demo", label: "Demo model" };

export type ModelState =
  | { kind: "loading"; choice: ModelChoice; progress: LoadProgress | undefined }
  | { kind: "ready"; choice: ModelChoice; model: Model; loadMs: number }
  | { kind: "failed"; choice: ModelChoice; error: QwillError };

export interface Loader {
  state: ModelState;
  /** Loads another model in place of this one. */
  open: (choice: ModelChoice) => void;
  /** Abandons the load that is going on. */
  cancel: () => void;
  /** Tries the last source once more. */
  retry: () => void;
}

/** What to call a hub id or an address. */
export function labelOfAddress(address: string): string {
  const path = address.split(/[?#]/)[0]?.replace(/\/(tree|commits|discussions)(\/.*)?$/, "");
  return path?.split("/").filter(Boolean).at(-1) ?? address;
}

/** What was thrown, as an error of the package. */
export function toError(thrown: unknown): QwillError {
  return thrown instanceof QwillError ? thrown : new QwillError("internal", String(thrown));
}

export function useModel(first: ModelChoice): Loader {
  const [state, setState] = useState<ModelState>({ kind: "loading", choice: first, progress: undefined });
  const wanted = useRef(first);
  const current = useRef<{ model?: Model; controller: AbortController }>(undefined);

  const start = useCallback(async () => {
    const choice = wanted.current;
    current.current?.controller.abort();
    // Two models might not fit: the old one goes before the new one comes.
    void current.current?.model?.dispose();
    const mine: { model?: Model; controller: AbortController } = { controller: new AbortController() };
    current.current = mine;
    const isCurrent = () => current.current === mine;
    const show = (next: ModelState) => isCurrent() && setState(next);
    show({ kind: "loading", choice, progress: undefined });
    const begun = performance.now();
    try {
      const model = await load(choice.source, {
        ...choice.options,
        signal: mine.controller.signal,
        onProgress: (progress) => show({ kind: "loading", choice, progress }),
      });
      if (!isCurrent()) return void model.dispose();
      mine.model = model;
      show({ kind: "ready", choice, model, loadMs: performance.now() - begun });
      void model.lost.then((error) => show({ kind: "failed", choice, error }));
    } catch (thrown) {
      show({ kind: "failed", choice, error: toError(thrown) });
    }
  }, []);

  useEffect(() => {
    void start();
    return () => current.current?.controller.abort();
  }, [start]);

  return {
    state,
    open: (choice) => {
      wanted.current = choice;
      void start();
    },
    cancel: () => current.current?.controller.abort(),
    retry: () => void start(),
  };
}
