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

/** Bytes of the workgroup variables: their types are nested arrays of vec4<f32> or of 4-byte scalars. */
function workgroupBytes(wgsl) {
  let bytes = 0;
  for (const [, type] of wgsl.matchAll(/^var<workgroup> \w+: (.*);/gm)) {
    const lengths = [...type.matchAll(/, (\d+)/g)].map(([, length]) => Number(length));
    bytes += lengths.reduce((a, b) => a * b, type.includes("vec4") ? 16 : 4);
  }
  return bytes;
}

const needsSubgroups = ({ wgsl }) => /^enable subgroups;/m.test(wgsl);

/**
 * The shaders whose pipelines are built: for each kernel, interface and need of subgroups the one with the most
 * workgroup memory. A pipeline checks the interface and the limits; the shader itself is checked before. All of them
 * would keep SwiftShader's code generator busy for minutes.
 */
function representatives(shaders) {
  const found = new Map();
  for (const shader of shaders) {
    const kernel = shader.name.split(" ")[0];
    const key = [kernel, needsSubgroups(shader), ...shader.bindings].join();
    const best = found.get(key);
    if (!best || workgroupBytes(best.wgsl) < workgroupBytes(shader.wgsl)) found.set(key, shader);
  }
  return [...found.values()];
}

/** Runs in the page: compiles the shaders, builds pipelines, and returns one line for each problem. */
async function compile({ shaders, pipelines, features }) {
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter.requestDevice({ requiredFeatures: features });
  const problems = [];
  const check = async (name, build) => {
    device.pushErrorScope("validation");
    const built = build();
    const error = await device.popErrorScope();
    if (error) problems.push(`${name}: ${error.message}`);
    await built.catch((error) => problems.push(`${name}: ${error.message}`));
  };
  for (const { name, wgsl } of shaders) {
    await check(name, async () => {
      const module = device.createShaderModule({ label: name, code: wgsl });
      for (const { type, lineNum, linePos, message } of (await module.getCompilationInfo()).messages) {
        problems.push(`${name}: ${type} at ${lineNum}:${linePos}: ${message}`);
      }
    });
  }
  const types = { uniform: "uniform", read: "read-only-storage", read_write: "storage" };
  for (const { name, wgsl, bindings } of pipelines) {
    await check(name, () => {
      const layout = device.createBindGroupLayout({
        entries: bindings.map((kind, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: types[kind], hasDynamicOffset: kind === "uniform" },
        })),
      });
      return device.createComputePipelineAsync({
        layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
        compute: { module: device.createShaderModule({ label: name, code: wgsl }), entryPoint: "main" },
      });
    });
  }
  device.destroy();
  return problems;
}

const all = permutations();
const wanted = {
  chromium: { shaders: all, features: ["subgroups"] },
  firefox: { shaders: all.filter((shader) => !needsSubgroups(shader)), features: [] },
};

test("there are shaders with subgroups and without", () => {
  assert.ok(all.length > 200, `${all.length} permutations`);
  assert.ok(all.some(needsSubgroups));
  assert.ok(wanted.firefox.shaders.length > 100);
});

test("every shader keeps to the limits that WebGPU guarantees", () => {
  for (const { name, wgsl, bindings } of all) {
    const storage = bindings.filter((kind) => kind !== "uniform").length;
    assert.ok(storage <= 8, `${name} binds ${storage} storage buffers`);
    assert.ok(
      workgroupBytes(wgsl) <= 16 << 10,
      `${name} uses ${workgroupBytes(wgsl)} bytes of workgroup memory`,
    );
  }
});

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(`${name} compiles every permutation`, async (t) => {
    const server = await serve({ "/": new URL("./pages", import.meta.url).pathname });
    t.after(() => server.close());
    const browser = await launch();
    t.after(() => browser.close());
    const tab = await browser.open();
    await tab.goto(`${server.url}/blank.html`);
    const { shaders, features } = wanted[name];
    const pipelines = representatives(shaders);
    const begun = performance.now();
    const problems = await tab.evaluate(compile, { shaders, pipelines, features });
    const ms = Math.round(performance.now() - begun);
    t.diagnostic(`${shaders.length} shaders and ${pipelines.length} pipelines in ${ms} ms`);
    assert.equal(problems.length, 0, `${problems.length} problems:\n${problems.join("\n")}`);
  });
}
