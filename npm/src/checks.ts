// Checks of the values that callers give: each throws unless a value is right, and says what is right.

import { QwillError } from "./errors.ts";

/** Throws unless a value is right for what is called `name`. */
export type Check = (name: string, value: unknown) => unknown;

export function finite(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw wrong(name, "a number", value);
}

/** A whole number from 1 on. */
export function count(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) > 0) return value as number;
  throw wrong(name, "a positive whole number", value);
}

/** A whole number from 0 on. */
export function whole(name: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw wrong(name, "a whole number from 0 on", value);
}

export function flag(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw wrong(name, "true or false", value);
}

export function text(name: string, value: unknown): string {
  if (typeof value === "string") return value;
  throw wrong(name, "a text", value);
}

export function texts(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw wrong(name, "a list of texts", value);
  return value.map((item, index) => text(`${name}[${index}]`, item));
}

export function textOrTexts(name: string, value: unknown): string | string[] {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return texts(name, value);
  throw wrong(name, "a text or a list of texts", value);
}

export function address(name: string, value: unknown): string | URL {
  if (typeof value === "string" || value instanceof URL) return value;
  throw wrong(name, "a text or a URL", value);
}

export function callback(name: string, value: unknown): unknown {
  if (typeof value === "function") return value;
  throw wrong(name, "a function", value);
}

export function abortSignal(name: string, value: unknown): AbortSignal {
  if (value instanceof AbortSignal) return value;
  throw wrong(name, "an AbortSignal", value);
}

/** An object that is no list. */
export function record(name: string, value: unknown): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw wrong(name, "an object", value);
}

/** One of these words. */
export function oneOf(...words: string[]): Check {
  return (name, value) => {
    if (words.some((word) => word === value)) return value;
    throw wrong(name, `one of ${words.map((word) => `"${word}"`).join(", ")}`, value);
  };
}

/** A list of such items. */
export function listOf(item: Check): Check {
  return (name, value) => {
    if (!Array.isArray(value)) throw wrong(name, "a list", value);
    return value.map((given, index) => item(`${name}[${index}]`, given));
  };
}

/** What OpenAI's clients may send and only some values are served of. */
export function onlyYet(isServed: (value: unknown) => boolean, served?: string): Check {
  return (name, value) => {
    if (isServed(value)) return value;
    const only = served === undefined ? "" : `, only ${served}`;
    throw invalid(`"${name}": ${show(value)} is not supported yet${only}`);
  };
}

/** Null and undefined say nothing. */
export function isGiven<T>(value: T | null | undefined): value is T {
  return value !== undefined && value !== null;
}

export function wrong(name: string, right: string, value: unknown): QwillError {
  return invalid(`${name} must be ${right}, not ${show(value)}`);
}

export function invalid(message: string): QwillError {
  return new QwillError("invalid-request", `The request cannot be served: ${message}.`);
}

const LONGEST = 80;

/** A value in an error message. */
function show(value: unknown): string {
  if (typeof value === "function") return "a function";
  // JSON knows neither undefined nor NaN.
  if (typeof value !== "object" && typeof value !== "string") return String(value);
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch {
    // It goes in circles, or holds a BigInt.
  }
  if (json === undefined) return "something that JSON cannot hold";
  return json.length > LONGEST ? `${json.slice(0, LONGEST)}…` : json;
}
