import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { chooseFiles, HUGGING_FACE, listHub, shardsOf } from "../src/hub.ts";
import { parseHubId } from "../src/hub-id.ts";
import type { HubRef } from "../src/protocol.ts";
import { fetchRange } from "../src/ranges.ts";

afterEach(() => vi.unstubAllGlobals());

const ref = (id: string): HubRef => {
  const parsed = parseHubId(id);
  if (!parsed) throw new Error(id);
  return { ...parsed, endpoint: HUGGING_FACE };
};
const files = (names: string[]) => names.map((name) => ({ name, url: `https://h.test/${name}` }));
const chosen = (id: string, names: string[]) =>
  chooseFiles(ref(id), files(names)).files.map(({ name }) => name);

describe("of a GGUF repository", () => {
  const repo = [
    "README.md",
    "Q-Q8_0.gguf",
    "Q-Q4_K_M.gguf",
    "Q-Q4_K_S.gguf",
    "Q-UD-Q4_K_M.gguf",
    "Q-BF16.gguf",
    "Q-F16.gguf",
    "mmproj-F16.gguf",
    "big/Q-Q6_K-00002-of-00002.gguf",
    "big/Q-Q6_K-00001-of-00002.gguf",
  ];
  test.each([
    ["a/b", ["Q-Q4_K_M.gguf"]],
    ["a/b:q4_k_m", ["Q-Q4_K_M.gguf"]],
    ["a/b:UD-Q4_K_M", ["Q-UD-Q4_K_M.gguf"]],
    ["a/b:F16", ["Q-F16.gguf"]],
    ["a/b:BF16", ["Q-BF16.gguf"]],
    ["a/b:Q6_K", ["big/Q-Q6_K-00001-of-00002.gguf", "big/Q-Q6_K-00002-of-00002.gguf"]],
  ])("%s is %j", (id, expected) => expect(chosen(id, repo)).toEqual(expected));

  test("what is ambiguous, missing or in part is refused with what there is", () => {
    expect(() => chosen("a/b:Q5_0", repo)).toThrow(/there are BF16, F16, Q4_K_M, Q4_K_S, Q6_K, Q8_0/);
    expect(() => chosen("a/b:Q4_K", repo)).toThrow(/does not name one file/);
    expect(() => chosen("a/b:Q6_K", repo.slice(0, -1))).toThrow(/2 parts, 1 are there/);
    expect(() => chosen("a/b", ["x-Q5_0.gguf", "x-Q6_K.gguf"])).toThrow(/"a\/b:TAG" with Q5_0, Q6_K/);
    expect(chosen("a/b", ["x-Q5_0.gguf", "x-q8_0.gguf"])).toEqual(["x-q8_0.gguf"]);
    expect(chosen("a/b", ["x-iq3_xs.gguf"])).toEqual(["x-iq3_xs.gguf"]);
  });
});

test("of a checkpoint only what is read is taken, the top before folders", () => {
  const names = ["1_Pooling/config.json", "LICENSE", "config.json", "merges.txt", "model.safetensors"];
  const others = [
    "onnx/config.json",
    "onnx/model.safetensors",
    "pytorch_model.bin",
    "tokenizer.json",
    "q.tiktoken",
  ];
  expect(chosen("a/b", [...names, ...others])).toEqual([
    "config.json",
    "merges.txt",
    "tokenizer.json",
    "q.tiktoken",
    "1_Pooling/config.json",
    "model.safetensors",
  ]);
  expect(() => chosen("a/b", ["config.json"])).toThrow(/neither .safetensors nor .gguf/);
  expect(() => chosen("a/b:Q8_0", names)).toThrow(/no .gguf files/);
});

test("an adapter comes with its configuration", () => {
  const names = ["README.md", "adapter_config.json", "adapter_model.safetensors", "training_args.bin"];
  expect(chosen("a/b", names)).toEqual(["adapter_config.json", "adapter_model.safetensors"]);
});

test("one whole file goes before what is left beside it", () => {
  const index = "model.safetensors.index.json";
  const parts = ["model-1.safetensors", "model-2.safetensors"];
  const stale = ["config.json", index, "model.safetensors", ...parts];
  expect(chosen("a/b", stale)).toEqual(["config.json", "model.safetensors"]);
  const foreign = ["config.json", "consolidated.safetensors", "model.safetensors"];
  expect(chosen("a/b", foreign)).toEqual(["config.json", "model.safetensors"]);
  expect(chosen("a/b", ["config.json", "consolidated.safetensors", ...parts])).toEqual([
    "config.json",
    ...parts,
  ]);
  expect(chosen("a/b", ["consolidated.safetensors"])).toEqual(["consolidated.safetensors"]);
});

test("templates in their folder come along", () => {
  const folder = "additional_chat_templates";
  const names = [`${folder}/rag.jinja`, `${folder}/x/y.jinja`, "config.json", "model.safetensors"];
  expect(chosen("a/b", names)).toEqual(["config.json", `${folder}/rag.jinja`, "model.safetensors"]);
});

test.each([
  ["hf.co/a/b-GGUF:Q4_K_M", "a/b-GGUF", "Q4_K_M", "main"],
  ["https://huggingface.co/a/b", "a/b", undefined, "main"],
  ["https://huggingface.co/a/b/", "a/b", undefined, "main"],
  ["https://HF.co/a/b/tree/v1", "a/b", undefined, "v1"],
  ["https://huggingface.co/a/b?library=transformers#use", "a/b", undefined, "main"],
  ["https://huggingface.co/a/b/discussions/3", "a/b", undefined, "main"],
  ["https://huggingface.co/a/b/blob/main/x/Q-Q8_0.gguf", "a/b", "Q-Q8_0", "main"],
  ["https://huggingface.co/a/b/blob/main/Q-Q8_0-00001-of-00002.gguf", "a/b", "Q-Q8_0", "main"],
  ["https://huggingface.co/a/b?show_file_info=Q-Q8_0.gguf", "a/b", "Q-Q8_0", "main"],
  ["https://huggingface.co/a/b/blob/main/config.json", "a/b", undefined, "main"],
])("the address %s is a model", (address, repo, tag, revision) => {
  expect(parseHubId(address)).toEqual({ repo, tag, revision });
});

test("addresses of files and of other sites stay addresses", () => {
  for (const other of [
    "https://huggingface.co/a/b/resolve/main/m.gguf",
    "https://huggingface.co/a",
    "https://h.test/a/b",
    "hf.co/../b",
    "https://huggingface.co/a/b/tree/%zz",
    "a/b@../x",
    "a/b@x//y",
    "a/b@x/",
    "a/b:Q..8",
  ])
    expect(parseHubId(other), other).toBeUndefined();
  expect(parseHubId("https://h.test/hf/a/b", "https://h.test/hf")?.repo).toBe("a/b");
  expect(parseHubId("https://modelscope.cn/models/a/b", "https://modelscope.cn")?.repo).toBe("a/b");
});

/** Serves until the work is done. */
async function serving<T>(listener: RequestListener, work: (url: string) => Promise<T>): Promise<T> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

test("a token does not follow a redirect to another port", async () => {
  const seen: (string | undefined)[] = [];
  await serving(
    (request, response) => {
      seen.push(request.headers.authorization);
      response.end("GGUF");
    },
    (store) =>
      serving(
        (request, response) => {
          seen.push(request.headers.authorization);
          response.writeHead(302, { location: `${store}/x` }).end();
        },
        async (hub) => {
          const options = { signal: new AbortController().signal, token: "hf_x" };
          const range = await fetchRange(`${hub}/a/b/resolve/main/m.gguf`, 0, 4, options);
          await new Response(range.body).text();
        },
      ),
  );
  expect(seen).toEqual(["Bearer hf_x", undefined]);
});

test("an index names the shards", () => {
  const repo = files(["config.json", "model.safetensors.index.json", "m-1.safetensors", "stray.safetensors"]);
  const { files: companions, index } = chooseFiles(ref("a/b"), repo);
  expect(companions.map(({ name }) => name)).toEqual(["config.json", "model.safetensors.index.json"]);
  expect(index?.name).toBe("model.safetensors.index.json");
  const names = (json: string) => shardsOf(json, repo).map(({ name }) => name);
  expect(names('{"weight_map":{"a":"m-1.safetensors","b":"m-1.safetensors"}}')).toEqual(["m-1.safetensors"]);
  expect(() => names('{"weight_map":{"a":"gone.safetensors"}}')).toThrow(
    /gone.safetensors, which is not there/,
  );
  for (const broken of ["", "[]", "{}", '{"weight_map":{}}'])
    expect(() => names(broken), broken).toThrow(/names/);
});

describe("a listing", () => {
  const options = { signal: new AbortController().signal, token: "hf_x" };
  const [sha1, hash] = ["1".repeat(40), "a".repeat(64)];

  test("comes in pages and gives sizes, checksums and pinned addresses", async () => {
    const asked: string[] = [];
    vi.stubGlobal("fetch", async (url: string, init: RequestInit) => {
      asked.push(`${url} ${new Headers(init.headers).get("authorization")}`);
      const next = asked.length === 1;
      const page = next
        ? [
            { type: "directory", path: "x", oid: sha1 },
            { type: "file", path: "x/a b.json", size: 3, oid: sha1 },
          ]
        : [{ type: "file", path: "m", size: 9, oid: sha1, lfs: { oid: hash, size: 9 } }];
      const headers = {
        "x-repo-commit": "c".repeat(40),
        ...(next && { link: '<https://elsewhere.test/api/next?cursor=1>; rel="next"' }),
      };
      return new Response(JSON.stringify(page), { headers });
    });
    const base = `${HUGGING_FACE}/a/b/resolve/${"c".repeat(40)}`;
    expect(await listHub(ref("a/b@v/1"), options)).toEqual([
      { name: "x/a b.json", url: `${base}/x/a%20b.json`, size: 3, digest: { kind: "git", hex: sha1 } },
      { name: "m", url: `${base}/m`, size: 9, digest: { kind: "sha256", hex: hash } },
    ]);
    expect(asked).toEqual([
      `${HUGGING_FACE}/api/models/a/b/tree/v%2F1?recursive=true Bearer hf_x`,
      `${HUGGING_FACE}/api/next?cursor=1 Bearer hf_x`,
    ]);
  });

  test.each([
    [404, "not-found", /no model a\/b with the revision main/],
    [401, "unauthorized", /private or gated.*token/],
    [403, "unauthorized", /private or gated.*token/],
    [500, "network", /answered 500/],
  ])("status %i is %s", async (status, code, message) => {
    vi.stubGlobal("fetch", async () => new Response(null, { status, headers: { "retry-after": "0" } }));
    const error = await listHub(ref("a/b"), options).catch((e: unknown) => e);
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toMatch(message);
  });

  test("of ModelScope", async () => {
    const endpoint = "https://modelscope.cn";
    let asked = "";
    vi.stubGlobal("fetch", async (url: string) => {
      asked = url;
      const file = { Type: "blob", Path: "x/a b.json", Size: 3, Sha256: hash };
      return Response.json({ Code: 200, Data: { Files: [{ Type: "tree", Path: "x", Size: 0 }, file] } });
    });
    const url = `${endpoint}/models/a/b/resolve/master/x/a%20b.json`;
    expect(await listHub({ ...ref("a/b"), endpoint }, options)).toEqual([
      { name: "x/a b.json", url, size: 3, digest: { kind: "sha256", hex: hash } },
    ]);
    expect(asked).toBe(`${endpoint}/api/v1/models/a/b/repo/files?Revision=master&Recursive=true`);
  });

  test("something else than a listing", async () => {
    vi.stubGlobal("fetch", async () => new Response('{"error":"?"}'));
    await expect(listHub(ref("a/b"), options)).rejects.toMatchObject({ code: "network" });
  });
});
