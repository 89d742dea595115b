// The checkpoints in tests/golden against the float32 reference, in both browsers, through the npm package.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { GOLDEN, servePackage } from "./lib/site.mjs";

const TOLERANCE = 2e-4;
const CHECKPOINTS = ["qwen2-tied", "qwen2-untied", "qwen2-headdim", "qwen3-tied", "qwen3-f32"];
// Every fallback on one checkpoint of each family; natively they run on all. Software devices have kernels of their
// own, so `no-software` brings those of real GPUs in, with subgroups in Chromium.
const MASKS = ["no-software", "no-software,no-subgroups,no-f16,no-dot4,max-binding=64KiB"];
const MASKED = ["qwen2-untied", "qwen3-tied"];
// Enough to cross a page of the cache in prefill and another one while decoding.
const SOME = { prompts: ["L33"], contextLength: 96 };

const inFolder = (name) =>
  readdirSync(path.join(GOLDEN, name)).filter(
    (file) => /\.(json|safetensors|txt)$/.test(file) && !file.includes("expected"),
  );

const goldens = [
  ...CHECKPOINTS.map((name) => ({ name, base: name, files: inFolder(name), expected: "expected" })),
  ...["F16", "Q8_0", "Q4_0"].map((type) => ({
    name: `g-qwen2-${type}`,
    base: "g-qwen2",
    files: [`g-qwen2-${type}.gguf`],
    expected: `g-qwen2-${type}.expected`,
  })),
];

const runs = goldens.flatMap((golden) => [
  golden,
  ...(MASKED.includes(golden.name) ? MASKS.map((caps) => ({ ...golden, ...SOME, caps })) : []),
  ...(golden.name === "qwen3-tied" ? [{ ...golden, prompts: ["L130"], chunk: 48 }] : []),
]);

assert.ok(existsSync(GOLDEN), `${GOLDEN} is missing`);

for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
  test(browserName, async (t) => {
    const server = await servePackage();
    t.after(() => server.close());
    const browser = await launch();
    t.after(() => browser.close());
    const tab = await browser.open();
    await tab.goto(`${server.url}/blank.html`);
    for (const { name, caps, chunk, ...golden } of runs) {
      const variant = [name, caps, chunk && `in chunks of ${chunk}`].filter(Boolean).join(", ");
      await t.test(variant, async (t) => {
        const base = `${server.url}/golden/${golden.base}`;
        const begun = performance.now();
        const result = await tab.evaluate(
          async (golden) => {
            const { checkGolden } = await import("/golden.js");
            return checkGolden(golden);
          },
          { ...golden, base, ...(caps && { caps }), ...(chunk && { chunk }) },
        );
        const largest = Math.max(...Object.values(result.maxDiff));
        const ms = Math.round(performance.now() - begun);
        const perplexity = result.perplexity ?? 0;
        t.diagnostic(
          `logits off by ${largest.toExponential(1)}, perplexity by ${perplexity.toExponential(1)}, ${ms} ms`,
        );
        assert.deepEqual(result.wrongGreedy, []);
        assert.ok(Object.keys(result.maxDiff).length > 0, JSON.stringify(result.maxDiff));
        assert.ok(largest <= TOLERANCE, JSON.stringify(result.maxDiff));
        assert.ok(Math.abs(perplexity) <= 1e-4, `perplexity is off by ${perplexity}`);
      });
    }
  });
}
