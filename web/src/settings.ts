// What the person has set; kept in this browser. `null` leaves a value to the model's own defaults.

import { useCallback, useState } from "preact/hooks";

export interface Settings {
  system: string;
  thinking: boolean;
  temperature: number | null;
  top_p: number | null;
  top_k: number | null;
  min_p: number | null;
  max_tokens: number | null;
  seed: number | null;
}

export const DEFAULTS: Settings = {
  system: "",
  thinking: true,
  temperature: null,
  top_p: null,
  top_k: null,
  min_p: null,
  max_tokens: null,
  seed: null,
};

const KEY = "qwill-chat-settings";

function stored(): Settings {
  try {
    return { ...DEFAULTS, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Settings>) };
  } catch {
    return DEFAULTS;
  }
}

export function useSettings(): [Settings, (change: Partial<Settings>) => void] {
  const [settings, setSettings] = useState(stored);
  const change = useCallback((part: Partial<Settings>) => {
    setSettings((old) => {
      const next = { ...old, ...part };
      try {
        localStorage.setItem(KEY, JSON.stringify(next));
      } catch {
        // Storage is full or forbidden: the settings last as long as the page.
      }
      return next;
    });
  }, []);
  return [settings, change];
}
