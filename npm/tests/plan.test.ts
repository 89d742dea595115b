import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { load, plan } from "../src/index.ts";
import { openRemote } from "../src/remote.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";
import { type Fault, FaultyServer, noise } from "./faulty.ts";

let server: FaultyServer;
let engine: FakeEngine;
const CONFIG = "/a/b/resolve/main/config.json";
const WEIGHTS = "/a/b/resolve/main/model.safetensors";

/** Puts a model on the hub. */
function publish(weights: Uint8Array<ArrayBuffer>): void {
  server.files.set(CONFIG, new TextEncoder().encode("{ } // and so on"));
  server.files.set(WEIGHTS, weights);
  server.files.set("/a/b/resolve/main/tokenizer.json", noise(50));
  const listing = ["config.json", "model.safetensors", "tokenizer.json"].map((path) =>
    server.entry(path, `/a/b/resolve/main/${path}`),
  );
  server.files.set("/api/models/a/b/tree/main", new TextEncoder().encode(JSON.stringify(listing)));
}

/** As large as a file must be for its headers to be read apart. */
function large(): Uint8Array<ArrayBuffer> {
  const weights = new Uint8Array((64 << 20) + 1);
  weights.set(new TextEncoder().encode("HEAD.."));
  return weights;
}

const refusal = Object.assign(new Error("the model does not fit"), { code: "out-of-memory" });

beforeEach(() => {
  fakeBrowser();
  server = new FaultyServer();
  engine = new FakeEngine();
});
afterEach(() => vi.unstubAllGlobals());

test("a plan reads headers and keeps nothing", async () => {
  publish(large());
  const result = await plan("a/b", { worker: fakeWorker(engine), contextLength: 100, kvType: "f32" });
  expect(engine.last.options).toEqual({ context_length: 100, kv_type: "f32", name: "b" });
  expect(engine.log).toEqual(["inspect config.json { }  //", "inspect model.safetensors HEAD .."]);
  expect(server.log.filter((line) => line.includes(WEIGHTS))).toEqual([`GET ${WEIGHTS} bytes=0-262143`]);
  expect(server.log.some((line) => line.includes("tokenizer"))).toBe(false);
  expect(result).toEqual({
    name: "fake",
    architecture: "qwen3",
    parameters: 7,
    modelContextLength: 32768,
    downloadBytes: (64 << 20) + 1 + 50 + "{ } // and so on".length,
    gpu: "acme rocket",
    maxBufferBytes: 1000,
    maxBindingBytes: 500,
    memory: {
      contextLength: 8192,
      kvType: "f16",
      weightsBytes: 100,
      cacheBytes: 20,
      activationBytes: 3,
      expertBytes: 0,
      outputBytes: 2,
      steeringBytes: 4,
      totalBytes: 130,
      fit: "fits",
    },
  });
});

test("what does not fit comes with what would", async () => {
  engine.memory.fit = { verdict: "with-context", context_length: 96 };
  engine.memory.obstacle = "it takes 130 bytes";
  const { memory } = await plan(new File(["GGUF.."], "x.gguf"), { worker: fakeWorker(engine) });
  expect(memory).toMatchObject({
    fit: "with-context",
    fittingContextLength: 96,
    obstacle: "it takes 130 bytes",
  });
  expect(engine.log).toEqual(["inspect x.gguf GGUF .."]);
  for (const context_length of [64, null]) {
    engine.memory.fit = { verdict: "with-q8-cache", context_length };
    const { memory } = await plan(new File(["GGUF.."], "x.gguf"), { worker: fakeWorker(engine) });
    expect([memory.fit, memory.fittingContextLength ?? null]).toEqual(["with-q8-cache", context_length]);
  }
  const { architecture } = await plan({ random: "qwen3-0.6b:q4_0" }, { worker: fakeWorker(engine) });
  expect(architecture).toBe("qwen3");
  expect(engine.last.options).toEqual({ random: "qwen3-0.6b:q4_0" });
});

test("a plan for an address asks how large the file is", async () => {
  server.files.set("/m.gguf", noise(9000));
  const { downloadBytes } = await plan("https://h.test/m.gguf", { worker: fakeWorker(engine) });
  expect(downloadBytes).toBe(9000);
  expect(server.log).toEqual(["HEAD /m.gguf", "GET /m.gguf bytes=0-8999"]);
  server.sizes = false;
  const lost = plan("https://h.test/m.gguf", { worker: fakeWorker(engine) });
  await expect(lost).rejects.toMatchObject({
    code: "network",
    message: expect.stringContaining("how large"),
  });
});

test("a model that does not fit is refused before its weights are downloaded", async () => {
  publish(large());
  engine.checkError = refusal;
  await expect(load("a/b", { worker: fakeWorker(engine) })).rejects.toMatchObject({ code: "out-of-memory" });
  expect(engine.log).toEqual(["check config.json { }  //", "check model.safetensors HEAD .."]);
  expect(server.log.filter((line) => line.includes(WEIGHTS))).toEqual([`GET ${WEIGHTS} bytes=0-262143`]);
});

test("nothing else that a check finds keeps a model from loading", async () => {
  publish(large());
  engine.check = async () => {
    server.down = true;
    throw Object.assign(new Error("odd"), { code: "invalid-file" });
  };
  // It goes on to the download, and that says what is wrong.
  await expect(load("a/b", { worker: fakeWorker(engine) })).rejects.toMatchObject({ code: "network" });
  expect(server.log.filter((line) => line.includes("/tree/"))).toHaveLength(1);
});

test("small models are not checked apart", async () => {
  publish(noise(500));
  engine.checkError = refusal;
  await load("a/b", { worker: fakeWorker(engine) });
  expect(engine.log[0]).toBe("load");
  expect(server.log.filter((line) => line.includes("/tree/"))).toHaveLength(1);
});

const signal = new AbortController().signal;

test.each<[string, Fault[], boolean]>([
  ["well", [], true],
  ["after a break", [{ drop: 3 }, { status: 503, retryAfter: 0 }], true],
  ["from a server that ends early", [{ truncate: 10 }], true],
  ["from a server without ranges", [], false],
])("parts are read %s", async (_, faults, ranges) => {
  const bytes = noise(600_000);
  server.files.set("/f", bytes);
  server.ranges = ranges;
  const file = await openRemote({ name: "f", url: "https://h.test/f" }, { signal });
  server.faults = faults;
  expect(file.size).toBe(bytes.length);
  for (const [offset, length] of [
    [0, 8],
    [8, 100],
    [262_100, 100],
    [599_990, 10],
    [5, 300_000],
    [0, 0],
  ] as const) {
    const read = await file.read(offset, length);
    expect(Buffer.from(read).equals(bytes.subarray(offset, offset + length))).toBe(true);
  }
});

test("a server that keeps failing is named", async () => {
  server.files.set("/f", noise(1000));
  server.faults = Array(9).fill({ status: 500, retryAfter: 0 });
  const file = await openRemote({ name: "f", url: "https://h.test/f", size: 1000 }, { signal });
  await expect(file.read(0, 8)).rejects.toMatchObject({
    code: "network",
    message: expect.stringMatching(/500/),
  });
});
