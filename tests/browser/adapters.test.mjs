// Low-rank adapters against the float32 reference, in both browsers, through the npm package.

import assert from "node:assert/strict";
import test, { suite } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

const EXACT = 2e-4;

suite("adapters", { concurrency: true }, () => {
  for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
    test(browserName, async (t) => {
      const { tab, url } = await openPackagePage(t, launch);
      await tab.evaluate(async () => {
        globalThis.adapters = await import("/adapters.js");
      });
      const golden = (folder, model) => ({
        base: `${url}/golden`,
        folder,
        model,
        modelFiles: modelFiles(model),
        adapterFiles: modelFiles(folder),
        prompts: ["L7", "L33"],
      });

      await t.test("two at once, scaled; what names none is as before", async (t) => {
        const found = await tab.evaluate(
          (golden) => adapters.checkAdapters(golden),
          golden("lora-stacked", "qwen2-untied"),
        );
        const largest = Math.max(...Object.values(found.off));
        t.diagnostic(`logits off by ${largest.toExponential(1)}, changed by ${found.change.toFixed(2)}`);
        assert.deepEqual(Object.keys(found.off), ["L7", "L33"]);
        assert.ok(largest <= EXACT, JSON.stringify(found.off));
        for (const [name, got, want] of found.greedy) assert.deepEqual(got, want, name);
        assert.ok(found.greedy[0][1].length > 8);
        assert.ok(found.change > 0.1, `the adapters change logits by ${found.change}`);
        assert.equal(found.selectedOff, 0);
        assert.equal(found.baseOff, 0);
        assert.equal(found.texts.selected, found.texts.named);
        assert.notEqual(found.texts.base, found.texts.named);
        assert.deepEqual(
          found.infos.map(({ name }) => name),
          ["lora-qwen2", "lora-stacked"],
        );
        for (const { parameters, deviceBytes } of found.infos) assert.ok(parameters > 0 && deviceBytes > 0);
        assert.deepEqual(found.listed, found.infos);
        assert.deepEqual(found.left, []);
        assert.match(found.error, /^invalid-request: .*lora-qwen2/);
      });

      await t.test("one that was made for another model is refused", async () => {
        const error = await tab.evaluate(
          (golden) => adapters.refuseAdapter(golden),
          golden("lora-qwen3", "qwen2-untied"),
        );
        assert.match(error, /^invalid-file: .*lora/);
      });
    });
  }
});
