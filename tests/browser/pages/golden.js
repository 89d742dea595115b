// Runs a golden checkpoint through the npm package and says how far it is from the reference.

import { load } from "/npm/dist/index.js";

/**
 * @param {{ base: string, files: string[], expected: string, prompts?: string[], contextLength?: number, caps?: string, chunk?: number }} golden
 * @returns {Promise<{ adapter: string, maxDiff: Record<string, number>, wrongGreedy: string[], perplexity: number }>}
 */
export async function checkGolden({ base, files, expected, prompts, chunk, ...options }) {
  const [numbers, tensors] = await Promise.all([
    fetch(`${base}/${expected}.json`).then((response) => response.json()),
    fetch(`${base}/${expected}.safetensors`).then(async (response) =>
      parseSafetensors(await response.arrayBuffer()),
    ),
  ]);
  const urls = files.map((file) => `${base}/${file}`);
  const model = await load(urls, { exact: true, ...options });
  try {
    const wanted = Object.entries(numbers.prompts).filter(([name]) => prompts?.includes(name) ?? true);
    const cases = wanted.map(([name, ids]) => {
      const greedy = numbers.greedy[name]?.ids.length ?? 0;
      const whole = tensors.has(`logits.${name}.all`) || tensors.has(`logits.${name}.at`);
      return { name, ids, greedy, logits: whole ? "all" : "last", ...(chunk && { chunk }) };
    });
    if (!prompts) cases.push({ name: "perplexity", ids: numbers.perplexity.ids, logits: "none" });
    const results = await model.eval(cases);

    const maxDiff = {};
    const wrongGreedy = [];
    for (const { name, logits, greedy } of results) {
      if (name === "perplexity") continue;
      const vocab =
        tensors.get(`logits.${name}.last`)?.length ??
        tensors.get(`logits.${name}.all`).length / numbers.prompts[name].length;
      const row = (position) => logits.subarray(position * vocab, (position + 1) * vocab);
      const rows = logits.length / vocab;
      const compare = (kind, got, want) => {
        maxDiff[`${name}.${kind}`] = largestDifference(got, want);
      };
      const all = tensors.get(`logits.${name}.all`);
      const at = tensors.get(`logits.${name}.at`);
      const last = tensors.get(`logits.${name}.last`);
      if (all) compare("all", logits, all);
      if (last) compare("last", row(rows - 1), last);
      if (at) {
        const picked = numbers.at_positions[name].flatMap((position) => [...row(position)]);
        compare("at", picked, at);
      }
      const want = numbers.greedy[name]?.ids ?? [];
      if (want.join() !== greedy.join()) wrongGreedy.push(`${name}: ${greedy} instead of ${want}`);
    }
    const measured = results.find((result) => result.name === "perplexity");
    const perplexity = measured && measured.perplexity / numbers.perplexity.value - 1;
    return { adapter: model.info.adapter, maxDiff, wrongGreedy, perplexity };
  } finally {
    await model.dispose();
  }
}

function largestDifference(got, want) {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let largest = 0;
  for (let i = 0; i < want.length; i++) {
    const difference = Math.abs(got[i] - want[i]);
    // Also catches NaN, for which every comparison is false.
    if (!(difference <= largest)) largest = difference;
    if (Number.isNaN(largest)) return Number.POSITIVE_INFINITY;
  }
  return largest;
}

/** The float32 tensors of a safetensors file. */
function parseSafetensors(buffer) {
  const headerLength = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, headerLength)));
  const tensors = new Map();
  for (const [name, { dtype, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__" || dtype !== "F32") continue;
    const [start, end] = offsets;
    tensors.set(name, new Float32Array(buffer.slice(8 + headerLength + start, 8 + headerLength + end)));
  }
  return tensors;
}
