// The model that is loaded, is being loaded, or could not be loaded.

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type LoadProgress, load, type Model, type ModelSource, QwillError } from "qwill";

export type ModelState =
  | { kind: "loading"; label: string; progress: LoadProgress | undefined }
  | { kind: "ready"; label: string; model: Model; loadMs: number }
  | { kind: "failed"; label: string; error: QwillError };

export interface Loader {
  state: ModelState;
  /** Loads another model in place of this one; `endpoint` is that of another hub than the usual one. */
  open: (source: ModelSource, label: string, endpoint?: string) => void;
  /** Abandons the load that is going on. */
  cancel: () => void;
  /** Tries the last source once more. */
  retry: () => void;
}

/** What to call a hub id or an address. */
export function labelOfAddress(address: string): string {
  return address.split(/[?#]/)[0]?.split("/").filter(Boolean).at(-1) ?? address;
}

interface Wanted {
  source: ModelSource;
  label: string;
  endpoint: string | undefined;
}

export function useModel(first: ModelSource, firstLabel: string): Loader {
  const [state, setState] = useState<ModelState>({ kind: "loading", label: firstLabel, progress: undefined });
  const wanted = useRef<Wanted>({ source: first, label: firstLabel, endpoint: undefined });
  const current = useRef<{ model?: Model; controller: AbortController }>(undefined);

  const start = useCallback(async () => {
    const { source, label, endpoint } = wanted.current;
    current.current?.controller.abort();
    // Two models might not fit: the old one goes before the new one comes.
    void current.current?.model?.dispose();
    const mine: { model?: Model; controller: AbortController } = { controller: new AbortController() };
    current.current = mine;
    const isCurrent = () => current.current === mine;
    const show = (next: ModelState) => isCurrent() && setState(next);
    show({ kind: "loading", label, progress: undefined });
    const begun = performance.now();
    try {
      const model = await load(source, {
        signal: mine.controller.signal,
        ...(endpoint !== undefined && { endpoint }),
        onProgress: (progress) => show({ kind: "loading", label, progress }),
      });
      if (!isCurrent()) return void model.dispose();
      mine.model = model;
      show({ kind: "ready", label, model, loadMs: performance.now() - begun });
      void model.lost.then((error) => show({ kind: "failed", label, error }));
    } catch (thrown) {
      const error = thrown instanceof QwillError ? thrown : new QwillError("internal", String(thrown));
      show({ kind: "failed", label, error });
    }
  }, []);

  useEffect(() => {
    void start();
    return () => current.current?.controller.abort();
  }, [start]);

  return {
    state,
    open: (source, label, endpoint) => {
      wanted.current = { source, label, endpoint };
      void start();
    },
    cancel: () => current.current?.controller.abort(),
    retry: () => void start(),
  };
}
