// Options of `load` that change the model, in both browsers, through the npm package.

import assert from "node:assert/strict";
import test, { suite } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

suite("options of load", { concurrency: true }, () => {
  for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
    test(browserName, async (t) => {
      const { tab, url } = await openPackagePage(t, launch);
      await tab.evaluate(
        async (golden) => {
          const { load, plan } = await import("/npm/dist/index.js");
          const { fetchExpected, largestDifference } = await import("/expected.js");
          const [numbers] = await fetchExpected(`${golden.base}/expected`);
          const ids = numbers.prompts.L33;
          const urls = golden.files.map((file) => `${golden.base}/${file}`);
          Object.assign(globalThis, { load, plan, urls, ids, largestDifference });
          globalThis.refusal = (promise) =>
            promise.then(
              () => "no error",
              ({ code, message }) => `${code}: ${message}`,
            );
          /** What the model is, and what it makes of a prompt. */
          globalThis.run = async (options) => {
            const model = await load(urls, { exact: true, contextLength: 96, prefillChunk: 16, ...options });
            try {
              const [{ logits, greedy }] = await model.eval([{ name: "", ids, logits: "all", greedy: 4 }]);
              return { info: model.info, logits, greedy };
            } finally {
              await model.dispose();
            }
          };
        },
        { base: `${url}/golden/qwen3-tied`, files: modelFiles("qwen3-tied") },
      );

      await t.test("kernels are tried once, and what is found is kept for the next load", async (t) => {
        const found = await tab.evaluate(async () => {
          const kept = async () => {
            const root = await navigator.storage.getDirectory();
            const folder = await (await root.getDirectoryHandle("qwill")).getDirectoryHandle("self-test");
            const files = await Array.fromAsync(folder.values());
            return Promise.all(files.map(async (file) => (await file.getFile()).text()));
          };
          const off = (await run({ selfTest: false })).info.selfTest;
          const loads = [];
          // What there is no time for is tried at the next load.
          for (let i = 0; i < 3; i++) loads.push((await run({})).info.selfTest);
          return { off, loads, kept: await kept() };
        });
        t.diagnostic(JSON.stringify(found.loads));
        assert.deepEqual(found.off, { right: 0, wrong: [] });
        for (const { right, wrong } of found.loads) assert.ok(right > 0 && wrong.length === 0);
        assert.ok(found.loads[2].right >= found.loads[0].right && found.loads[2].right > 6);
        assert.equal(found.kept.length, 1);
        assert.equal(JSON.parse(found.kept[0]).findings.right.length, found.loads[2].right);
      });

      await t.test("weights are converted while they are loaded", async (t) => {
        const { off, largest, greedy, bytes, planned } = await tab.evaluate(async () => {
          const plain = await run({});
          const converted = await run({ quantize: "q8_0" });
          const weights = async (options) => (await plan(urls, options)).memory.weightsBytes;
          return {
            off: largestDifference(converted.logits, plain.logits),
            largest: Math.max(...plain.logits.map(Math.abs)),
            greedy: [plain.greedy, converted.greedy],
            bytes: [plain.info.deviceBytes, converted.info.deviceBytes],
            planned: [await weights({}), await weights({ quantize: "q8_0" })],
          };
        });
        t.diagnostic(
          `logits of at most ${largest.toFixed(1)} moved by ${off.toExponential(1)}; ${bytes} bytes`,
        );
        assert.ok(off > 0 && off < 0.05 * largest, `${off} of ${largest}`);
        assert.deepEqual(greedy[1], greedy[0]);
        assert.equal(planned[0] - planned[1], bytes[0] - bytes[1]);
        assert.ok(planned[1] < 0.7 * planned[0], `${planned}`);
      });

      await t.test("positions are scaled for contexts beyond the model's own", async () => {
        const info = await tab.evaluate(async () => {
          const { modelContextLength: plain } = await plan(urls);
          const contextLength = 2 * plain;
          const refused = await refusal(plan(urls, { contextLength }));
          const model = await load(urls, { contextLength, ropeScaling: "yarn:4" });
          const { info } = model;
          await model.dispose();
          return { ...info, plain, refused };
        });
        assert.equal(info.contextLength, 2 * info.plain);
        assert.match(info.contextExtension, /YaRN, factor 4/);
        assert.match(info.refused, /^invalid-request: .*context.*\(ropeScaling: "yarn:FACTOR"\)$/);
      });

      await t.test("what is no format or scaling is refused with those that are", async () => {
        const [format, scaling] = await tab.evaluate(async () => [
          await refusal(load(urls, { quantize: "q4_9" })),
          await refusal(load(urls, { ropeScaling: "yarn" })),
        ]);
        assert.match(format, /^invalid-request: .*"q4_9".*q8_0.*q4_k/);
        assert.match(scaling, /^invalid-request: .*"yarn".*yarn:4.*dynamic.*none/);
      });
    });
  }
});
