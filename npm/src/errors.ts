/** Every way in which qwill fails. The README has a table of what each one means and what to do. */
export type QwillErrorCode = (typeof CODES)[number];

const CODES = [
  "webgpu-unavailable",
  "no-gpu",
  "device-lost",
  "out-of-memory",
  "gpu-error",
  "unknown-architecture",
  "invalid-file",
  "file-not-found",
  "invalid-tokenizer",
  "invalid-text",
  "invalid-source",
  "invalid-request",
  "prompt-too-long",
  "network",
  "not-found",
  "unauthorized",
  "file-changed",
  "checksum-mismatch",
  "quota-exceeded",
  "worker",
  "timeout",
  "aborted",
  "disposed",
  "internal",
] as const;

/**
 * The error that every function of this package throws or rejects with.
 *
 * `code` is for programs, `message` for people. As with web APIs the `name` is `"AbortError"` for `code: "aborted"` and
 * `"TimeoutError"` for `code: "timeout"`.
 */
export class QwillError extends Error {
  readonly code: QwillErrorCode;

  constructor(code: QwillErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = code === "aborted" ? "AbortError" : code === "timeout" ? "TimeoutError" : "QwillError";
    this.code = code;
  }
}

/** How an error crosses from the worker: `postMessage` keeps neither the class nor its fields. */
export interface ErrorMessage {
  code: QwillErrorCode;
  message: string;
}

/** What a caller whose signal fired gets; the reason that they gave to `abort()` is the cause. Our own says it itself. */
export function aborted(signal?: AbortSignal): QwillError {
  if (signal?.reason instanceof QwillError) return signal.reason;
  return new QwillError("aborted", "The call was aborted.", { cause: signal?.reason });
}

/** Turns anything thrown into a QwillError. The wasm module throws errors that carry a `code`. */
export function toQwillError(thrown: unknown): QwillError {
  if (thrown instanceof QwillError) return thrown;
  if (thrown instanceof Error) {
    const { code } = thrown as { code?: unknown };
    const known = CODES.find((candidate) => candidate === code);
    if (known) return new QwillError(known, thrown.message);
    if (thrown.name === "AbortError") return new QwillError("aborted", thrown.message, { cause: thrown });
    return new QwillError("internal", `${thrown.name}: ${thrown.message}`, { cause: thrown });
  }
  return new QwillError("internal", String(thrown), { cause: thrown });
}
