// Where the model lives: in a worker of its own, in one that the caller made, or in the page.

import { QwillError } from "./errors.ts";
import type { Port } from "./rpc.ts";

export type WorkerOption = "auto" | "inline" | Worker;

/** A port to a model's host. */
export interface Connection {
  port: Port;
  /** Whether `close` ends the host and frees everything that it holds. */
  owned: boolean;
  close: () => void;
  /** Hears of a worker that dies. */
  onDeath: (listener: (error: QwillError) => void) => void;
}

export async function connect(option: WorkerOption): Promise<Connection> {
  if (typeof option !== "string") return fromWorker(option);
  if (option === "inline" || typeof Worker === "undefined") return inline();
  try {
    const worker = ownWorker();
    await ready(worker);
    return fromWorker(worker);
  } catch (error) {
    console.warn(
      `qwill: ${(error as Error).message} The model runs in the page instead, which may stutter. If a bundler left the ` +
        'worker out: the README\'s "Bundlers" has recipes.',
    );
    return inline();
  }
}

async function inline(): Promise<Connection> {
  const [{ host }, { startWasm }] = await Promise.all([import("./host.ts"), import("./wasm.ts")]);
  const { port1, port2 } = new MessageChannel();
  host(port2, startWasm);
  return { port: port1, owned: false, close: () => port1.close(), onDeath: () => {} };
}

function ownWorker(): Worker {
  const here = import.meta.url;
  if (/^https?:/.test(here) && new URL(here).origin !== location.origin) {
    // Loaded from a CDN: a worker's script must come from the page's own origin, but it may import from elsewhere.
    const script = `import ${JSON.stringify(here.replace(/[^/]*$/, "worker.js"))};`;
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    return new Worker(url, { type: "module", name: "qwill" });
  }
  // Bundlers recognise exactly this expression.
  return new Worker(new URL("./worker.js", import.meta.url), { type: "module", name: "qwill" });
}

/** Waits for the worker's first message, or for the event that says that its script did not load. */
function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = () => resolve();
    worker.onerror = (event) => {
      worker.terminate();
      const reason = event.message || "its script did not load";
      reject(new QwillError("worker", `The worker could not be started (${reason}).`));
    };
  });
}

function fromWorker(worker: Worker): Connection {
  return {
    port: worker,
    owned: true,
    close: () => worker.terminate(),
    onDeath(listener) {
      worker.onerror = (event) => {
        const reason = event.message || "no reason was given";
        listener(new QwillError("worker", `The model's worker failed (${reason}). Load the model again.`));
      };
    },
  };
}
