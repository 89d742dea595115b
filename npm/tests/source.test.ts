import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ModelSource, resolveSource } from "../src/source.ts";

beforeEach(() => vi.stubGlobal("location", new URL("https://example.test/app/")));
afterEach(() => vi.unstubAllGlobals());

async function names(source: ModelSource): Promise<string[]> {
  const resolved = await resolveSource(source);
  if ("random" in resolved) throw new Error("expected files");
  const remote = "remote" in resolved && "files" in resolved.remote ? resolved.remote.files : [];
  return [...resolved.local.map(({ name }) => name), ...remote.map(({ name, url }) => `${name} ${url}`)];
}

const inFolder = (path: string) => {
  const file = new File(["x"], path.split("/").at(-1) ?? "");
  Object.defineProperty(file, "webkitRelativePath", { value: path });
  return file;
};

function directory(name: string, entries: string[]): FileSystemDirectoryHandle {
  const files = entries.map((entry) => ({
    kind: entry.endsWith("/") ? "directory" : "file",
    name: entry,
    getFile: async () => new File(["x"], entry),
  }));
  return {
    kind: "directory",
    name,
    async *values() {
      yield* files;
    },
  } as unknown as FileSystemDirectoryHandle;
}

test("the demo model lies beside the package", async () => {
  expect(await names("demo")).toEqual([
    expect.stringMatching(/^qwill-demo-q8_0\.gguf file:.*\/npm\/wasm\/qwill-demo/),
  ]);
});

test("URLs keep their names and are resolved against the page", async () => {
  expect(await names("https://h.test/m.gguf?download=true")).toEqual([
    "m.gguf https://h.test/m.gguf?download=true",
  ]);
  expect(await names("models/my%20model.gguf")).toEqual([
    "my model.gguf https://example.test/app/models/my%20model.gguf",
  ]);
  expect(await names(["/m/config.json", new URL("https://h.test/model.safetensors")])).toEqual([
    "config.json https://example.test/m/config.json",
    "model.safetensors https://h.test/model.safetensors",
  ]);
  expect(await names("blob:https://example.test/1-2")).toEqual(["model.gguf blob:https://example.test/1-2"]);
});

test("files and blobs", async () => {
  expect(await names(new Blob(["GGUF"]))).toEqual(["model.gguf"]);
  expect(await names(new File(["GGUF"], "a.gguf"))).toEqual(["a.gguf"]);
});

test("of a folder only the checkpoint at the top counts", async () => {
  const folder = [
    "Q/README.md",
    "Q/config.json",
    "Q/onnx/config.json",
    "Q/model.safetensors",
    "Q/.git/x.json",
  ];
  expect(await names(folder.map(inFolder))).toEqual(["config.json", "model.safetensors"]);
  expect(await names(directory("Q", ["config.json", "sub/", "notes.md"]))).toEqual(["config.json"]);
});

test("templates in their folder belong to a checkpoint, and keep its name", async () => {
  const [rag, pooling] = ["additional_chat_templates/rag.jinja", "1_Pooling/config.json"];
  const folder = ["Q/config.json", `Q/${rag}`, `Q/${pooling}`, "Q/other/x.jinja", `Q/onnx/${rag}`];
  expect(await names(folder.map(inFolder))).toEqual(["config.json", rag, pooling]);
  const inner = directory("additional_chat_templates", ["rag.jinja", "notes.md"]);
  const handle = {
    ...directory("Q", []),
    values: async function* () {
      yield* [
        inner,
        { kind: "file", name: "config.json", getFile: async () => new File(["x"], "config.json") },
      ];
    },
  };
  expect(await names(handle as unknown as FileSystemDirectoryHandle)).toEqual([rag, "config.json"]);
  expect(await names([`https://h.test/q/${rag}`, "https://h.test/q/config.json"])).toEqual([
    `${rag} https://h.test/q/${rag}`,
    "config.json https://h.test/q/config.json",
  ]);
});

test("models are called after their folder or file", async () => {
  const nameOf = async (source: ModelSource) => {
    const resolved = await resolveSource(source);
    return "name" in resolved ? resolved.name : undefined;
  };
  expect(await nameOf("https://h.test/a/tiny-q8_0.gguf")).toBe("tiny-q8_0");
  const repo = "https://huggingface.co/Qwen/Qwen3-0.6B/resolve/main";
  expect(await nameOf([`${repo}/config.json`, `${repo}/model.safetensors`])).toBe("Qwen3-0.6B");
  expect(await nameOf(["Mine/config.json", "Mine/model.safetensors"].map(inFolder))).toBe("Mine");
  expect(await nameOf(directory("Yours", ["config.json"]))).toBe("Yours");
  expect(await nameOf(new Blob(["GGUF"]))).toBe("model");
});

test("what is no model is refused with what would be", async () => {
  await expect(resolveSource([inFolder("Q/photo.jpg")])).rejects.toMatchObject({ code: "file-not-found" });
  await expect(resolveSource(directory("Q", ["photo.jpg"]))).rejects.toThrow(/folder Q holds no model/);
  for (const nothing of [[], undefined, null, 7, {}]) {
    await expect(resolveSource(nothing as unknown as ModelSource)).rejects.toMatchObject({
      code: "invalid-source",
    });
  }
  await expect(resolveSource("https://")).rejects.toMatchObject({ code: "invalid-source" });
});

test("hub ids, with quantisation and revision, here and on a mirror", async () => {
  const remote = async (...args: Parameters<typeof resolveSource>) => {
    const resolved = await resolveSource(...args);
    return "remote" in resolved ? { name: resolved.name, ...resolved.remote } : undefined;
  };
  expect(await remote("Qwen/Qwen3-0.6B")).toEqual({
    name: "Qwen3-0.6B",
    id: "Qwen/Qwen3-0.6B",
    hub: { repo: "Qwen/Qwen3-0.6B", tag: undefined, revision: "main", endpoint: "https://huggingface.co" },
  });
  for (const address of [
    "hf.co/Qwen/Qwen3-0.6B",
    new URL("https://huggingface.co/Qwen/Qwen3-0.6B/tree/main"),
  ])
    expect(await remote(address)).toEqual(await remote("Qwen/Qwen3-0.6B"));
  expect(
    await remote("https://mirror.test/hf/a/b:Q8_0", { endpoint: "https://mirror.test/hf/" }),
  ).toMatchObject({
    hub: { repo: "a/b", tag: "Q8_0", endpoint: "https://mirror.test/hf" },
  });
  expect(await remote("a/b-GGUF:Q4_K_M@v1", { endpoint: "https://mirror.test/hf/" })).toEqual({
    name: "b-GGUF",
    id: "https://mirror.test/hf/a/b-GGUF:Q4_K_M@v1",
    hub: { repo: "a/b-GGUF", tag: "Q4_K_M", revision: "v1", endpoint: "https://mirror.test/hf" },
  });
  expect(await remote("a/b", { revision: "refs/pr/1" })).toMatchObject({ id: "a/b@refs/pr/1" });
  for (const url of ["a/b/c", "a/b.gguf", "./a/b", "../a", "/a/b", "a/.."]) {
    expect(await remote(url), url).not.toHaveProperty("hub");
  }
});
