// Embedding, reward and classification checkpoints through the npm package, compared with the reference.

import { load } from "/npm/dist/index.js";
import { fetchExpected, largestDifference } from "./expected.js";

let model;
let numbers;
let tensors;

/** Loads a checkpoint for the calls below. */
export async function open({ base, files, ...options }) {
  [numbers, tensors] = await fetchExpected(`${base}/expected`);
  model = await load(
    files.map((file) => `${base}/${file}`),
    { exact: true, contextLength: 768, prefillChunk: 16, ...options },
  );
}

export const close = () => model?.dispose();

/** Largest differences of embeddings: whole ones; of the last texts shortened ones and those of cases; and queries. */
export async function checkEmbeddings() {
  const { texts, ids } = numbers;
  const off = (vectors, tensor) => {
    const got = vectors.flatMap((vector) => [...vector]);
    return largestDifference(got, tensors.get(tensor).slice(-got.length));
  };
  const whole = await model.embed(texts);
  if (!whole.every((vector) => vector instanceof Float32Array))
    throw new Error("vectors are no Float32Arrays");
  const short = await model.embed(texts.slice(-2), { dimensions: 32 });
  const cases = await model.eval(ids.slice(-2).map((ids) => ({ name: "", ids, pooled: "embedding" })));
  const [query] = await model.embed("river engine?", { instruction: "Find it" });
  const [spelled] = await model.embed("Instruct: Find it\nQuery:river engine?");
  return {
    whole: whole.length === texts.length ? off(whole, "embeddings") : Number.POSITIVE_INFINITY,
    short: off(short, "embeddings.mrl32"),
    cases: off(
      cases.map(({ embedding }) => embedding),
      "embeddings",
    ),
    query: largestDifference(query, spelled),
  };
}

/** Largest differences of scores, by prompt: of the text, of the same as a case, of every token; and of steps. */
export async function checkScores(prompts) {
  const { prompts: ids, steps } = numbers;
  const off = {};
  for (const name of prompts) {
    const { last, tokens } = await model.score({ ids: ids[name] });
    const [{ scores }] = await model.eval([{ name, ids: ids[name], pooled: "score" }]);
    const every = tensors.get(`score.${name}.tokens`);
    off[name] = largestDifference(last, tensors.get(`score.${name}`));
    off[`${name}.case`] = largestDifference(scores.last, tensors.get(`score.${name}`));
    if (every || tokens) off[`${name}.tokens`] = largestDifference(tokens?.flat() ?? [], every ?? []);
  }
  if (steps) off.steps = largestDifference((await model.score({ ids: steps.ids })).steps, steps.rewards);
  return off;
}

/** What a process reward model makes of the steps of a solution. */
export const scoreSteps = (steps) =>
  model.score([
    { role: "user", content: "1 + 1?" },
    { role: "assistant", content: steps },
  ]);

/** Documents by how well a classifier likes them with a query: all at once, the best, and each alone. */
export async function rerank({ query, documents }) {
  const ranked = await model.rerank(query, documents);
  const best = await model.rerank(query, documents, { topN: 1 });
  const alone = [];
  for (const document of documents) alone.push((await model.rerank(query, [document]))[0].score);
  return { ranked, best, alone };
}

/** How the model refuses what it cannot do. */
export async function refusals() {
  const calls = {
    dimensions: model.embed("a", { dimensions: 65 }),
    score: model.score({ ids: [1] }),
    completion: model.completions.create({ prompt: "a", max_tokens: 1 }),
  };
  const errors = {};
  for (const [name, call] of Object.entries(calls)) {
    await call.catch(({ code, message }) => {
      errors[name] = `${code}: ${message}`;
    });
  }
  return errors;
}
