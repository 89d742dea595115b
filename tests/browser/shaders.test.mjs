// Every shader permutation compiles in the browsers: Chrome's compiler (tint) checks uniformity, which naga does not,
// and gives zeros instead of errors when a shader is bad. Chromium has subgroups, Firefox gets what needs none.
// The device is asked for nothing beyond WebGPU's guaranteed limits, so that every kernel runs everywhere.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";
import { ROOT } from "./lib/site.mjs";

/** QWILL_SHADERS names a file with the output of the example, for machines without cargo. */
function permutations() {
  const file = process.env.QWILL_SHADERS;
  const command = ["run", "--quiet", "--package", "qwill-kernels", "--example", "dump_shaders"];
  const json = file
    ? readFileSync(file, "utf8")
    : execFileSync("cargo", command, { cwd: ROOT, encoding: "utf8", maxBuffer: 256 << 20 });
  return JSON.parse(json);
}

/** Runs in the page: compiles the shaders and returns one line for each problem. */
async function compile({ shaders, features }) {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: features });
  const types = { uniform: "uniform", read: "read-only-storage", read_write: "storage" };
  const compileOne = async ({ name, wgsl, bindings }) => {
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ label: name, code: wgsl });
    const layout = device.createBindGroupLayout({
      entries: bindings.map((kind, binding) => ({
        binding,
        visibility: GPUShaderStage.COMPUTE,
        buffer: { type: types[kind], hasDynamicOffset: kind === "uniform" },
      })),
    });
    const pipeline = device.createComputePipelineAsync({
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: "main" },
    });
    const scope = device.popErrorScope();
    const { messages } = await module.getCompilationInfo();
    const problems = messages.map((m) => `${m.type} at ${m.lineNum}:${m.linePos}: ${m.message}`);
    await pipeline.catch((error) => problems.push(error.message));
    const error = await scope;
    if (error) problems.push(error.message);
    return problems.map((problem) => `${name}: ${problem}`);
  };
  // a few at a time, which the browser compiles on several threads
  const problems = [];
  for (let i = 0; i < shaders.length; i += 16) {
    problems.push(...(await Promise.all(shaders.slice(i, i + 16).map(compileOne))).flat());
  }
  device.destroy();
  return problems;
}

const all = permutations();
const needsSubgroups = ({ wgsl }) => /^enable subgroups;/m.test(wgsl);

const wanted = {
  chromium: { shaders: all, features: ["subgroups"] },
  firefox: { shaders: all.filter((shader) => !needsSubgroups(shader)), features: [] },
};

test("there are shaders with subgroups and without", () => {
  assert.ok(all.length > 200, `${all.length} permutations`);
  assert.ok(all.some(needsSubgroups));
  assert.ok(wanted.firefox.shaders.length > 100);
});

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(`${name} compiles every permutation`, async (t) => {
    const server = await serve({ "/": new URL("./pages", import.meta.url).pathname });
    t.after(() => server.close());
    const browser = await launch();
    t.after(() => browser.close());
    const tab = await browser.open();
    await tab.goto(`${server.url}/blank.html`);
    const begun = performance.now();
    const problems = await tab.evaluate(compile, wanted[name]);
    const ms = Math.round(performance.now() - begun);
    t.diagnostic(`${wanted[name].shaders.length} shaders in ${ms} ms`);
    assert.equal(problems.length, 0, `${problems.length} problems:\n${problems.join("\n")}`);
  });
}
