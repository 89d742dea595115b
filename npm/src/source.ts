// What `load` accepts as a model, brought into the one form that is sent to the worker.

import { QwillError } from "./errors.ts";
import { HUGGING_FACE, hubIdOf } from "./hub.ts";
import { parseHubId } from "./hub-id.ts";
import type { LocalFile, RandomModel, RemoteFile, SourceRef } from "./protocol.ts";
import { askToKeep } from "./store.ts";

/**
 * What to load:
 * - `"demo"`: the small model that ships with this package;
 * - a model's id on the Hugging Face hub, `"Qwen/Qwen3-0.6B"`; of a GGUF repository with the quantisation,
 *   `"Qwen/Qwen3-8B-GGUF:Q4_K_M"`; both with `@` and a revision, if not the newest one; also behind `hf.co/`, or as the
 *   address of the model's page;
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

/** Where models come from by id. */
export interface HubOptions {
  /** Branch, tag or commit of a hub id. */
  revision?: string;
  /** Of a user, for gated and private models. */
  token?: string;
  /** Address of a mirror of the hub. Default: `"https://huggingface.co"`. */
  endpoint?: string | URL;
}

/** What becomes of downloads. */
export interface StorageOptions {
  /**
   * `"keep"`, the default: what is downloaded is stored, so that it is there the next time, without network too, and
   * an interrupted download goes on where it stopped. `"none"`: it is forgotten with the page.
   */
  storage?: "keep" | "none";
}

/** The shipped model; bundlers see this pattern and copy the file. */
const demoUrl = () => new URL("../wasm/qwill-demo-q8_0.gguf", import.meta.url);

/** What is read in folders of a checkpoint. */
const INNER_FILE = /(?:^|\/)(additional_chat_templates\/[^/]+\.jinja|1_Pooling\/config\.json)$/;
const INNER_FOLDERS = ["additional_chat_templates", "1_Pooling"];

const CHECKPOINT_FILE = /\.(gguf|safetensors|json|txt|tiktoken|jinja)$/i;

export async function resolveSource(source: ModelSource, options: HubOptions = {}): Promise<SourceRef> {
  if (source === "demo") {
    const file = { name: "qwill-demo-q8_0.gguf", url: demoUrl().href };
    return { name: "qwill-demo-q8_0", local: [], remote: { id: "demo", files: [file] }, storage: "none" };
  }
  const hub =
    typeof source === "string" || source instanceof URL ? fromHub(String(source), options) : undefined;
  if (hub) return hub;
  if (typeof source === "string" || source instanceof URL) return fromFiles([], [fromUrl(source)]);
  if (source instanceof Blob) return fromFiles([fromBlob(source)], []);
  if (isObject(source) && "random" in source) return { random: String(source.random) };
  if (isObject(source) && "kind" in source)
    return fromFiles(await fromHandle(source), [], source.kind === "directory" ? source.name : undefined);
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
    if (items.length > 0) return fromFiles(files, urls, folder);
  }
  throw new QwillError(
    "invalid-source",
    'There is nothing to load: give "demo", a hub id such as "Qwen/Qwen3-0.6B", the URL of a .gguf file, the URLs ' +
      "of a checkpoint's files, a File, or the files of a checkpoint folder.",
  );
}

/** As `resolveSource`, for what is about to be loaded: it stays here unless `storage` says otherwise. */
export async function resolveToLoad(
  source: ModelSource,
  options: HubOptions & StorageOptions,
): Promise<SourceRef> {
  const resolved = await resolveSource(source, options);
  if ("remote" in resolved) {
    if (options.storage === "none") resolved.storage = "none";
    if (resolved.storage === "keep") askToKeep();
  }
  return resolved;
}

function fromHub(text: string, options: HubOptions): SourceRef | undefined {
  const endpoint = parseUrl(String(options.endpoint ?? HUGGING_FACE))?.href.replace(/\/+$/, "");
  const id = parseHubId(text, endpoint);
  if (!id) return undefined;
  if (!endpoint)
    throw new QwillError("invalid-request", `endpoint must be a URL, not "${options.endpoint}".`);
  const hub = { ...id, ...(options.revision !== undefined && { revision: options.revision }), endpoint };
  const shown = hubIdOf(hub);
  // The same id on another hub may be another model.
  const key = endpoint === HUGGING_FACE ? shown : `${endpoint}/${shown}`;
  const name = hub.repo.split("/").at(-1) ?? shown;
  return { name, local: [], remote: { id: key, hub }, storage: "keep" };
}

/** With a name for the model, in case its files do not say: the folder that they lie in, or the file itself. */
function fromFiles(local: LocalFile[], files: RemoteFile[], folder?: string): SourceRef {
  const first = files[0];
  const directory = first && local.length + files.length > 1 ? directoryName(first.url) : undefined;
  const name = folder || directory || (local[0] ?? first)?.name.replace(/\.\w+$/, "") || "model";
  if (!first) return { name, local };
  const id = files.length === 1 ? first.url : first.url.replace(/[^/]*$/, "");
  const storage = files.every(({ url }) => /^https?:/.test(url)) ? "keep" : "none";
  return { name, local, remote: { id, files }, storage };
}

/** `Qwen3-0.6B` out of `https://…/Qwen/Qwen3-0.6B/resolve/main/config.json`. */
function directoryName(url: string): string | undefined {
  const path = new URL(url).pathname.replace(/\/(resolve|raw|blob)\/[^/]+\//, "/");
  return decodeURIComponent(path).split("/").at(-2);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function fromUrl(given: string | URL): RemoteFile {
  const text = String(given);
  const url = parseUrl(text);
  if (!url) throw new QwillError("invalid-source", `"${text}" is neither "demo", nor a hub id, nor a URL.`);
  const path = decodeURIComponent(url.pathname);
  const name = INNER_FILE.exec(path)?.[1] ?? path.split("/").at(-1) ?? "";
  return { name: /\.\w+$/.test(name) ? name : "model.gguf", url: url.href };
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text, globalThis.document?.baseURI ?? globalThis.location?.href);
  } catch {
    return undefined;
  }
}

function fromBlob(blob: Blob): LocalFile {
  const isFile = blob instanceof File;
  const inner = isFile ? INNER_FILE.exec(blob.webkitRelativePath ?? "")?.[1] : undefined;
  return { name: inner ?? (isFile && blob.name ? blob.name : "model.gguf"), blob };
}

/** The files of a checkpoint among those of a folder: known endings, nearest to the top. */
function topLevel(files: File[]): File[] {
  const depth = (file: File) => file.webkitRelativePath.split("/").length;
  const known = files.filter((file) => CHECKPOINT_FILE.test(file.name));
  const top = Math.min(...known.map(depth));
  const isInner = (file: File) => INNER_FILE.test(file.webkitRelativePath) && depth(file) === top + 1;
  return known.filter((file) => depth(file) === top || isInner(file));
}

async function fromHandle(handle: FileSystemHandle): Promise<LocalFile[]> {
  if (handle.kind === "file") return [fromBlob(await (handle as FileSystemFileHandle).getFile())];
  const files: LocalFile[] = [];
  for await (const entry of (handle as FileSystemDirectoryHandle).values()) {
    if (entry.kind === "directory" && INNER_FOLDERS.includes(entry.name)) {
      for await (const inner of (entry as FileSystemDirectoryHandle).values()) {
        const name = `${entry.name}/${inner.name}`;
        if (inner.kind !== "file" || !INNER_FILE.test(name)) continue;
        files.push({ name, blob: await (inner as FileSystemFileHandle).getFile() });
      }
    }
    if (entry.kind !== "file" || !CHECKPOINT_FILE.test(entry.name)) continue;
    files.push(fromBlob(await (entry as FileSystemFileHandle).getFile()));
  }
  if (files.some(({ name }) => !INNER_FILE.test(name))) return files;
  throw new QwillError(
    "file-not-found",
    `The folder ${handle.name} holds no model: expected a .gguf file, or config.json, tokenizer.json and *.safetensors.`,
  );
}
