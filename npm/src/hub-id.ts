// Ids of models on a hub, and the addresses of their pages.

import type { HubRef } from "./protocol.ts";

type HubId = Omit<HubRef, "endpoint">;

const ID = /^(\w[\w.-]*\/\w[\w.-]*)(?::(\w[\w.-]*))?(?:@(\w[\w./-]*))?$/;
/** Pages and ids behind these are those of the Hugging Face hub. */
const HOST = /^(?:https?:\/\/)?(?:hf\.co|(?:www\.)?huggingface\.co|hf-mirror\.com)\//i;

/**
 * Reads `owner/name[:TAG][@REVISION]`, also behind the hub's name, or the address of a model's page, on `endpoint` too;
 * nothing if it is something else.
 */
export function parseHubId(text: string, endpoint?: string): HubId | undefined {
  const own = endpoint !== undefined && text.startsWith(`${endpoint}/`) ? `${endpoint}/` : undefined;
  const host = own ?? HOST.exec(text)?.[0];
  // ModelScope's pages lie in a folder.
  if (host !== undefined) return ofPage(text.slice(host.length).replace(/^models\//, ""));
  return ofId(text);
}

function ofId(text: string): HubId | undefined {
  const [, repo, tag, revision = "main"] = ID.exec(text) ?? [];
  // A relative address looks much the same.
  if (!repo || repo.includes("--") || /\.(gguf|safetensors|json)$/i.test(text)) return undefined;
  // None may lead out of a folder.
  if (/\.\.|\/\/|\/$/.test(text)) return undefined;
  return { repo, tag, revision };
}

/** What `%2F` and the like stand for; nothing that a repository has is behind one that stands for nothing. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The page of a model, of its files, or of one GGUF file, which its name then stands for. */
function ofPage(address: string): HubId | undefined {
  const [page = "", query = ""] = address.replace(/#.*$/, "").split("?");
  const [owner, name, kind, revision, ...path] = page.replace(/\/+$/, "").split("/");
  if (!owner || !name) return undefined;
  const isFile = kind === "blob" && path.length > 0;
  if (kind !== undefined && !isFile && !["tree", "commits", "discussions"].includes(kind)) return undefined;
  const hasRevision = revision !== undefined && kind !== "discussions";
  const id = ofId(hasRevision ? `${owner}/${name}@${decoded(revision)}` : `${owner}/${name}`);
  const file = isFile ? path.at(-1) : /(?:^|&)show_file_info=([^&]*)/.exec(query)?.[1];
  const stem = /^(.*?)(?:-\d{5}-of-\d{5})?\.gguf$/i.exec(decoded(file ?? ""))?.[1];
  const tag = stem?.split("/").at(-1);
  return id && tag && /^\w[\w.-]*$/.test(tag) ? { ...id, tag } : id;
}
