import { afterEach, describe, expect, test, vi } from "vitest";
import { type LoadProgress, load, QwillError } from "../src/index.ts";
import * as store from "../src/store.ts";
import { type FakeAdapter, FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";
import { FaultyServer, noise } from "./faulty.ts";

const gguf = new File(["GGUF and then some"], "tiny.gguf");

function setUp(): { adapter: FakeAdapter; engine: FakeEngine; worker: ReturnType<typeof fakeWorker> } {
  const adapter = fakeBrowser();
  const engine = new FakeEngine();
  return { adapter, engine, worker: fakeWorker(engine) };
}

afterEach(() => vi.unstubAllGlobals());

describe("load", () => {
  test("reads a file, reports progress and says what was loaded", async () => {
    const { engine, worker } = setUp();
    const progress: LoadProgress[] = [];
    const model = await load(gguf, { worker, contextLength: 512, onProgress: (p) => progress.push(p) });
    expect(engine.log).toEqual(["load", "read tiny.gguf GGUF"]);
    expect(engine.last.options).toMatchObject({ context_length: 512 });
    expect(progress).toEqual([{ stage: "load", loaded: 18, total: 18 }]);
    expect(model.info).toEqual({
      architecture: "qwen3",
      name: "fake",
      gpu: "acme rocket",
      backend: "webgpu",
      capabilities: "f16 no",
      selfTest: { right: 2, wrong: [] },
      contextLength: 4096,
      modelContextLength: 32768,
      parameters: 7,
      weightsBytes: 14,
      deviceBytes: 28,
      hostBytes: 1 << 20,
    });
    await model.dispose();
    expect(worker.terminated).toBe(true);
  });

  test("switches subgroups on behind wgpu's back, unless masked", async () => {
    const { adapter, engine, worker } = setUp();
    await load(gguf, { worker });
    expect(adapter.requested[0]?.requiredFeatures).toEqual(["subgroups"]);
    const device_label = expect.stringMatching(/^qwill \d+$/);
    const widths = { min: 4, max: 64 };
    expect(engine.last.options).toEqual({ name: "tiny", device_label, web_subgroups: widths });

    await load(gguf, { worker: fakeWorker(engine), caps: "no-f16, no-subgroups" });
    expect(adapter.requested[1]?.requiredFeatures).toEqual([]);
    expect(engine.last.options).toEqual({ name: "tiny", device_label, caps: "no-f16, no-subgroups" });

    await adapter.requestDevice({ label: "the page's own" });
    expect(adapter.requested[2]).toEqual({ label: "the page's own" });
  });

  test("keeps what the self-test finds for the next load, unless there is none", async () => {
    const { engine, worker } = setUp();
    // Nothing is kept in unit tests beyond a page, so this is a store of its own.
    const files = new Map<string, Blob>();
    vi.spyOn(store, "openStore").mockImplementation(
      async () =>
        ({
          kind: "opfs",
          read: async (folder: string, name: string) => files.get(`${folder}/${name}`),
          write: async (folder: string, name: string, data: Blob) =>
            void files.set(`${folder}/${name}`, data),
        }) as store.Store,
    );
    await load(gguf, { worker, selfTest: false });
    expect(engine.last.options).toMatchObject({ self_test: "off" });
    expect(files.size).toBe(0);
    await load(gguf, { worker: fakeWorker(engine) });
    expect(engine.last.options).not.toHaveProperty("findings");
    expect([...files.keys()]).toEqual([expect.stringMatching(/^self-test\/[0-9a-f]{16}\.json$/)]);
    await load(gguf, { worker: fakeWorker(engine) });
    expect(engine.last.options).toMatchObject({ findings: "2 right" });
    await load(gguf, { worker: fakeWorker(engine), caps: "no-f16" });
    expect(engine.last.options).not.toHaveProperty("findings");
    expect(files.size).toBe(2);
    vi.restoreAllMocks();
  });

  test("passes a number format and a scaling of positions on, and says how the context is extended", async () => {
    const { engine, worker } = setUp();
    engine.contextExtension = "YaRN, factor 4";
    const model = await load(gguf, { worker, quantize: "q4_k", ropeScaling: "yarn:4" });
    expect(engine.last.options).toMatchObject({ quantize: "q4_k", rope_scaling: "yarn:4" });
    expect(model.info.contextExtension).toBe("YaRN, factor 4");
  });

  test("passes on where the grammar module lies", async () => {
    const { engine, worker } = setUp();
    await load(gguf, { worker, grammarUrl: "../grammar.wasm" });
    expect(engine.last.grammarUrl).toBe("https://example.test/grammar.wasm");
  });

  test("passes a random shape on", async () => {
    const { engine, worker } = setUp();
    await load({ random: "qwen3-0.6b:q4_0" }, { worker });
    expect(engine.last).toMatchObject({ files: [], options: { random: "qwen3-0.6b:q4_0" } });
  });

  test("an engine's error arrives with its code and ends the worker", async () => {
    const { engine, worker } = setUp();
    engine.loadError = Object.assign(new Error('unknown architecture "llama"'), {
      code: "unknown-architecture",
    });
    const error = await load(gguf, { worker }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(QwillError);
    expect(error).toMatchObject({ code: "unknown-architecture", message: 'unknown architecture "llama"' });
    expect(worker.terminated).toBe(true);
  });

  test("abort before and during a load", async () => {
    const { worker } = setUp();
    const reason = new Error("changed my mind");
    const before = load(gguf, { worker, signal: AbortSignal.abort(reason) });
    await expect(before).rejects.toMatchObject({ code: "aborted", name: "AbortError", cause: reason });

    const controller = new AbortController();
    const during = load(gguf, {
      worker,
      signal: controller.signal,
      onProgress: () => controller.abort(reason),
    });
    await expect(during).rejects.toMatchObject({ code: "aborted", cause: reason });
    expect(worker.terminated).toBe(true);
  });

  test("passes on how much runs together", async () => {
    const { engine, worker } = setUp();
    await load(gguf, { worker, maxSequences: 3, cacheTokens: 9000 });
    expect(engine.last.options).toMatchObject({ max_sequences: 3, cache_tokens: 9000 });
  });

  test("numbers that are not counts are refused", async () => {
    const { worker } = setUp();
    for (const wrong of [{ contextLength: 1.5 }, { maxSequences: 0 }, { cacheTokens: -1 }]) {
      const error = await load(gguf, { worker, ...wrong }).catch((e: unknown) => e);
      expect(error).toMatchObject({ code: "invalid-request" });
      expect((error as Error).message).toContain(Object.keys(wrong)[0]);
    }
  });
});

describe("without a usable GPU", () => {
  test("a browser without WebGPU is told which ones have it", async () => {
    const { worker } = setUp();
    vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0 Gecko/20100101 Firefox/128.0" });
    const error = (await load(gguf, { worker }).catch((e: unknown) => e)) as QwillError;
    expect(error.code).toBe("webgpu-unavailable");
    expect(error.message).toContain("Firefox 128");
    expect(error.message).toContain("Safari 26");
  });

  test("an insecure page is told so", async () => {
    const { worker } = setUp();
    vi.stubGlobal("navigator", { userAgent: "Mozilla/5.0 Chrome/150.0 Safari/537.36" });
    vi.stubGlobal("isSecureContext", false);
    await expect(load(gguf, { worker })).rejects.toThrow(/https or from localhost.*https:\/\/example\.test/);
  });

  test("a program outside a browser is told so", async () => {
    const { worker } = setUp();
    vi.stubGlobal("navigator", undefined);
    await expect(load(gguf, { worker })).rejects.toThrow(/runs in browsers/);
  });

  test("a browser without a GPU", async () => {
    const { worker } = setUp();
    vi.stubGlobal("navigator", { ...navigator, gpu: { requestAdapter: async () => null } });
    const error = (await load(gguf, { worker }).catch((e: unknown) => e)) as QwillError;
    expect(error.code).toBe("no-gpu");
    expect(error.message).toContain("hardware acceleration");
  });
});

describe("a lost device", () => {
  test("is a pause: the page hears why, the reply goes on, and so does the model", async () => {
    const { adapter, engine, worker } = setUp();
    const reasons: string[] = [];
    const model = await load(gguf, { worker, onRebuild: (reason) => reasons.push(reason) });
    const pending = model.chat.completions.create({ messages: [{ role: "user", content: "sing" }] });
    adapter.devices[0]?.lose({ reason: "unknown", message: "driver reset" });
    expect((await pending).choices[0].message.content).toBe("Hello");
    // The engine opens another one, with what the first one had.
    await adapter.requestDevice({ label: (engine.last.options as { device_label: string }).device_label });
    expect(adapter.requested[1]?.requiredFeatures).toEqual(["subgroups"]);
    adapter.devices[1]?.lose({ reason: "destroyed", message: "" });
    await model.tokenize("x");
    expect(reasons).toEqual(["driver reset", "destroyed"]);
    expect(await Promise.race([model.lost, "not lost"])).toBe("not lost");
  });

  test("that the engine cannot get back ends the model", async () => {
    const { engine, worker } = setUp();
    const model = await load(gguf, { worker });
    engine.chatError = Object.assign(new Error("the GPU device was lost: gone"), { code: "device-lost" });
    const request = { messages: [{ role: "user" as const, content: "hi" }] };
    await expect(model.chat.completions.create(request)).rejects.toMatchObject({ code: "device-lost" });
    engine.chatError = undefined;
    await expect(model.chat.completions.create(request)).rejects.toMatchObject({ code: "device-lost" });
    await expect(model.tokenize("x")).rejects.toMatchObject({ code: "device-lost" });
    expect(await model.lost).toMatchObject({ code: "device-lost" });
  });
});

test("a fault in the engine ends the model instead of going on with a broken one", async () => {
  const { engine, worker } = setUp();
  const model = await load(gguf, { worker });
  // After a panic the engine's promises never settle.
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
  const pending = model.chat.completions.create({ messages: [{ role: "user", content: "sing" }] });
  engine.panic("index out of bounds");
  await expect(pending).rejects.toMatchObject({ code: "internal" });
  await expect(pending).rejects.toThrow(/index out of bounds/);
  await expect(model.tokenize("x")).rejects.toMatchObject({ code: "internal" });
});

test("what a read fails with is what the load fails with, whatever the engine makes of it", async () => {
  const { worker } = setUp();
  vi.stubGlobal("fetch", async (_: string, { method }: RequestInit) =>
    method === "HEAD"
      ? new Response(null, { headers: { "content-length": "10" } })
      : new Response(null, { status: 404, statusText: "Not Found" }),
  );
  const error = await load("https://h.test/m.gguf", { worker }).catch((e: unknown) => e);
  expect(error).toMatchObject({ code: "not-found" });
  expect((error as Error).message).toMatch(/m\.gguf answered 404 Not Found/);
});

test("one file that fails is the reason, not the others that it ends", async () => {
  const { worker } = setUp();
  const server = new FaultyServer();
  server.files.set("/a.safetensors", noise(100));
  server.files.set("/b.safetensors", noise(100));
  server.faults = ["silence", { status: 403 }];
  const urls = ["https://h.test/a.safetensors", "https://h.test/b.safetensors"];
  await expect(load(urls, { worker })).rejects.toMatchObject({ code: "unauthorized" });
});

test("a worker that dies takes its calls with it", async () => {
  const { worker } = setUp();
  const model = await load(gguf, { worker });
  const pending = model.chat.completions.create({ messages: [{ role: "user", content: "hi" }] });
  worker.onerror?.({ message: "out of stack" } as ErrorEvent);
  await expect(pending).rejects.toMatchObject({ code: "worker" });
  expect((await model.lost).message).toContain("out of stack");
});

test("a model in the page that is disposed of leaves no device behind", async () => {
  const { adapter, engine, worker } = setUp();
  const model = await load(gguf, { worker });
  // What ends a worker ends its devices; in the page the host is told.
  worker.postMessage({ id: 77, method: "dispose" });
  await vi.waitFor(() => expect(adapter.devices[0]?.destroyed).toBe(true));
  expect(engine.log.at(-1)).toBe("free");
  // A fault in the module is the business of models that are there.
  engine.panic("index out of bounds");
  expect(await Promise.race([model.lost, "not lost"])).toBe("not lost");
});

test("dispose rejects what is pending and everything later", async () => {
  const { worker } = setUp();
  const model = await load(gguf, { worker });
  const pending = model.chat.completions.create({ messages: [{ role: "user", content: "hi" }] });
  const settled = expect(pending).rejects.toMatchObject({ code: "disposed" });
  await model.dispose();
  await model.dispose();
  await settled;
  await expect(model.tokenize("x")).rejects.toMatchObject({ code: "disposed" });
});
