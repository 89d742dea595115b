// Calls over a message port: a call has a result or an error, may send events before it, and can be cancelled.
// A worker, the inside of a worker and both ends of a MessageChannel are such ports.

import { aborted, type ErrorMessage, QwillError, toQwillError } from "./errors.ts";

export interface Port {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => unknown) | null;
}

/** Every method with what goes in, what comes out, and what is sent in between. */
export type Methods = Record<string, { args: unknown; result: unknown; event: unknown }>;

/** How a caller ends a call before its time: `"stop"` takes what there is, `"abort"` wants nothing of it. */
export type Ending = "stop" | "abort";

/** What comes of a call, and how to end it with what there is. */
export type Call<T> = Promise<T> & { cancel: () => void };

type Request = { id: number; method: string; args: unknown } | { id: number; cancel: Ending };
type Response =
  | { id: number; event: unknown }
  | { id: number; result: unknown }
  | { id: number; error: ErrorMessage }
  | { notice: ErrorMessage };

interface Pending {
  resolve: (result: never) => void;
  reject: (error: QwillError) => void;
  onEvent: ((event: never) => void) | undefined;
}

/** The calling end. */
export class Client<M extends Methods> {
  readonly #port: Port;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #closed: QwillError | undefined;

  /** `onNotice` hears of errors that belong to no call, such as a lost device. */
  constructor(port: Port, onNotice: (error: QwillError) => void) {
    this.#port = port;
    port.onmessage = ({ data }: MessageEvent<Response>) => {
      if ("notice" in data) return onNotice(new QwillError(data.notice.code, data.notice.message));
      const call = this.#pending.get(data.id);
      if (!call) return;
      if ("event" in data) return call.onEvent?.(data.event as never);
      this.#pending.delete(data.id);
      if ("result" in data) call.resolve(data.result as never);
      else call.reject(new QwillError(data.error.code, data.error.message));
    };
  }

  /**
   * When `signal` fires, the other end stops as soon as it can, and the call rejects: at once, or with `whenAborted:
   * "wait"` when the other end has stopped. One that waits knows what became of the call: a result that was on its way
   * counts.
   */
  call<K extends keyof M & string>(
    method: K,
    args: M[K]["args"],
    options: {
      onEvent?: (event: M[K]["event"]) => void;
      signal?: AbortSignal | null | undefined;
      whenAborted?: "leave" | "wait";
    } = {},
  ): Call<M[K]["result"]> {
    const id = ++this.#lastId;
    const { whenAborted = "leave" } = options;
    const signal = options.signal ?? undefined;
    const end = (cancel: Ending) => {
      if (this.#pending.has(id)) this.#port.postMessage({ id, cancel } satisfies Request);
    };
    const result = new Promise<M[K]["result"]>((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (signal?.aborted) return reject(aborted(signal));
      const abort = () => {
        end("abort");
        if (whenAborted === "wait") return;
        this.#pending.delete(id);
        reject(aborted(signal));
      };
      signal?.addEventListener("abort", abort, { once: true });
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener("abort", abort);
          then(value);
        };
      const fail = (error: QwillError) =>
        reject(error.code === "aborted" && signal?.aborted ? aborted(signal) : error);
      this.#pending.set(id, { resolve: settle(resolve), reject: settle(fail), onEvent: options.onEvent });
      try {
        this.#port.postMessage({ id, method, args } satisfies Request);
      } catch (error) {
        const why = (error as Error).message;
        const message = `The request cannot be served: it holds what cannot be sent to a worker (${why}).`;
        this.#pending.get(id)?.reject(new QwillError("invalid-request", message, { cause: error }));
        this.#pending.delete(id);
      }
    });
    return Object.assign(result, { cancel: () => end("stop") });
  }

  /** Cancels every pending call and rejects it with `error`. */
  abandon(error: QwillError): void {
    const calls = [...this.#pending];
    this.#pending.clear();
    for (const [id, call] of calls) {
      this.#port.postMessage({ id, cancel: "abort" } satisfies Request);
      call.reject(error);
    }
  }

  /** As `abandon`, and rejects every later call, too. */
  close(error: QwillError): void {
    this.#closed ??= error;
    this.abandon(this.#closed);
  }
}

/** What a method gets besides its arguments. */
export interface CallContext<Event> {
  emit: (event: Event) => void;
  /** Fires when the caller ends the call; how is its reason, an `Ending`. */
  signal: AbortSignal;
}

export type Handlers<M extends Methods> = {
  [K in keyof M]: (args: M[K]["args"], context: CallContext<M[K]["event"]>) => Promise<M[K]["result"]>;
};

/** The answering end: calls run together, begun in the order in which they come. Returns what sends a notice. */
export function serve<M extends Methods>(port: Port, handlers: Handlers<M>): (error: QwillError) => void {
  const running = new Map<number, AbortController>();
  const post = (response: Response) => port.postMessage(response);
  const toMessage = ({ code, message }: QwillError): ErrorMessage => ({ code, message });

  async function run(id: number, method: string, args: unknown, signal: AbortSignal): Promise<void> {
    try {
      const emit = (event: unknown) => post({ id, event });
      const handler = handlers[method];
      if (!handler) throw new QwillError("internal", `there is no method ${method}`);
      post({ id, result: await handler(args, { emit, signal }) });
    } catch (error) {
      post({ id, error: toMessage(toQwillError(error)) });
    } finally {
      running.delete(id);
    }
  }

  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if ("cancel" in data) return running.get(data.id)?.abort(data.cancel);
    const controller = new AbortController();
    running.set(data.id, controller);
    void run(data.id, data.method, data.args, controller.signal);
  };
  return (error) => post({ notice: toMessage(error) });
}
