// What `load` accepts as a model, brought into the one form that is sent to the worker.

import { QwillError } from "./errors.ts";

/** A shape and a format, such as `"qwen3-0.6b:q4_0"`, filled with random weights: for benchmarks. */
export interface RandomModel {
  random: string;
}

/**
 * What to load:
 * - `"demo"`: the small model that ships with this package;
 * - the URL of a `.gguf` file, or the URLs of a checkpoint's files (`config.json`, `tokenizer.json`,
 *   `*.safetensors`, …);
 * - a `File` or `Blob` holding a GGUF, or the `File`s of a checkpoint folder, as a file input, a drop or
 *   `showDirectoryPicker()` give them.
 */
export type ModelSource =
  | "demo"
  | (string & {})
  | URL
  | Blob
  | Iterable<string | URL | File>
  | FileSystemFileHandle
  | FileSystemDirectoryHandle
  | RandomModel;

/** A file that can be sent to a worker. */
export type FileRef = { name: string; url: string } | { name: string; blob: Blob };

/** A model that can be sent to a worker. */
export type SourceRef = { name: string; files: FileRef[] } | RandomModel;

/** The shipped model; bundlers see this pattern and copy the file. */
const demoUrl = () => new URL("../wasm/qwill-demo-q8_0.gguf", import.meta.url);

const CHECKPOINT_FILE = /\.(gguf|safetensors|json|txt|tiktoken|jinja)$/i;

export async function resolveSource(source: ModelSource): Promise<SourceRef> {
  if (source === "demo") return named([{ name: "qwill-demo-q8_0.gguf", url: demoUrl().href }]);
  if (typeof source === "string" || source instanceof URL) return named([fromUrl(source)]);
  if (source instanceof Blob) return named([fromBlob(source)]);
  if (isObject(source) && "random" in source) return { random: String(source.random) };
  if (isObject(source) && "kind" in source)
    return named(await fromHandle(source), source.kind === "directory" ? source.name : undefined);
  if (isObject(source) && Symbol.iterator in source) {
    const items = [...source];
    const files = topLevel(items.filter((item) => item instanceof Blob)).map(fromBlob);
    const urls = items.filter((item): item is string | URL => !(item instanceof Blob)).map(fromUrl);
    if (items.length > 0 && files.length + urls.length === 0) {
      throw new QwillError(
        "file-not-found",
        `None of the ${items.length} files given belongs to a model: expected a .gguf file, or config.json, ` +
          "tokenizer.json and *.safetensors.",
      );
    }
    const folder = items.find((item) => item instanceof File)?.webkitRelativePath.split("/")[0];
    if (items.length > 0) return named([...files, ...urls], folder);
  }
  throw new QwillError(
    "invalid-source",
    'There is nothing to load: give "demo", the URL of a .gguf file, the URLs of a checkpoint\'s files, ' +
      "a File, or the files of a checkpoint folder.",
  );
}

/** A name for the model, in case its files do not say: the folder that they lie in, or the file itself. */
function named(files: FileRef[], folder?: string): SourceRef {
  const [first] = files;
  const directory = first && "url" in first && files.length > 1 ? directoryName(first.url) : undefined;
  return { name: folder || directory || first?.name.replace(/\.\w+$/, "") || "model", files };
}

/** `Qwen3-0.6B` out of `https://…/Qwen/Qwen3-0.6B/resolve/main/config.json`. */
function directoryName(url: string): string | undefined {
  const path = new URL(url).pathname.replace(/\/(resolve|raw|blob)\/[^/]+\//, "/");
  return decodeURIComponent(path).split("/").at(-2);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function fromUrl(given: string | URL): FileRef {
  const text = String(given);
  if (typeof given === "string" && /^[\w.-]+\/[\w.-]+$/.test(text) && !/^\.|\.gguf$/i.test(text)) {
    throw new QwillError(
      "invalid-source",
      `"${text}" looks like a model's id on the Hugging Face hub, which qwill cannot load by id yet. Give the URLs ` +
        `of its files instead, such as "https://huggingface.co/${text}/resolve/main/config.json", tokenizer.json, ` +
        "tokenizer_config.json, generation_config.json and model.safetensors, or the URL of a .gguf file.",
    );
  }
  const url = parseUrl(text);
  if (!url) throw new QwillError("invalid-source", `"${text}" is neither "demo" nor a URL.`);
  const name = decodeURIComponent(url.pathname.split("/").at(-1) ?? "");
  return { name: /\.\w+$/.test(name) ? name : "model.gguf", url: url.href };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    return undefined;
  }
}

function fromBlob(blob: Blob): FileRef {
  return { name: blob instanceof File && blob.name ? blob.name : "model.gguf", blob };
}

/** The files of a checkpoint among those of a folder: known endings, nearest to the top. */
function topLevel(files: File[]): File[] {
  const depth = (file: File) => file.webkitRelativePath.split("/").length;
  const known = files.filter((file) => CHECKPOINT_FILE.test(file.name));
  const top = Math.min(...known.map(depth));
  return known.filter((file) => depth(file) === top);
}

async function fromHandle(handle: FileSystemHandle): Promise<FileRef[]> {
  if (handle.kind === "file") return [fromBlob(await (handle as FileSystemFileHandle).getFile())];
  const files: File[] = [];
  for await (const entry of (handle as FileSystemDirectoryHandle).values()) {
    if (entry.kind !== "file" || !CHECKPOINT_FILE.test(entry.name)) continue;
    files.push(await (entry as FileSystemFileHandle).getFile());
  }
  if (files.length > 0) return files.map(fromBlob);
  throw new QwillError(
    "file-not-found",
    `The folder ${handle.name} holds no model: expected a .gguf file, or config.json, tokenizer.json and *.safetensors.`,
  );
}
