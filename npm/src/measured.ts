// What `model.eval` and `model.bench` take.

import { toAdapterUses } from "./adapters.ts";
import { count, listOf, oneOf, text, whole } from "./checks.ts";
import type { BenchRequest, EvalCase } from "./engine.ts";
import { checkFields, objectOf, required } from "./fields.ts";

const evalCase = required(
  "ids",
  listOf(whole),
  objectOf({
    name: text,
    ids: listOf(whole),
    greedy: whole,
    top_logprobs: whole,
    logits: oneOf("none", "last", "all"),
    chunk: count,
    pooled: oneOf("none", "embedding", "score"),
    adapters: (_, value) => toAdapterUses(value),
  }),
);

export function toEvalCases(cases: EvalCase[]): EvalCase[] {
  listOf(evalCase)("cases", cases);
  return cases;
}

export function toBenchRequest(request: BenchRequest): BenchRequest {
  checkFields(request, {
    prompt_tokens: whole,
    decode_tokens: whole,
    runs: count,
    depths: listOf(whole),
    parallel: listOf(count),
  });
  return request;
}
