// Runs a golden checkpoint through the npm package and says how far it is from the reference.

import { load } from "/npm/dist/index.js";
import { fetchExpected, largestDifference } from "./expected.js";

/**
 * @param {{ base: string, files: string[], expected: string, prompts: string[],
 *   greedyTokens: Record<string, number>, perplexity: boolean, routerGap: number, together?: boolean,
 *   contextLength?: number, caps?: string, chunk?: number }} golden
 * @returns {Promise<{ maxDiff: Record<string, number>, wrongGreedy: string[],
 *   perplexity?: { measured: number, expected: number } }>}
 */
export async function checkGolden(golden) {
  const { base, files, expected, prompts, greedyTokens, perplexity, routerGap, together, chunk, ...options } =
    golden;
  const [numbers, tensors] = await fetchExpected(`${base}/${expected}`);
  const model = await load(
    files.map((file) => `${base}/${file}`),
    { exact: true, ...options },
  );
  try {
    const continuation = (name) => numbers.greedy[name]?.ids.slice(0, greedyTokens[name] ?? 0) ?? [];
    const cases = prompts.map((name) => ({
      name,
      ids: numbers.prompts[name],
      greedy: continuation(name).length,
      logits: "all",
      ...(chunk && { chunk }),
    }));
    const results = together
      ? (await Promise.all(cases.map((one) => model.eval([one])))).flat()
      : await model.eval(cases);
    const maxDiff = {};
    const wrongGreedy = [];
    for (const { name, n, logits, greedy } of results) {
      const vocab = logits.length / n;
      const gaps = numbers.router_gap?.[name];
      const differences = [];
      for (const [position, want] of expectedRows(name, n, numbers, tensors)) {
        if (gaps && gaps[position] < routerGap) continue;
        const got = logits.subarray(position * vocab, (position + 1) * vocab);
        differences.push(largestDifference(got, want));
      }
      if (differences.length > 0) maxDiff[name] = Math.max(...differences);
      const want = continuation(name);
      if (want.join() !== greedy.join()) wrongGreedy.push(`${name}: ${greedy} instead of ${want}`);
    }
    if (!perplexity) return { maxDiff, wrongGreedy };
    const [{ perplexity: measured }] = await model.eval([{ name: "", ids: numbers.perplexity.ids }]);
    return { maxDiff, wrongGreedy, perplexity: { measured, expected: numbers.perplexity.value } };
  } finally {
    await model.dispose();
  }
}

/** Positions of a prompt with the logits that are known there: of all, of the last, of some. */
function expectedRows(name, n, { at_positions: positions }, tensors) {
  const all = tensors.get(`logits.${name}.all`);
  const at = tensors.get(`logits.${name}.at`);
  const last = tensors.get(`logits.${name}.last`);
  const rows = (tensor, places) => {
    const vocab = tensor.length / places.length;
    return places.map((place, i) => [place, tensor.subarray(i * vocab, (i + 1) * vocab)]);
  };
  return [
    ...(all ? rows(all, [...Array(n).keys()]) : []),
    ...(at ? rows(at, positions[name]) : []),
    ...(last ? rows(last, [n - 1]) : []),
  ];
}
