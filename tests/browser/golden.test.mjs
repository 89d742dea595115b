// The checkpoints in tests/golden against the float32 reference, in both browsers, through the npm package.

import assert from "node:assert/strict";
import test, { suite } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { ggufs, goldenFolders, modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

// The same as in crates/qwill/tests/golden.rs: largest logit differences, and how close two experts may be for a token
// to go to either.
const EXACT = 2e-4;
const EXACT_QUANTISED = 5e-4;
const ROUTER_GAP = 1e-4;

const FLOATS = [
  "qwen1-plain",
  "qwen1-ntk",
  "qwen1-ntk-logn",
  "qwen2-tied",
  "qwen2-untied",
  "qwen2-headdim",
  "qwen2-swa",
  "qwen2-yarn",
  "qwen2-linear",
  "qwen2-dynamic",
  "qwen2-dca",
  "qwen2-dca-odd",
  "qwen2moe-a27",
  "qwen2moe-mix",
  "qwen2moe-dead",
  "qwen3-tied",
  "qwen3-f32",
  "qwen3moe-128",
  "qwen3moe-swa",
];
const QUANTISED = [
  "q-qwen2-awq",
  "q-qwen2-gptq4-act",
  "q-qwen2-gptq4-col",
  "q-qwen2-gptq4-g128",
  "q-qwen2-gptq8",
  "q-qwen2moe-gptq4",
  "q-qwen2moe-gptq8-v2",
  "q-qwen3-fp8",
  "q-qwen3-fp8-tensor",
  "q-qwen3moe-awq",
  "q-qwen3moe-fp8",
];
const GGUF = ["g-qwen2", "g-qwen2moe", "g-qwen3-k", "g-qwen3moe-k"];
/** Files whose formats others have, too; natively they run as well. */
const REPEATED = ["g-qwen2-F16", "g-qwen2moe-Q8_0", "g-qwen3moe-k-Q6_K", "g-qwen3moe-k-Q2_K"];
/** Those that give no logits; pooled.test.mjs compares them. */
const POOLED = ["qwen2-prm", "qwen2-rm", "qwen2-seqcls", "qwen3-embed", "qwen3-seqcls"];
/** Adapters; adapters.test.mjs runs two, natively all run. */
const ADAPTERS = [
  ...["lora-embedding", "lora-gguf", "lora-qwen1", "lora-qwen2"],
  ...["lora-qwen2moe", "lora-qwen3", "lora-qwen3moe", "lora-stacked"],
];

// Enough to cross a page of the cache in prefill and another one while decoding.
const SHORT = ["L7", "L33"];
/** Tokens to continue with. */
const GREEDY = { L33: 48, L130: 8, L620: 8 };
/** What lies in positions shows in long prompts only. */
const LONG = [
  "qwen1-ntk",
  "qwen1-ntk-logn",
  "qwen2-swa",
  "qwen2-yarn",
  "qwen2-dynamic",
  "qwen2-dca",
  "qwen2-dca-odd",
  "qwen3moe-swa",
];

// Every fallback on checkpoints of two kinds; natively they run on all. Software devices have kernels of their
// own, so `no-software` brings those of real GPUs in, with subgroups in Chromium.
const AS_ON_A_GPU = "no-software";
const FALLBACKS = "no-software,no-subgroups,no-f16,no-dot4,max-binding=384KiB";
const MASKED = {
  "qwen2-untied": FALLBACKS,
  "qwen2moe-mix": AS_ON_A_GPU,
  "qwen3-tied": FALLBACKS,
  "g-qwen3-k-Q4_K_M": AS_ON_A_GPU,
};
const SOME = { prompts: ["L33"], perplexity: false, together: false, contextLength: 96, cacheTokens: 96 };
/** Their perplexities are compared, too. */
const PERPLEXITY = ["qwen2-untied", "qwen3-tied"];

const prompts = (name) => {
  if (LONG.includes(name)) return [...SHORT, "L130", "L620"];
  return FLOATS.includes(name) ? ["L1", ...SHORT, "L130"] : SHORT;
};

const golden = (base, name, files, expected, tolerance) => ({
  name,
  base,
  files,
  expected,
  prompts: prompts(name),
  perplexity: PERPLEXITY.includes(name),
  // All prompts at once; those with masks and chunks run alone.
  together: true,
  contextLength: 704,
  cacheTokens: 2 * 704,
  tolerance,
});

const goldens = [
  ...FLOATS.map((name) => golden(name, name, modelFiles(name), "expected", EXACT)),
  ...QUANTISED.map((name) => golden(name, name, modelFiles(name), "expected", EXACT_QUANTISED)),
  ...GGUF.flatMap((folder) =>
    ggufs(folder)
      .filter((name) => !REPEATED.includes(name))
      .map((name) => golden(folder, name, [`${name}.gguf`], `${name}.expected`, EXACT_QUANTISED)),
  ),
];

const runs = goldens.flatMap((golden) => [
  golden,
  ...(golden.name in MASKED ? [{ ...golden, ...SOME, caps: MASKED[golden.name] }] : []),
  ...(golden.name === "qwen3-tied"
    ? [{ ...golden, prompts: ["L130"], perplexity: false, together: false, chunk: 48 }]
    : []),
]);

test("no checkpoint is left out", () => {
  const others = ["scripts", "templates", "tokenizers"];
  const known = [...FLOATS, ...QUANTISED, ...GGUF, ...POOLED, ...ADAPTERS, ...others];
  assert.deepEqual(goldenFolders().sort(), known.sort());
});

// Chromium compiles and computes on one thread, so that two of them are twice as fast.
const LANES = { chromium: 2, firefox: 1 };

suite("logits and greedy tokens", { concurrency: true }, () => {
  for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
    const n = LANES[browserName];
    for (let lane = 0; lane < n; lane++) {
      const its = runs.filter((_, i) => i % n === lane);
      test(`${browserName} ${lane + 1}`, (t) => compare(t, launch, its));
    }
  }
});

async function compare(t, launch, runs) {
  const { tab, url } = await openPackagePage(t, launch);
  for (const { name, tolerance, ...golden } of runs) {
    const { caps, chunk } = golden;
    const variant = [name, caps, chunk && `in chunks of ${chunk}`].filter(Boolean).join(", ");
    await t.test(variant, async (t) => {
      const base = `${url}/golden/${golden.base}`;
      const begun = performance.now();
      const { maxDiff, wrongGreedy, perplexity } = await tab.evaluate(
        async (golden) => {
          const { checkGolden } = await import("/golden.js");
          return checkGolden(golden);
        },
        { ...golden, base, greedyTokens: GREEDY, routerGap: ROUTER_GAP },
      );
      const largest = Math.max(...Object.values(maxDiff));
      const ms = Math.round(performance.now() - begun);
      t.diagnostic(`logits off by ${largest.toExponential(1)}, ${ms} ms`);
      assert.deepEqual(wrongGreedy, []);
      assert.deepEqual(Object.keys(maxDiff), golden.prompts);
      assert.ok(largest <= tolerance, JSON.stringify(maxDiff));
      if (golden.perplexity) {
        const off = perplexity.measured / perplexity.expected - 1;
        assert.ok(Math.abs(off) <= 1e-4, `perplexity is off by ${off}`);
      }
    });
  }
}
