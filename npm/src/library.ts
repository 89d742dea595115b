// The models that this site keeps: which files belong to which, and how they are opened, from the network or without.

import { keyOf } from "./digest.ts";
import type { EngineFile } from "./engine.ts";
import { aborted, QwillError } from "./errors.ts";
import { chooseFiles, hubIdOf, listHub, shardsOf, takesToken } from "./hub.ts";
import { type IncomingFile, type IncomingOptions, openIncoming } from "./incoming.ts";
import { unlessLocked } from "./lock.ts";
import { FILES, folderOf, keptOf } from "./parts.ts";
import type { RemoteFile, RemoteModel } from "./protocol.ts";
import { fetchFacts, insist } from "./ranges.ts";
import { openRemote } from "./remote.ts";
import { MemoryStore, requireRoom, type Store } from "./store.ts";

/** A model of which something is stored. */
export interface StoredModel {
  /** What to give to `downloads.delete`. */
  id: string;
  /** What to give to `load`: a hub id, or addresses. */
  source: string | string[];
  /** What to give to `load` as `endpoint`, if it is not the usual hub. */
  endpoint?: string;
  /** Bytes stored. */
  bytes: number;
  /** Bytes of the whole model. */
  size: number;
  /** Whether all of it is stored and checked, so that it loads without network. */
  complete: boolean;
}

/** What is remembered about a model. */
interface Record {
  id: string;
  source: string | string[];
  endpoint?: string;
  files: RemoteFile[];
}

function recordOf(model: RemoteModel, files: RemoteFile[]): Record {
  const { id } = model;
  if ("hub" in model) return { id, source: hubIdOf(model.hub), endpoint: model.hub.endpoint, files };
  const urls = files.map(({ url }) => url);
  return { id, source: urls.length === 1 ? id : urls, files };
}

const MODELS = "models";
const recordName = (id: string) => `${keyOf(id)}.json`;

async function readRecord(store: Store, name: string): Promise<Record | undefined> {
  try {
    const text = await (await store.read(MODELS, name))?.text();
    return text === undefined ? undefined : (JSON.parse(text) as Record);
  } catch {
    return undefined;
  }
}

async function readRecords(store: Store): Promise<Record[]> {
  const names = [...(await store.list(MODELS)).keys()];
  const records = await Promise.all(names.map((name) => readRecord(store, name)));
  return records.filter((record) => record !== undefined);
}

const writeRecord = (store: Store, record: Record) =>
  store.write(MODELS, recordName(record.id), new Blob([JSON.stringify(record)]));

export type PeekOptions = Omit<IncomingOptions, "onProgress">;

export interface OpenOptions extends PeekOptions {
  /** Bytes of all files together. */
  onProgress?: (received: number, total: number) => void;
}

/** A user's token goes only where it belongs. */
const withToken = <T extends { token?: string | undefined }>(model: RemoteModel, options: T): T =>
  "hub" in model && !takesToken(model.hub) ? { ...options, token: undefined } : options;

const WEIGHTS = /\.(gguf|safetensors)$/i;

/** A model's files for those who read only headers. */
export interface Peek {
  /** Configuration and weights; weights that are not stored are read where they are. */
  files: EngineFile[];
  /** All files of the model. */
  all: RemoteFile[];
  /** Bytes of the model that are not stored, as far as their servers say. */
  missing: number;
}

/** Opens what says how a model looks. Keeps nothing. */
export async function peekModel(model: RemoteModel, given: PeekOptions): Promise<Peek> {
  const options = withToken(model, given);
  const { store } = options;
  const memory = new MemoryStore();
  const open = (file: RemoteFile) => openIncoming(file, { ...options, store: memory });
  const before = await readRecord(store, recordName(model.id));
  const all = await findFiles(model, before, options, open);
  const openHeaders = (file: RemoteFile, isKept: boolean): Promise<EngineFile> | undefined => {
    const isWeights = WEIGHTS.test(file.name);
    if (!isWeights && file.name !== "config.json") return undefined;
    if (isKept) return openIncoming(file, options);
    return isWeights ? openRemote(file, options) : open(file);
  };
  const peeks = all.map(async (file) => {
    const kept = await keptOf(store, file);
    const opened = await openHeaders(file, kept.complete);
    if (kept.complete) return { opened, missing: 0 };
    const size = kept.size ?? opened?.size ?? (await insist(() => fetchFacts(file.url, options))).size;
    return { opened, missing: Math.max(0, (size ?? 0) - kept.bytes) };
  });
  const done = await Promise.all(peeks);
  return {
    files: done.flatMap(({ opened }) => opened ?? []),
    all,
    missing: done.reduce((sum, { missing }) => sum + missing, 0),
  };
}

/** A model's files, readable while they come in. `found` spares asking for them if that was done before. */
export async function openModel(
  model: RemoteModel,
  given: OpenOptions,
  found?: RemoteFile[],
): Promise<IncomingFile[]> {
  const options = withToken(model, given);
  const { store } = options;
  // One file that fails stops the others.
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const states = new Map<RemoteFile, { received: number; total: number }>();
  const open = (file: RemoteFile) =>
    openIncoming(file, {
      ...options,
      signal,
      onProgress(received, total = 0) {
        states.set(file, { received, total });
        let all = { received: 0, total: 0 };
        for (const state of states.values()) {
          all = { received: all.received + state.received, total: all.total + state.total };
        }
        options.onProgress?.(all.received, all.total);
      },
    });
  const before = await readRecord(store, recordName(model.id));
  const files = found ?? (await findFiles(model, before, options, open));
  for (const file of files) states.set(file, { received: 0, total: file.size ?? 0 });
  if (store.kind !== "memory") {
    await writeRecord(store, recordOf(model, files));
    const kept = await Promise.all(files.map((file) => keptOf(store, file)));
    const missing = files.reduce(
      (sum, file, i) => sum + Math.max(0, (file.size ?? 0) - (kept[i]?.bytes ?? 0)),
      0,
    );
    if (missing > 0) await requireRoom(missing, model.id);
  }
  const all = await Promise.all(files.map(open)).catch((error: unknown) => {
    stop.abort();
    throw error;
  });
  // What an older revision left goes when the new one is there.
  Promise.all(all.map((file) => file.finished))
    .then(() => sweep(store))
    .catch(() => stop.abort());
  return all;
}

async function findFiles(
  model: RemoteModel,
  before: Record | undefined,
  options: PeekOptions,
  open: (file: RemoteFile) => Promise<IncomingFile>,
): Promise<RemoteFile[]> {
  if ("files" in model) return model.files;
  try {
    const listed = await listHub(model.hub, options);
    const { files, index } = chooseFiles(model.hub, listed);
    if (!index) return files;
    const opened = await open(index);
    const json = new TextDecoder().decode(await opened.read(0, opened.size));
    await opened.finished;
    return [...files, ...shardsOf(json, listed)];
  } catch (error) {
    if (options.signal.aborted) throw aborted(options.signal);
    // Without network, what is stored has to do.
    const isNetwork = error instanceof QwillError && error.code === "network";
    if (!isNetwork || !before) throw error;
    const kept = await Promise.all(before.files.map((file) => keptOf(options.store, file)));
    if (kept.every(({ complete }) => complete)) return before.files;
    throw error;
  }
}

export async function listModels(store: Store): Promise<StoredModel[]> {
  const models = (await readRecords(store)).map(async ({ id, source, endpoint, files }) => {
    const kept = await Promise.all(files.map((file) => keptOf(store, file)));
    return {
      id,
      source,
      ...(endpoint !== undefined && { endpoint }),
      bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0),
      size: kept.reduce((sum, { bytes, size }) => sum + (size ?? bytes), 0),
      complete: kept.every(({ complete }) => complete),
    };
  });
  return (await Promise.all(models)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Removes a model, but no file that another one needs. Returns whether it was there. */
export async function deleteModel(store: Store, id: string): Promise<boolean> {
  const record = await readRecord(store, recordName(id));
  if (!record) return false;
  await store.remove(MODELS, recordName(id));
  const busy = await sweep(store);
  if (!record.files.some((file) => busy.has(folderOf(file)))) return true;
  await writeRecord(store, record);
  const message = `${id} is being downloaded, perhaps in another tab. Cancel that first.`;
  throw new QwillError("invalid-request", message);
}

/** Removes all files that no model needs. Returns the folders of those that are being downloaded nevertheless. */
async function sweep(store: Store): Promise<Set<string>> {
  const used = new Set((await readRecords(store)).flatMap((record) => record.files.map(folderOf)));
  const busy = new Set<string>();
  for (const folder of await store.folders()) {
    if (!folder.startsWith(FILES) || used.has(folder)) continue;
    if (!(await unlessLocked(folder, () => store.remove(folder)))) busy.add(folder);
  }
  return busy;
}
