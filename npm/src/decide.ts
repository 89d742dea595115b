// What `model.decide` and `model.systemOne` take, in the engine's form.

import { toAdapterUses } from "./adapters.ts";
import { invalid } from "./checks.ts";
import type { DecisionRequest } from "./decisions.ts";
import type { EngineDecisionRequest } from "./engine.ts";
import type { SystemOneRequest } from "./system-one.ts";

/** Fields are checked where they are read, in the engine; what gets there must be plain data. */
export function toDecisionRequest(request: DecisionRequest): EngineDecisionRequest {
  if (!isObject(request)) throw invalid("decide takes an object with input and questions");
  const { adapters, ...rest } = request;
  const uses = adapters === undefined || adapters === null ? {} : { adapters: toAdapterUses(adapters) };
  return { ...plain(rest), ...uses };
}

export function toSystemOneRequest(request: SystemOneRequest): SystemOneRequest {
  if (!isObject(request)) throw invalid("systemOne takes an object with state and questions");
  return plain(request);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plain<T>(value: T): T {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    throw invalid("questions must be plain data, without circles and big integers");
  }
}
