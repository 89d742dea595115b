// Type-checks the TypeScript in the READMEs under strict. Each block is a module of its own; what it takes from the text
// around it is in readme-globals.d.ts.

import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { blocksOf } from "./readme.mjs";

const root = new URL("../../", import.meta.url);
const out = new URL("../.readme/", import.meta.url);

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
copyFileSync(new URL("readme-globals.d.ts", import.meta.url), new URL("globals.d.ts", out));
const files = ["globals.d.ts"];
for (const readme of ["README.md", "npm/README.md"]) {
  for (const { line, code } of blocksOf(new URL(readme, root), "ts")) {
    // On the line on which it stands in the README, so that errors name that.
    const name = `${readme.replaceAll("/", "-")}-${line}.ts`;
    writeFileSync(new URL(name, out), "\n".repeat(line - 1) + code);
    files.push(name);
  }
}
const compilerOptions = {
  strict: true,
  target: "ES2022",
  module: "ESNext",
  moduleResolution: "bundler",
  moduleDetection: "force",
  lib: ["ES2023", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
  types: ["node"],
  skipLibCheck: true,
  noEmit: true,
  allowImportingTsExtensions: true,
  paths: { qwill: ["../src/index.ts"], "qwill/dist/*.js": ["../src/*.ts"] },
};
writeFileSync(new URL("tsconfig.json", out), JSON.stringify({ compilerOptions, files }));
const tsc = fileURLToPath(new URL("../node_modules/.bin/tsc", import.meta.url));
const { status } = spawnSync(tsc, ["--project", fileURLToPath(out)], {
  stdio: "inherit",
  shell: process.platform === "win32",
});
if (status === 0) console.log(`The ${files.length - 1} blocks of TypeScript in the READMEs compile.`);
process.exitCode = status ?? 1;
