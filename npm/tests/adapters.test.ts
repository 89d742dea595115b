import { afterEach, expect, test, vi } from "vitest";
import type { AdapterUse, LoadProgress, Model } from "../src/index.ts";
import { load } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";
import { FaultyServer, noise } from "./faulty.ts";

async function setUp(): Promise<{ engine: FakeEngine; model: Model }> {
  fakeBrowser();
  const engine = new FakeEngine();
  return { engine, model: await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) }) };
}

const messages = [{ role: "user" as const, content: "hi" }];

const inFolder = (path: string) => {
  const file = new File(["x"], path.split("/").at(-1) ?? "");
  Object.defineProperty(file, "webkitRelativePath", { value: path });
  return file;
};

/** A hub with the adapter `me/pirate`. */
function hub(): FaultyServer {
  const server = new FaultyServer();
  const files = ["README.md", "adapter_config.json", "adapter_model.safetensors"];
  const at = (name: string) => `/me/pirate/resolve/main/${name}`;
  for (const name of files) server.files.set(at(name), noise(300));
  const listing = JSON.stringify(files.map((name) => server.entry(name, at(name))));
  server.files.set("/api/models/me/pirate/tree/main", new TextEncoder().encode(listing));
  return server;
}

afterEach(() => vi.unstubAllGlobals());

test("a folder's adapter is loaded under the folder's name, listed and unloaded", async () => {
  const { engine, model } = await setUp();
  const files = ["pirate/adapter_config.json", "pirate/adapter_model.safetensors"].map(inFolder);
  const pirate = { name: "pirate", parameters: 5, deviceBytes: 20 };
  expect(await model.adapters.load(files)).toEqual(pirate);
  expect(engine.log.at(-1)).toBe("adapter pirate of adapter_config.json,adapter_model.safetensors");
  const poet = { ...pirate, name: "poet" };
  expect(await model.adapters.load(files, { name: "poet" })).toEqual(poet);
  expect(await model.adapters.list()).toEqual([pirate, poet]);
  await model.adapters.unload("pirate");
  expect(await model.adapters.list()).toEqual([poet]);
  await expect(model.adapters.unload("pirate")).rejects.toMatchObject({ code: "invalid-request" });
});

test("an adapter of a hub is downloaded, with its configuration", async () => {
  const { engine, model } = await setUp();
  hub();
  const progress: LoadProgress[] = [];
  const onProgress = (p: LoadProgress) => progress.push(p);
  await model.adapters.load("me/pirate", { storage: "none", onProgress });
  expect(engine.log.at(-1)).toBe("adapter pirate of adapter_config.json,adapter_model.safetensors");
  expect(progress.at(-1)).toMatchObject({ stage: "download", loaded: 600, total: 600 });
});

test("an adapter with a wrong byte does not reach the engine", async () => {
  const { engine, model } = await setUp();
  hub().faults = Array(20).fill("wrong-byte");
  const loading = model.adapters.load("me/pirate", { storage: "none" });
  await expect(loading).rejects.toMatchObject({ code: "checksum-mismatch" });
  expect(engine.log).not.toContain("adapter pirate of adapter_config.json,adapter_model.safetensors");
  expect(engine.adapters).toEqual([]);
  expect((await model.tokenize("a")).ids).toEqual([97]);
});

test("an aborted load leaves the model as it was", async () => {
  const { engine, model } = await setUp();
  hub();
  const signal = AbortSignal.abort();
  await expect(model.adapters.load("me/pirate", { signal })).rejects.toMatchObject({ code: "aborted" });
  const controller = new AbortController();
  const options = {
    storage: "none" as const,
    signal: controller.signal,
    onProgress: () => controller.abort(),
  };
  await expect(model.adapters.load("me/pirate", options)).rejects.toMatchObject({ code: "aborted" });
  await model.tokenize("after the load");
  expect(engine.adapters).toEqual([]);
});

test("requests and cases choose adapters; others use what is selected", async () => {
  const { engine, model } = await setUp();
  const adapters = [{ name: "pirate" }, { name: "poet", scale: 0.5 }];
  await model.chat.completions.create({ messages, adapters });
  expect(engine.last.request).toMatchObject({ adapters });
  await model.completions.create({ prompt: "a", adapters: [] });
  expect(engine.last.request).toMatchObject({ adapters: [] });
  await model.completions.create({ prompt: "a", adapters: null });
  expect(engine.last.request).not.toHaveProperty("adapters");
  await model.adapters.select(adapters);
  expect(engine.last.selected).toEqual(adapters);
});

test("what names no adapter is refused before it reaches the engine", async () => {
  const { engine, model } = await setUp();
  const chat = (adapters: unknown) =>
    model.chat.completions.create({ messages, adapters: adapters as AdapterUse[] });
  await expect(chat("pirate")).rejects.toThrow(/adapters must be a list, not "pirate"/);
  await expect(chat(["pirate"])).rejects.toThrow(/adapters\[0\] must be .* not "pirate"/);
  await expect(chat([{ scale: 1 }])).rejects.toThrow(/adapters\[0\]\.name must be a text/);
  await expect(chat([{ name: "a", scale: Number.NaN }])).rejects.toThrow(/scale must be a number, not NaN/);
  await expect(chat([{ name: "a", weight: 2 }])).rejects.toThrow(/"adapters\[0\]\.weight" is not known/);
  await expect(model.adapters.select(undefined as never)).rejects.toMatchObject({ code: "invalid-request" });
  expect(engine.last).not.toHaveProperty("request");
  await expect(model.adapters.load({ random: "qwen3-0.6b:q4_0" })).rejects.toMatchObject({
    code: "invalid-source",
  });
});
