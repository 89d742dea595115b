import { readFileSync } from "node:fs";
import { launchChromium } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";
const all = JSON.parse(readFileSync("/tmp/shaders.json", "utf8"));
const server = await serve({ "/": new URL("./pages", import.meta.url).pathname });
const browser = await launchChromium();
const tab = await browser.open();
await tab.goto(`${server.url}/blank.html`);
console.log(await tab.evaluate(async () => { const a = await navigator.gpu.requestAdapter(); globalThis.device = await a.requestDevice({requiredFeatures:["subgroups"]}); return {storage: device.limits.maxStorageBuffersPerShaderStage, adapter: a.limits.maxStorageBuffersPerShaderStage}; }));
const step = Number(process.argv[2] ?? 1);
let slow = [], bad = [];
const t00 = Date.now();
for (let i = 0; i < all.length; i += step) {
  const t0 = Date.now();
  const r = await tab.evaluate(async ({ name, wgsl, bindings }) => {
    const types = { uniform: "uniform", read: "read-only-storage", read_write: "storage" };
    const problems = [];
    device.pushErrorScope("validation");
    const t = performance.now();
    const module = device.createShaderModule({ label: name, code: wgsl });
    const { messages } = await module.getCompilationInfo();
    const t1 = performance.now();
    for (const m of messages) problems.push(m.message);
    const layout = device.createBindGroupLayout({ entries: bindings.map((kind, binding) => ({ binding, visibility: 4, buffer: { type: types[kind], hasDynamicOffset: kind === "uniform" } })) });
    await device.createComputePipelineAsync({ layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }), compute: { module, entryPoint: "main" } }).catch((e) => problems.push(e.message));
    const e = await device.popErrorScope(); if (e) problems.push(e.message);
    return { problems, module: t1 - t, pipeline: performance.now() - t1 };
  }, all[i]);
  if (r.problems.length) { bad.push(all[i].name); console.log("BAD", all[i].name, r.problems[0].slice(0, 500)); }
  slow.push([r.pipeline | 0, r.module | 0, all[i].name]);
  console.log(i, (Date.now() - t00) / 1000 | 0, r.module | 0, r.pipeline | 0, all[i].name);
}
await browser.close(); server.close();
