// Loading takes as much of the module's memory for a large model as for a small one: weights pass through it piece by
// piece. The same as crates/qwill/tests/peak_memory.rs, and tests/bench/wasm-memory.json has the numbers of 4 GB.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { serveFaulty } from "./lib/faulty.mjs";
import { syntheticGguf } from "./lib/gguf.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

const MIB = 1 << 20;
/** The largest tensor is the same in both, and larger than the memory that loading may take. */
const SHAPE = { vocab: 65_536 };
const SIZES = { "/small.gguf": { ...SHAPE, layers: 1 }, "/large.gguf": { ...SHAPE, layers: 14 } };

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, { timeout: 300_000 }, async (t) => {
    const hub = await serveFaulty();
    t.after(() => hub.close());
    const { tab } = await openPackagePage(t, launch);
    const peaks = [];
    for (const [file, shape] of Object.entries(SIZES)) {
      const model = syntheticGguf(shape);
      hub.files.set(file, model);
      const { hostBytes, deviceBytes } = await tab.evaluate(async (url) => {
        const { load } = await import("/npm/dist/index.js");
        const model = await load(url, { storage: "none", contextLength: 64 });
        await model.dispose();
        return model.info;
      }, hub.url + file);
      t.diagnostic(`${file.slice(1)}, ${model.length} bytes: ${hostBytes} bytes of memory`);
      assert.ok(deviceBytes > model.length, "all of it was loaded");
      peaks.push({ hostBytes, fileBytes: model.length });
    }
    const [small, large] = peaks;
    assert.ok(large.fileBytes > 290 * MIB && small.fileBytes < large.fileBytes / 3);
    assert.ok(large.hostBytes < 32 * MIB, `it took ${large.hostBytes} bytes`);
    // Launches and buffers are noted for every layer, weights are not.
    assert.ok(large.hostBytes - small.hostBytes < MIB, JSON.stringify(peaks));
  });
}
