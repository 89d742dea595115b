// Repositories of the Hugging Face hub and its mirrors: ids, listings, and which of the files are a model.

import { QwillError } from "./errors.ts";
import type { HubRef, RemoteFile } from "./protocol.ts";
import { fetchText, insist, type RequestOptions } from "./ranges.ts";

export const HUGGING_FACE = "https://huggingface.co";

export function hubIdOf({ repo, tag, revision }: HubRef): string {
  return `${repo}${tag ? `:${tag}` : ""}${revision === "main" ? "" : `@${revision}`}`;
}

/** What a listing says about a file, in the words of Hugging Face and its mirrors. */
interface Entry {
  type: string;
  path: string;
  size?: number;
  oid?: string;
  lfs?: { oid: string; size?: number };
}

/** The same in the words of ModelScope. */
interface ModelScopeEntry {
  Type: string;
  Path: string;
  Size?: number;
  Sha256?: string;
}

const isModelScope = (endpoint: string) => endpoint.includes("modelscope");

/** A user's token is between them and Hugging Face, mirrors included. */
export const takesToken = ({ endpoint }: HubRef) => !isModelScope(endpoint);

/** What the newest revision is called there. */
const revisionAt = (endpoint: string, revision: string) =>
  encodeURIComponent(isModelScope(endpoint) && revision === "main" ? "master" : revision);

function listingUrl({ endpoint, repo, revision }: HubRef): string {
  const at = revisionAt(endpoint, revision);
  return isModelScope(endpoint)
    ? `${endpoint}/api/v1/models/${repo}/repo/files?Revision=${at}&Recursive=true`
    : `${endpoint}/api/models/${repo}/tree/${at}?recursive=true`;
}

function fileUrl({ endpoint, repo }: HubRef, at: string, path: string): string {
  const folder = isModelScope(endpoint) ? "/models" : "";
  return `${endpoint}${folder}/${repo}/resolve/${at}/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** All files of a repository. */
export async function listHub(hub: HubRef, options: RequestOptions): Promise<RemoteFile[]> {
  const { endpoint } = hub;
  const entries: Entry[] = [];
  let commit: string | undefined;
  let url: string | undefined = listingUrl(hub);
  while (url) {
    const address: string = url;
    const [text, headers]: [string, Headers] = await insist(() => fetchText(address, options)).catch(
      (error: QwillError) => {
        throw explain(error, hub);
      },
    );
    const page = parseEntries(text, url);
    entries.push(...page);
    commit ??= headers.get("x-repo-commit") ?? undefined;
    // Mirrors may hand on the original's host.
    const next: string | undefined = /<[^>]*?(\/api\/[^>]+)>;\s*rel="next"/.exec(
      headers.get("link") ?? "",
    )?.[1];
    url = page.length > 0 && next !== undefined ? endpoint + next : undefined;
  }
  // A commit stays what it is while the files come in.
  const at = commit && /^[0-9a-f]{40}$/.test(commit) ? commit : revisionAt(endpoint, hub.revision);
  return entries
    .filter(({ type, path }) => type === "file" && typeof path === "string")
    .map(({ path, size, oid = "", lfs }) => {
      const hex = (lfs?.oid ?? oid).replace(/^sha256:/, "");
      const bytes = lfs?.size ?? size;
      return {
        name: path,
        url: fileUrl(hub, at, path),
        ...(bytes !== undefined && { size: bytes }),
        ...(/^[0-9a-f]{64}$/.test(hex) && { digest: { kind: "sha256", hex } }),
        ...(/^[0-9a-f]{40}$/.test(hex) && { digest: { kind: "git", hex } }),
      };
    });
}

function parseEntries(text: string, url: string): Entry[] {
  try {
    const listing = JSON.parse(text);
    if (Array.isArray(listing)) return listing;
    const entries: ModelScopeEntry[] | undefined = listing.Data?.Files;
    if (Array.isArray(entries)) {
      return entries.map(({ Type, Path, Size, Sha256 }) => ({
        type: Type === "blob" ? "file" : Type,
        path: Path,
        ...(Size !== undefined && { size: Size }),
        ...(Sha256 && { oid: Sha256 }),
      }));
    }
  } catch {}
  throw new QwillError("network", `${url} did not answer with a list of files; is the endpoint right?`);
}

/** The hub's refusals in terms of the model. */
function explain(error: QwillError, { endpoint, repo, revision }: HubRef): QwillError {
  if (error.code === "not-found") {
    const message = `${endpoint} has no model ${repo} with the revision ${revision}; is it spelt right?`;
    return new QwillError("not-found", message, { cause: error });
  }
  if (error.code === "unauthorized") {
    const message =
      `${endpoint} does not give ${repo} to this user: it may be misspelt, private or gated. Accept its terms at ` +
      `${endpoint}/${repo}, and pass a token of yours.`;
    return new QwillError("unauthorized", message, { cause: error });
  }
  return error;
}

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
const COMPANIONS = new RegExp(
  [
    "^(config|generation_config|adapter_config|vocab|modules|1_Pooling/config|model\\.safetensors\\.index)\\.json$",
    "^merges\\.txt$",
    "^tokenizer[^/]*\\.json$",
    "^[^/]*\\.tiktoken$",
    "^chat_template[^/]*$",
    "^additional_chat_templates/[^/]+\\.jinja$",
  ].join("|"),
);

/** The files of a model: all of them, or all but those that an index has yet to name. */
export interface Choice {
  files: RemoteFile[];
  /** Names the weight files; read it with `shardsOf`. */
  index?: RemoteFile;
}

/** Chooses the model among a repository's files. */
export function chooseFiles(hub: HubRef, files: RemoteFile[]): Choice {
  const shards = shardsAmong(files);
  const groups = groupGguf(files);
  if (hub.tag !== undefined || (shards.length === 0 && groups.length > 0)) {
    return { files: chooseGguf(hub, groups) };
  }
  // What is left beside one whole file, such as an index of older parts, says nothing.
  const isWhole = shards.some(({ name }) => name === SINGLE);
  const index = isWhole ? undefined : files.find(({ name }) => name === INDEX);
  if (shards.length === 0 && !index) {
    throw new QwillError(
      "not-found",
      `${hubIdOf(hub)} holds no model that qwill reads: neither .safetensors nor .gguf files.`,
    );
  }
  // A file of a folder may have the name of one at the top, which is the one that counts.
  const depth = ({ name }: RemoteFile) => name.split("/").length;
  const isCompanion = ({ name }: RemoteFile) => COMPANIONS.test(name) && !(isWhole && name === INDEX);
  const companions = files.filter(isCompanion).sort((a, b) => depth(a) - depth(b));
  return index ? { files: companions, index } : { files: [...companions, ...shards] };
}

/** The weights: one whole file before any parts, and what is the same for other programs only if there is nothing else. */
function shardsAmong(files: RemoteFile[]): RemoteFile[] {
  const all = files.filter(({ name }) => /^[^/]*\.safetensors$/.test(name));
  const single = all.filter(({ name }) => name === SINGLE);
  const own = all.filter(({ name }) => !name.startsWith("consolidated"));
  return [single, own, all].find(({ length }) => length > 0) ?? [];
}

/** The weight files that an index names. */
export function shardsOf(json: string, files: RemoteFile[]): RemoteFile[] {
  let names: unknown[] = [];
  try {
    names = Object.values(JSON.parse(json).weight_map);
  } catch {}
  const shards = files.filter(({ name }) => names.includes(name));
  const missing = names.find((name) => !shards.some((shard) => shard.name === name));
  if (shards.length > 0 && missing === undefined) return shards;
  const what = missing === undefined ? "names no weight files" : `names ${missing}, which is not there`;
  throw new QwillError("invalid-file", `${INDEX} ${what}.`);
}

/** One quantisation of a GGUF repository. */
interface Gguf {
  /** File name without ending and part number, in upper case. */
  stem: string;
  nParts: number;
  parts: RemoteFile[];
}

function groupGguf(files: RemoteFile[]): Gguf[] {
  const groups = new Map<string, Gguf>();
  for (const file of files) {
    const base = (file.name.split("/").at(-1) ?? "").toUpperCase();
    // Projectors of vision models and importance matrices are no models of their own.
    if (!base.endsWith(".GGUF") || base.startsWith("MMPROJ") || base.includes("IMATRIX")) continue;
    const whole = base.slice(0, -".GGUF".length);
    const [, stem = whole, of = "1"] = /^(.*)-\d{5}-OF-(\d{5})$/.exec(whole) ?? [];
    const key = `${stem} ${Number(of)}`;
    const group = groups.get(key) ?? { stem, nParts: Number(of), parts: [] };
    groups.set(key, group);
    group.parts.push(file);
  }
  for (const { parts } of groups.values()) parts.sort((a, b) => (a.name < b.name ? -1 : 1));
  return [...groups.values()];
}

function chooseGguf({ repo, tag }: HubRef, groups: Gguf[]): RemoteFile[] {
  const pick = (text: string): Gguf | undefined => {
    const wanted = text.toUpperCase();
    const exact = groups.filter(
      ({ stem }) => stem.endsWith(wanted) && /^$|[-._]$/.test(stem.slice(0, stem.length - wanted.length)),
    );
    if (exact.length > 0) return exact.reduce((a, b) => (b.stem.length < a.stem.length ? b : a));
    const close = groups.filter(({ stem }) => stem.includes(wanted));
    return close.length === 1 ? close[0] : undefined;
  };
  const only = groups.length === 1 ? groups[0] : undefined;
  const found = tag === undefined ? (pick("Q4_K_M") ?? pick("Q8_0") ?? only) : pick(tag);
  if (!found) {
    const tags = [...new Set(groups.map(({ stem }) => stem.split(/[-.]/).at(-1)))].sort().join(", ");
    const message =
      groups.length === 0
        ? `${repo} holds no .gguf files.`
        : tag === undefined
          ? `${repo} holds several models; say which one: "${repo}:TAG" with ${tags}.`
          : `"${tag}" does not name one file of ${repo}; there are ${tags}.`;
    throw new QwillError("not-found", message);
  }
  if (found.parts.length !== found.nParts) {
    const message = `${found.stem} of ${repo} should have ${found.nParts} parts, ${found.parts.length} are there.`;
    throw new QwillError("not-found", message);
  }
  return found.parts;
}
