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
 * finish_reason and usage, still comes.
 */
export class ReplyStream<Chunk> implements AsyncIterable<Chunk> {
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
    const finish = () => {
      this.#done = true;
      this.#wake?.();
    };
    this.#cancel = begin({
      push: (chunk) => {
        this.#chunks.push(chunk);
        this.#wake?.();
      },
      end: finish,
      fail: (error) => {
        // Whoever has stopped it already is not told that they aborted it, too.
        if (!(this.#cancelled && error.code === "aborted")) {
          this.#error = error;
          // What was generated before the caller aborted is not shown after it.
          if (error.code === "aborted") this.#chunks = [];
        }
        finish();
      },
    });
  }

  /** Ends the generation after the current token. */
  stop(): void {
    this.#cancelled = true;
    this.#cancel();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
    if (this.#iterated) throw new QwillError("invalid-request", "A stream can be read only once.");
    this.#iterated = true;
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
}
