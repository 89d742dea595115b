// A device that goes away while two texts run, on a checkpoint of each kind, in both browsers.

import assert from "node:assert/strict";
import test, { suite } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

const CHECKPOINTS = [
  { base: "qwen2-untied", files: modelFiles("qwen2-untied"), expected: "expected" },
  { base: "qwen2moe-mix", files: modelFiles("qwen2moe-mix"), expected: "expected" },
  { base: "qwen1-ntk-logn", files: modelFiles("qwen1-ntk-logn"), expected: "expected" },
  { base: "g-qwen3-k", files: ["g-qwen3-k-Q4_K_M.gguf"], expected: "g-qwen3-k-Q4_K_M.expected" },
];
/** Tokens of a step, so that the prompts of 33 and 130 tokens take eleven steps together. */
const CHUNK = 16;
/** Steps after which the device goes: in the middle of the prompts, and of the replies. */
const LOST_AFTER = { prefill: 4, decode: 20 };
const GREEDY = 24;

suite("lost devices", { concurrency: true }, () => {
  for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
    test(browserName, async (t) => {
      const { tab, url } = await openPackagePage(t, launch);
      await tab.evaluate(async () => {
        const { load } = await import("/npm/dist/index.js");
        const { fetchExpected } = await import("/expected.js");
        // The page's own WebGPU tells how many steps were handed to which device.
        const watched = { device: undefined, submits: 0, lostAt: Number.POSITIVE_INFINITY };
        const { requestDevice } = GPUAdapter.prototype;
        GPUAdapter.prototype.requestDevice = async function (descriptor) {
          watched.device = await requestDevice.call(this, descriptor);
          return watched.device;
        };
        const { submit } = GPUQueue.prototype;
        GPUQueue.prototype.submit = function (commands) {
          submit.call(this, commands);
          watched.submits += 1;
          if (watched.submits === watched.lostAt) watched.device.destroy();
        };
        globalThis.check = async ({ base, files, expected, chunk, greedy, lostAfter }) => {
          const [numbers] = await fetchExpected(`${base}/${expected}`);
          const reasons = [];
          const model = await load(
            files.map((file) => `${base}/${file}`),
            {
              ...{ worker: "inline", exact: true, contextLength: 192, cacheTokens: 384, prefillChunk: chunk },
              onRebuild: (reason) => reasons.push(reason),
            },
          );
          /** What both texts go on with, when the device goes after so many steps. */
          const run = async (steps) => {
            Object.assign(watched, { submits: 0, lostAt: steps });
            const cases = ["L33", "L130"].map((name) => ({ name, ids: numbers.prompts[name], greedy }));
            const results = await Promise.all(cases.map((one) => model.eval([one])));
            watched.lostAt = Number.POSITIVE_INFINITY;
            return results.flat().map((result) => result.greedy);
          };
          try {
            const undisturbed = await run(Number.POSITIVE_INFINITY);
            const steps = watched.submits;
            const after = {};
            for (const [when, n] of Object.entries(lostAfter)) after[when] = await run(n);
            return { undisturbed, after, steps, reasons, known: numbers.greedy.L33.ids };
          } finally {
            await model.dispose();
          }
        };
      });
      for (const { base, ...checkpoint } of CHECKPOINTS) {
        await t.test(base, async (t) => {
          const found = await tab.evaluate((one) => check(one), {
            ...{ ...checkpoint, base: `${url}/golden/${base}` },
            ...{ chunk: CHUNK, greedy: GREEDY, lostAfter: LOST_AFTER },
          });
          t.diagnostic(`${found.steps} steps; ${JSON.stringify(found.reasons)}`);
          const n = Math.min(GREEDY, found.known.length);
          assert.deepEqual(found.undisturbed[0].slice(0, n), found.known.slice(0, n), "as the reference");
          assert.equal(found.undisturbed[1].length, GREEDY);
          assert.ok(found.steps > LOST_AFTER.decode, `${found.steps} steps`);
          for (const when of Object.keys(LOST_AFTER))
            assert.deepEqual(found.after[when], found.undisturbed, when);
          assert.equal(found.reasons.length, Object.keys(LOST_AFTER).length);
        });
      }
    });
  }
});
