// The in-page benchmark: `window.bench` for scripts, a form for people.

import { type BenchRequest, type BenchResult, load, type ModelSource } from "qwill";
import "./styles/base.css";
import "./styles/bench.css";

export interface PageBenchRequest extends BenchRequest {
  /** What to load; `"demo"` if neither this nor `random` is given. */
  model?: ModelSource;
  /** Shape and format of a model with random weights, such as `"qwen3-0.6b:q4_0"`. */
  random?: string;
  /** Capabilities to leave unused. */
  caps?: string;
}

/** `load_ms` is from the call to the model being usable, download and worker included. */
export type PageBenchResult = BenchResult;

declare global {
  interface Window {
    bench: (request?: PageBenchRequest) => Promise<PageBenchResult>;
  }
}

window.bench = async ({ model = "demo", random, caps, ...request } = {}) => {
  const begun = performance.now();
  const loaded = await load(random === undefined ? model : { random }, caps === undefined ? {} : { caps });
  const load_ms = performance.now() - begun;
  try {
    return { ...(await loaded.bench(request)), load_ms, gpu: loaded.info.gpu };
  } finally {
    await loaded.dispose();
  }
};

const field = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;

field<HTMLFormElement>("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [start, output] = [field<HTMLButtonElement>("start"), field("result")];
  const number = (id: string) => field<HTMLInputElement>(id).valueAsNumber;
  const what = field<HTMLInputElement>("what").value.trim();
  const isShape = /^[\w.-]+:\w+$/.test(what);
  start.disabled = true;
  output.textContent = "Measuring…";
  try {
    const result = await window.bench({
      ...(isShape ? { random: what } : { model: what }),
      prompt_tokens: number("prompt_tokens"),
      decode_tokens: number("decode_tokens"),
      runs: number("runs"),
    });
    output.textContent = JSON.stringify(result, undefined, 2);
  } catch (error) {
    output.textContent = String(error);
  }
  start.disabled = false;
});
