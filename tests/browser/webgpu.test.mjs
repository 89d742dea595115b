import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(`${name}: a worker has a WebGPU adapter that computes`, async (t) => {
    const t0 = performance.now();
    const server = await serve({ "/": new URL("./pages", import.meta.url).pathname });
    t.after(() => server.close());
    const browser = await launch();
    t.after(() => browser.close());
    const t1 = performance.now();
    const tab = await browser.open();
    await tab.goto(`${server.url}/blank.html`);
    const t2 = performance.now();
    const reply = await tab.evaluate(
      () =>
        new Promise((resolve, reject) => {
          const worker = new Worker("/hello-worker.js", { type: "module" });
          worker.onmessage = (event) => resolve(event.data);
          worker.onerror = (event) => reject(new Error(event.message));
        }),
    );
    t.diagnostic(
      `launch ${(t1 - t0) | 0} ms, page ${(t2 - t1) | 0} ms, compute ${(performance.now() - t2) | 0} ms`,
    );
    t.diagnostic(JSON.stringify({ version: browser.version, ...reply.value }));
    assert.equal(reply.error, undefined);
    assert.deepEqual(reply.value.messages, []);
    assert.ok(reply.value.right);
  });
}
