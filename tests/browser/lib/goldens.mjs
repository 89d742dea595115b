// What lies in tests/golden.

import { readdirSync } from "node:fs";
import path from "node:path";
import { GOLDEN } from "./site.mjs";

export const goldenFolders = () =>
  readdirSync(GOLDEN, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);

/** The names of the files that are a checkpoint, without what is expected of it. */
export const modelFiles = (folder) =>
  readdirSync(path.join(GOLDEN, folder)).filter(
    (file) => /\.(json|safetensors|txt|tiktoken)$/.test(file) && !file.includes("expected"),
  );

/** The names of the GGUF files of a folder, without their ending. */
export const ggufs = (folder) =>
  readdirSync(path.join(GOLDEN, folder))
    .filter((file) => file.endsWith(".gguf"))
    .map((file) => path.basename(file, ".gguf"));
