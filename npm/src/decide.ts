// What `model.decide` takes, in the engine's form.

import { toAdapterUses } from "./adapters.ts";
import { invalid } from "./checks.ts";
import type { DecisionRequest } from "./decisions.ts";
import type { EngineDecisionRequest } from "./engine.ts";

/** Fields are checked where they are read, in the engine; what gets there must be plain data. */
export function toDecisionRequest(request: DecisionRequest): EngineDecisionRequest {
  if (typeof request !== "object" || request === null || Array.isArray(request)) {
    throw invalid("decide takes an object with input and questions");
  }
  const { adapters, ...rest } = request;
  const uses = adapters === undefined || adapters === null ? {} : { adapters: toAdapterUses(adapters) };
  return { ...plain(rest), ...uses };
}

function plain<T>(value: T): T {
  try {
    return JSON.parse(JSON.stringify(value));
  } catch {
    throw invalid("what decide takes must be plain data, without circles and big integers");
  }
}
