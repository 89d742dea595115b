// The README's recipes for bundlers, as they stand there: the package as `npm pack` ships it, built and opened.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { blocksOf } from "../../npm/scripts/readme.mjs";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { serve } from "./lib/server.mjs";
import { ROOT } from "./lib/site.mjs";

const README = path.join(ROOT, "npm/README.md");
const MODULES = path.join(ROOT, "tests/browser/node_modules");
const [FIRST, ...TS] = blocksOf(README, "ts").map(({ code }) => code);
/** The block that begins with its file's name. */
const fileOf = (name) => TS.find((code) => code.startsWith(`// ${name}\n`));
const [BUNDLE, COPY] =
  blocksOf(README, "sh")
    .find(({ code }) => code.includes("esbuild"))
    ?.code.split("\n") ?? [];

/** What needs the module that only replies of a form need. */
const FORM = `import { load } from "qwill";
const model = await load("demo");
const messages = [{ role: "user" as const, content: "Is water wet?" }];
const { choices } = await model.chat.completions.create({ messages, regex: "(yes|no)", enable_thinking: false });
document.body.append(choices[0].message.content ?? "");
`;

/** A project with the package and esbuild, and nothing else. */
function makeProject(t, files) {
  const folder = mkdtempSync(path.join(tmpdir(), "qwill-bundle-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const installed = path.join(folder, "node_modules/qwill");
  mkdirSync(installed, { recursive: true });
  const packed = execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], {
    cwd: path.join(ROOT, "npm"),
    encoding: "utf8",
  });
  execFileSync("tar", ["-xzf", path.join(folder, packed.trim()), "--strip-components=1", "-C", installed]);
  for (const name of ["esbuild", ".bin"]) {
    symlinkSync(path.join(MODULES, name), path.join(folder, "node_modules", name));
  }
  for (const [name, code] of Object.entries(files)) writeFileSync(path.join(folder, name), code);
  return folder;
}

const run = (folder, line) =>
  execFileSync("sh", ["-ec", line], { cwd: folder, stdio: ["ignore", "ignore", "inherit"] });

/** Opens the built page and waits for what it writes, or for what it fails with. */
async function open(t, launch, folder) {
  writeFileSync(
    path.join(folder, "public/index.html"),
    '<!doctype html><html lang="en"><body></body></html>',
  );
  const site = await serve({ "/": path.join(folder, "public") });
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const tab = await browser.open();
  await tab.goto(`${site.url}/index.html`);
  return tab.evaluate(async () => {
    const warnings = [];
    console.warn = (text) => warnings.push(text);
    const failure = await import("/js/app.js").then(
      () => undefined,
      ({ code, message }) => ({ code, message }),
    );
    const loaded = performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname);
    return { text: document.body.textContent, warnings, failure, loaded };
  });
}

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(`${name}: esbuild's two lines`, async (t) => {
    const folder = makeProject(t, { "app.ts": FIRST });
    run(folder, BUNDLE);
    run(folder, COPY);
    const { text, warnings, failure } = await open(t, launch, folder);
    assert.equal(failure, undefined, JSON.stringify(failure));
    assert.deepEqual(warnings, [], "it runs in a worker");
    assert.ok(text.trim().length > 5, text);
  });

  test(`${name}: a worker of one's own`, async (t) => {
    const folder = makeProject(t, { "app.ts": fileOf("app.ts"), "my-worker.ts": fileOf("my-worker.ts") });
    run(folder, BUNDLE.replace("node_modules/qwill/dist/worker.js", "my-worker.ts"));
    run(folder, COPY);
    const { text, warnings, failure, loaded } = await open(t, launch, folder);
    assert.equal(failure, undefined, JSON.stringify(failure));
    assert.deepEqual(warnings, []);
    assert.match(text, /H.*o/);
    assert.ok(!loaded.some((path) => path.endsWith(".wasm")), "the page leaves the module to the worker");
  });

  test(`${name}: a reply of a form`, async (t) => {
    const folder = makeProject(t, { "app.ts": FORM });
    run(folder, BUNDLE);
    run(folder, COPY);
    const { text, warnings, failure } = await open(t, launch, folder);
    assert.equal(failure, undefined, JSON.stringify(failure));
    assert.deepEqual(warnings, [], "it runs in a worker");
    assert.match(text, /^(yes|no)$/);
  });

  test(`${name}: without the second line the message says what to do`, async (t) => {
    const folder = makeProject(t, { "app.ts": FIRST });
    run(folder, BUNDLE);
    const { failure } = await open(t, launch, folder);
    assert.equal(failure?.code, "network");
    assert.match(failure?.message, /\/wasm\/qwill_wasm_bg\.wasm \(.*404.*\).*load\(source, \{ wasmUrl \}\)/);
  });
}
