import { QwillError } from "./errors.ts";

/** What fills a stream. */
export interface Sink<Chunk> {
  push(chunk: Chunk): void;
  end(): void;
  fail(error: QwillError): void;
}

/**
 * The chunks of a reply as they are generated: `for await (const chunk of stream)`.
 *
 * Leaving the loop stops the generation. `stop()` ends it early but politely: the last chunk, with its
 * finish_reason and usage, still comes. After `controller.abort()`, as with OpenAI's streams, the loop just ends.
 */
export class ReplyStream<Chunk> implements AsyncIterable<Chunk> {
  /** Ends the generation and the stream when it is aborted. */
  readonly controller = new AbortController();
  #chunks: Chunk[] = [];
  #error: QwillError | undefined;
  #done = false;
  #cancelled = false;
  #iterated = false;
  #wake: (() => void) | undefined;
  readonly #cancel: () => void;

  /**
   * `begin` starts what fills the stream, and returns how to cancel it.
   * @internal
   */
  constructor(begin: (sink: Sink<Chunk>) => () => void) {
    this.#cancel = begin({
      push: (chunk) => {
        if (this.#done) return;
        this.#chunks.push(chunk);
        this.#wake?.();
      },
      end: () => this.#finish(),
      fail: (error) => {
        // Whoever has stopped it already is not told that they aborted it, too.
        if (!(this.#cancelled && error.code === "aborted")) {
          this.#error = error;
          // What was generated before the caller aborted is not shown after it.
          if (error.code === "aborted") this.#chunks = [];
        }
        this.#finish();
      },
    });
    this.controller.signal.addEventListener("abort", () => {
      if (this.#done) return;
      this.#chunks = [];
      this.stop();
      this.#finish();
    });
  }

  /** Ends the generation after the current token. */
  stop(): void {
    this.#cancelled = true;
    this.#cancel();
  }

  /**
   * Two streams of the same chunks, to be read at different speeds, in place of this one. The generation goes on as long
   * as one of them is read.
   */
  tee(): [ReplyStream<Chunk>, ReplyStream<Chunk>] {
    const chunks = this[Symbol.asyncIterator]();
    const sinks: Sink<Chunk>[] = [];
    const stopped = new Set<Sink<Chunk>>();
    const half = () =>
      new ReplyStream<Chunk>((sink) => {
        sinks.push(sink);
        return () => {
          stopped.add(sink);
          if (stopped.size === sinks.length) this.stop();
        };
      });
    const halves: [ReplyStream<Chunk>, ReplyStream<Chunk>] = [half(), half()];
    const fill = async () => {
      for await (const chunk of chunks) for (const sink of sinks) sink.push(chunk);
      for (const sink of sinks) sink.end();
    };
    fill().catch((error: QwillError) => {
      for (const sink of sinks) sink.fail(error);
    });
    return halves;
  }

  /** The chunks as JSON, one a line, as `Stream.fromReadableStream` of OpenAI's client reads them. */
  toReadableStream(): ReadableStream<Uint8Array<ArrayBuffer>> {
    const chunks = this[Symbol.asyncIterator]();
    const encoder = new TextEncoder();
    return new ReadableStream({
      async pull(controller) {
        const { value, done } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(encoder.encode(`${JSON.stringify(value)}\n`));
      },
      cancel: () => this.controller.abort(),
    });
  }

  [Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
    if (this.#iterated) {
      throw new QwillError("invalid-request", "A stream can be read only once; tee() makes two of it.");
    }
    this.#iterated = true;
    return this.#read();
  }

  async *#read(): AsyncGenerator<Chunk, void, undefined> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift();
        if (chunk) {
          yield chunk;
          continue;
        }
        if (this.#error) throw this.#error;
        if (this.#done) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      if (!this.#done) this.stop();
    }
  }

  #finish(): void {
    this.#done = true;
    this.#wake?.();
  }
}
