import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HUGGING_FACE } from "../src/hub.ts";
import { deleteModel, listModels, openModel, peekModel } from "../src/library.ts";
import type { RemoteModel } from "../src/protocol.ts";
import { MemoryStore } from "../src/store.ts";
import { FaultyServer, noise } from "./faulty.ts";

let server: FaultyServer;
let store: MemoryStore;
const hub = { repo: "a/b", tag: undefined, revision: "main", endpoint: HUGGING_FACE };
const model: RemoteModel = { id: "a/b", hub };
const TREE = "/api/models/a/b/tree/main";

/** Puts a repository with these files on the hub. */
function publish(contents: { [path: string]: Uint8Array<ArrayBuffer> }): void {
  for (const [path, bytes] of Object.entries(contents)) server.files.set(`/a/b/resolve/main/${path}`, bytes);
  const listing = Object.keys(contents).map((path) => server.entry(path, `/a/b/resolve/main/${path}`));
  server.files.set(TREE, new TextEncoder().encode(JSON.stringify(listing)));
}

beforeEach(() => {
  server = new FaultyServer();
  // behaves as one that keeps
  store = Object.assign(new MemoryStore(), { kind: "opfs" }) as unknown as MemoryStore;
  const index = { weight_map: { x: "m-1.safetensors", y: "m-2.safetensors" } };
  publish({
    "config.json": new TextEncoder().encode("{}"),
    "model.safetensors.index.json": new TextEncoder().encode(JSON.stringify(index)),
    "m-1.safetensors": noise(500),
    "m-2.safetensors": noise(700),
    "stray.safetensors": noise(900),
  });
});
afterEach(() => vi.unstubAllGlobals());

async function bring(of: RemoteModel = model, onProgress?: (received: number, total: number) => void) {
  const tuning = { retryDelay: 0, attempts: 2 };
  const options = { store, signal: new AbortController().signal, tuning, ...(onProgress && { onProgress }) };
  const files = await openModel(of, options);
  const results = await Promise.allSettled(files.map((file) => file.finished));
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return files.map(({ name }) => name);
}

test("what is stored counts as downloaded", async () => {
  const missing = async () => {
    const peek = await peekModel(model, { store, signal: new AbortController().signal });
    return peek.missing;
  };
  const index = server.files.get("/a/b/resolve/main/model.safetensors.index.json")?.length ?? 0;
  expect(await missing()).toBe("{}".length + index + 500 + 700);
  await bring();
  expect(await missing()).toBe(0);
  for (const folder of await store.folders()) {
    const sizes = await store.list(folder);
    for (const [name, size] of sizes) if (size === 700) await store.remove(folder, name);
  }
  expect(await missing()).toBe(700);
});

const expected = ["config.json", "model.safetensors.index.json", "m-1.safetensors", "m-2.safetensors"];

test("a repository is brought, listed, used without network, and deleted", async () => {
  const seen: [number, number][] = [];
  expect(await bring(model, (...progress) => seen.push(progress))).toEqual(expected);
  const [stored] = await listModels(store);
  expect(stored).toMatchObject({ id: "a/b", source: "a/b", endpoint: HUGGING_FACE, complete: true });
  expect(stored?.bytes).toBe(stored?.size);
  expect(seen.at(-1)).toEqual([stored?.bytes, stored?.bytes]);

  server.log = [];
  await bring();
  expect(server.log).toEqual([`GET ${TREE}`]);
  server.down = true;
  vi.stubGlobal("navigator", { onLine: false });
  expect(await bring()).toEqual(expected);
  await expect(bring({ id: "a/c", hub: { ...hub, repo: "a/c" } })).rejects.toMatchObject({ code: "network" });

  expect(await deleteModel(store, "a/b")).toBe(true);
  expect(await deleteModel(store, "a/b")).toBe(false);
  expect(await listModels(store)).toEqual([]);
  await expect(bring()).rejects.toMatchObject({ code: "network" });
});

test("a new revision replaces what changed and keeps the rest", async () => {
  await bring();
  const before = (await listModels(store))[0]?.bytes ?? 0;
  publish({ "config.json": new TextEncoder().encode("{ }"), "model.safetensors": noise(500) });
  server.log = [];
  expect(await bring()).toEqual(["config.json", "model.safetensors"]);
  // the same bytes under another name
  expect(server.log).toEqual([`GET ${TREE}`, "GET /a/b/resolve/main/config.json"]);
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect((await listModels(store))[0]?.bytes).toBe(503);
  expect(before).toBeGreaterThan(1200);
});

test("what a broken-off change of revision left goes later", async () => {
  await bring();
  publish({ "config.json": new TextEncoder().encode("{ }"), "model.safetensors": noise(400) });
  server.files.delete("/a/b/resolve/main/model.safetensors");
  await expect(bring()).rejects.toThrow();
  publish({ "config.json": new TextEncoder().encode("{ }"), "model.safetensors": noise(400) });
  await bring();
  await new Promise((resolve) => setTimeout(resolve, 5));
  const folders = (await store.folders()).filter((folder) => folder.startsWith("file-"));
  expect(folders.length).toBe(2);
});

test("an interrupted model is listed with what there is of it", async () => {
  server.files.delete("/a/b/resolve/main/m-2.safetensors");
  await expect(bring()).rejects.toThrow();
  const [stored] = await listModels(store);
  expect(stored).toMatchObject({ id: "a/b", complete: false });
  expect((stored?.size ?? 0) - (stored?.bytes ?? 0)).toBeGreaterThanOrEqual(700);
});

test("a file that two models share stays until both are gone", async () => {
  const url = "https://h.test/m.gguf";
  server.files.set("/m.gguf", noise(300));
  const file = { name: "m.gguf", url };
  await bring({ id: url, files: [file] });
  await bring({ id: "both", files: [file, { name: "n.gguf", url: `${url}` }] });
  await deleteModel(store, "both");
  expect(await listModels(store)).toMatchObject([{ id: url, source: url, bytes: 300, complete: true }]);
});

test("a token goes to the hub and its mirrors, never to ModelScope", async () => {
  const fetchAny = fetch;
  const tokens = async (endpoint: string) => {
    const seen = new Set<string | null>();
    vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
      seen.add(new Headers(init.headers).get("authorization"));
      return fetchAny(url, init);
    });
    const options = { store: new MemoryStore(), signal: new AbortController().signal, token: "hf_x" };
    const files = await openModel({ id: "a/b", hub: { ...hub, endpoint } }, options);
    await Promise.all(files.map((file) => file.finished));
    return [...seen];
  };
  expect(await tokens("https://hf-mirror.com")).toEqual(["Bearer hf_x"]);
  const bytes = noise(300);
  server.files.set("/models/a/b/resolve/master/m.gguf", bytes);
  const { lfs } = server.entry("m.gguf", "/models/a/b/resolve/master/m.gguf");
  const listing = { Data: { Files: [{ Type: "blob", Path: "m.gguf", Size: 300, Sha256: lfs.oid }] } };
  server.files.set("/api/v1/models/a/b/repo/files", new TextEncoder().encode(JSON.stringify(listing)));
  expect(await tokens("https://modelscope.cn")).toEqual([null]);
});
