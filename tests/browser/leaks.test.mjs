// Loading and disposing of a model in the page, over and over: what it took is given back.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

const CYCLES = 50;
/** Code is compiled and its profile kept in the first ones. */
const WARM_UP = 10;

/** What a page may hold besides the model's own bytes: everything that a load makes one of. */
const MADE = ["GPUDevice", "GPUBuffer", "GPUComputePipeline", "GPUBindGroup", "MessagePort", "File", "Blob"];

test("chromium", { skip: !LAUNCHERS.chromium, timeout: 600_000 }, async (t) => {
  const { tab } = await openPackagePage(t, LAUNCHERS.chromium);
  const devtools = await tab.context().newCDPSession(tab);
  await tab.evaluate(async () => {
    const { load } = await import("/npm/dist/index.js");
    // A file, for DevTools keep what is fetched.
    const file = new File([await (await fetch("/npm/wasm/qwill-demo-q8_0.gguf")).blob()], "demo.gguf");
    globalThis.cycle = async () => {
      const model = await load(file, { worker: "inline", contextLength: 64, selfTest: false });
      const messages = [{ role: "user", content: "Hello!" }];
      await model.chat.completions.create({ messages, max_tokens: 2 });
      await model.dispose();
      return model.info.hostBytes;
    };
  });
  /** How many there are of each, and how much memory, when nothing is left to be collected. */
  const measure = async () => {
    const counts = {};
    for (const name of MADE) {
      const { result } = await devtools.send("Runtime.evaluate", { expression: `${name}.prototype` });
      // It collects before it counts.
      const { objects } = await devtools.send("Runtime.queryObjects", { prototypeObjectId: result.objectId });
      const found = await devtools.send("Runtime.getProperties", {
        objectId: objects.objectId,
        ownProperties: true,
      });
      counts[name] = found.result.find(({ name }) => name === "length").value.value;
      for (const { objectId } of [result, objects])
        await devtools.send("Runtime.releaseObject", { objectId });
    }
    const { usedSize, backingStorageSize } = await devtools.send("Runtime.getHeapUsage");
    return { counts, bytes: usedSize + backingStorageSize };
  };
  let before;
  let hostBytes;
  for (let i = 0; i < CYCLES; i++) {
    const taken = await tab.evaluate(() => globalThis.cycle());
    if (i + 1 === WARM_UP) {
      before = await measure();
      hostBytes = taken;
    }
    if (i + 1 === CYCLES) assert.equal(taken, hostBytes, "the module's memory is used again");
  }
  const after = await measure();
  const perCycle = (after.bytes - before.bytes) / (CYCLES - WARM_UP);
  t.diagnostic(`${JSON.stringify(before)} ${JSON.stringify(after)}: ${Math.round(perCycle)} bytes a cycle`);
  assert.deepEqual(after.counts, before.counts);
  assert.ok(perCycle < 20_000, `${perCycle} bytes a cycle`);
});
