// Checks of what callers give. What qwill cannot do (yet) is refused by name: an option that is silently ignored
// costs its user an evening.

import { QwillError } from "./errors.ts";

/** An option that only some values are served of: whether this one is not. */
export type NotYet = Record<string, (value: unknown) => boolean>;

/** Refuses options that are not `known`, and values that are `notYet` served. Null and undefined say nothing. */
export function refuseUnknown(options: object, known: ReadonlySet<string>, notYet: NotYet = {}): void {
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined || value === null || known.has(key)) continue;
    const refused = Object.hasOwn(notYet, key) ? notYet[key] : undefined;
    if (!refused) throw invalid(`the option "${key}" is not known`);
    if (refused(value)) throw invalid(`"${key}": ${JSON.stringify(value)} is not supported yet`);
  }
}

export function finite(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw invalid(`${name} must be a number, not ${show(value)}`);
}

/** A whole number from 1 on. */
export function count(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw invalid(`${name} must be a positive whole number, not ${show(value)}`);
}

/** A whole number from 0 on. */
export function whole(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw invalid(`${name} must be a whole number from 0 on, not ${show(value)}`);
}

export function text(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw invalid(`${name} must be a text, not ${show(value)}`);
}

export function texts(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw invalid(`${name} must be a list of texts, not ${show(value)}`);
  return value.map((item, index) => text(`${name}[${index}]`, item));
}

export function invalid(message: string): QwillError {
  return new QwillError("invalid-request", `The request cannot be served: ${message}.`);
}

/** A value in an error message. */
function show(value: unknown): string {
  // JSON knows neither undefined nor NaN.
  return typeof value === "object" || typeof value === "string" ? JSON.stringify(value) : String(value);
}
