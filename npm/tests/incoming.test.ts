import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type IncomingFile, type IncomingOptions, openIncoming } from "../src/incoming.ts";
import type { RemoteFile } from "../src/protocol.ts";
import { MemoryStore } from "../src/store.ts";
import { type Fault, FaultyServer, noise, sha256 } from "./faulty.ts";

const url = "https://h.test/m.gguf";
const bytes = noise(10_007);
const tuning = { partBytes: 1000, runParts: 3, parallel: 3, retryDelay: 0, attempts: 4, silence: 50 };
const listed: RemoteFile = {
  name: "m.gguf",
  url,
  size: bytes.length,
  digest: { kind: "sha256", hex: sha256(bytes) },
};
const unlisted: RemoteFile = { name: "m.gguf", url };

let server: FaultyServer;
let store: MemoryStore;
beforeEach(() => {
  server = new FaultyServer();
  server.files.set("/m.gguf", bytes);
  store = new MemoryStore();
});
afterEach(() => vi.unstubAllGlobals());

const open = (file: RemoteFile, options: Partial<IncomingOptions> = {}) =>
  openIncoming(file, { store, signal: new AbortController().signal, tuning, ...options });

/** Opens, waits for the end, and gives the bytes. */
async function whole(file: RemoteFile, options?: Partial<IncomingOptions>): Promise<Uint8Array> {
  const incoming = await open(file, options);
  await incoming.finished;
  return incoming.read(0, incoming.size);
}

const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;
const gets = () => server.log.filter((line) => line.startsWith("GET"));

describe.each([
  ["with size and checksum from a listing", listed],
  ["with nothing but its address", unlisted],
])("a file %s", (_, file) => {
  const mended: Fault[][] = [
    [],
    [{ drop: 0 }, { drop: 1500 }, { drop: 2999 }, { drop: 1 }],
    [{ truncate: 10 }, { truncate: 1001 }],
    [{ status: 500 }, { status: 429, retryAfter: 0 }, { status: 503 }],
    ["refuse", { drop: 500 }],
    ["ignore-range"],
    [{ drop: 1500 }, "ignore-range", "ignore-range"],
    ["silence"],
  ];
  test.each(mended)("is right in spite of %j, %j, %j, %j", async (...faults) => {
    server.faults = faults.filter((fault) => fault !== undefined);
    expect(same(await whole(file), bytes)).toBe(true);
    const before = gets().length;
    expect(same(await whole(file), bytes), "kept").toBe(true);
    expect(gets().length, "not fetched again").toBe(before);
  });

  const fatal: [string, Fault[]][] = [
    ["network", Array(9).fill({ status: 500 })],
    ["network", Array(9).fill("refuse")],
    ["network", Array(30).fill("silence")],
    ["unauthorized", [{ status: 401 }]],
    ["unauthorized", [{ drop: 1500 }, { status: 403 }]],
    ["not-found", [{ status: 404 }]],
    ["file-changed", [{ status: 416 }]],
    ["network", [{ status: 400 }]],
  ];
  test.each(fatal)("fails with %s after %j, and works the next time", async (code, faults) => {
    server.faults = [...faults];
    await expect(whole(file)).rejects.toMatchObject({ code, name: "QwillError" });
    server.faults = [];
    expect(same(await whole(file), bytes)).toBe(true);
  });

  test("goes on from what is kept", async () => {
    server.faults = [{ drop: 3000 }, ...Array(20).fill({ status: 500 })];
    const oneByOne = { tuning: { ...tuning, parallel: 1 } };
    await expect(whole(file, oneByOne)).rejects.toThrow(/3000 of 10007 bytes are kept/);
    server.faults = [];
    server.log = [];
    const seen: number[] = [];
    expect(same(await whole(file, { onProgress: (received) => seen.push(received) }), bytes)).toBe(true);
    expect(seen[0]).toBe(3000);
    expect(seen.at(-1)).toBe(bytes.length);
    expect(gets().every((line) => Number(/bytes=(\d+)/.exec(line)?.[1]) >= 3000)).toBe(true);
  });

  test("goes on after an abort", async () => {
    const controller = new AbortController();
    const failure = whole(file, {
      signal: controller.signal,
      onProgress: (received) => received > 4000 && controller.abort(),
    });
    await expect(failure).rejects.toMatchObject({ code: "aborted", name: "AbortError" });
    const before = gets().length;
    let first: number | undefined;
    const onProgress = (received: number) => {
      first ??= received;
    };
    expect(same(await whole(file, { onProgress }), bytes)).toBe(true);
    expect(first).toBeGreaterThan(0);
    expect(gets().length).toBeGreaterThan(before);
  });

  test("comes from a server that knows no ranges", async () => {
    server.ranges = false;
    server.faults = [{ drop: 5500 }, { drop: 7001 }];
    expect(same(await whole(file), bytes)).toBe(true);
    expect(gets().length).toBe(3);
  });
});

test("no row of faults leaves a wrong file", async () => {
  let state = 7;
  const random = (below: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return (state >>> 16) % below;
  };
  const kinds: (() => Fault)[] = [
    () => ({ drop: random(3500) }),
    () => ({ truncate: random(3500) }),
    () => ({ status: 503 }),
    () => ({ status: 404 }),
    () => ({ status: 416 }),
    () => "refuse",
    () => "ignore-range",
    () => "wrong-byte",
  ];
  const known = ["network", "not-found", "file-changed", "checksum-mismatch"];
  for (let round = 0; round < 30; round++) {
    store = new MemoryStore();
    const faults = Array.from({ length: random(9) }, () => kinds[random(kinds.length)]?.() ?? "refuse");
    for (let tries = 0; ; tries++) {
      server.faults = tries === 0 ? [...faults] : [];
      const result = await whole(listed).catch((error: { code: string }) => error.code);
      if (typeof result === "string") {
        expect(known, JSON.stringify(faults)).toContain(result);
        expect(tries, JSON.stringify(faults)).toBeLessThan(2);
      } else {
        expect(same(result, bytes), JSON.stringify(faults)).toBe(true);
        break;
      }
    }
  }
}, 20_000);

test("progress is exact to the byte and never goes back without a failure", async () => {
  const seen: [number, number | undefined][] = [];
  await whole(listed, { onProgress: (...progress) => seen.push(progress) });
  expect(seen.every(([received, total], i) => received >= (seen[i - 1]?.[0] ?? 0) && total === 10_007)).toBe(
    true,
  );
  expect(seen.some(([received]) => received % 1000 !== 0 && received < 10_007)).toBe(true);
  expect(seen.at(-1)).toEqual([10_007, 10_007]);
});

test("is read while it comes in, what is waited for first", async () => {
  const incoming = await open(listed);
  const end = incoming.read(9500, 500);
  expect(same(await incoming.read(1, 3), bytes.subarray(1, 4))).toBe(true);
  expect(same(await end, bytes.subarray(9500, 10_000))).toBe(true);
  expect(gets().findIndex((line) => line.includes("bytes=9000-"))).toBeLessThan(3);
  await incoming.finished;
});

test("asks for several ranges at a time, of several parts each", async () => {
  await whole(listed);
  const ranges = ["0-2999", "3000-5999", "6000-8999", "9000-10006"];
  expect(gets()).toEqual(ranges.map((range) => `GET /m.gguf bytes=${range}`));
});

test("a server that is busy with one request is waited for", async () => {
  const fetchAny = fetch;
  let busy = false;
  vi.stubGlobal("fetch", async (...args: Parameters<typeof fetch>) => {
    if (busy) return new Response(null, { status: 429 });
    busy = true;
    setTimeout(() => {
      busy = false;
    }, 60);
    return fetchAny(...args);
  });
  expect(same(await whole(listed, { tuning: { ...tuning, retryDelay: 10 } }), bytes)).toBe(true);
});

test("a wrong byte is found, and what came is thrown away", async () => {
  server.faults = ["wrong-byte"];
  await expect(whole(listed)).rejects.toMatchObject({ code: "checksum-mismatch" });
  server.log = [];
  expect(same(await whole(listed), bytes)).toBe(true);
  expect(gets()[0]).toContain("bytes=0-");
});

test("who reads while it is thrown away hears why", async () => {
  server.faults = ["wrong-byte"];
  const incoming = await open(listed);
  let reading: Promise<unknown> | undefined;
  store.remove = (folder) => {
    reading = incoming.read(0, incoming.size).catch((error: unknown) => error);
    return MemoryStore.prototype.remove.call(store, folder);
  };
  await expect(incoming.finished).rejects.toMatchObject({ code: "checksum-mismatch" });
  expect(await reading).toMatchObject({ code: "checksum-mismatch" });
});

test("git's checksum of a small file", async () => {
  const { oid } = server.entry("m.gguf", "/m.gguf");
  expect(same(await whole({ ...listed, digest: { kind: "git", hex: oid } }), bytes)).toBe(true);
  const wrong = { ...listed, digest: { kind: "git" as const, hex: "0".repeat(40) } };
  await expect(whole(wrong)).rejects.toMatchObject({ code: "checksum-mismatch" });
});

test("a file that changes between ranges is noticed, and is the new one the next time", async () => {
  const next = noise(9001).reverse();
  server.faults = [{ drop: 1500 }, "change"];
  await expect(whole(unlisted)).rejects.toMatchObject({ code: "file-changed" });
  server.files.set("/m.gguf", next);
  expect(same(await whole(unlisted), next)).toBe(true);
  // and noticed when it changes after it was kept
  server.files.set("/m.gguf", bytes);
  server.version = '"3"';
  expect(same(await whole(unlisted), bytes)).toBe(true);
});

test("without network a whole file is enough, half of one is not", async () => {
  await whole(unlisted);
  server.down = true;
  expect(same(await whole(unlisted), bytes)).toBe(true);
  store = new MemoryStore();
  await expect(open(unlisted)).rejects.toMatchObject({ code: "network" });
});

test("a size that nobody says", async () => {
  server.sizes = false;
  server.version = undefined;
  server.faults = [{ drop: 2500 }];
  const incoming = await open(unlisted);
  expect(incoming.size).toBe(bytes.length);
  expect(same(await incoming.read(0, bytes.length), bytes)).toBe(true);
});

test("text whose length is that of its compressed form", async () => {
  const text = { name: "config.json", url };
  const fetchAny = fetch;
  vi.stubGlobal("fetch", async (...args: Parameters<typeof fetch>) => {
    const response = await fetchAny(...args);
    const headers = new Headers(response.headers);
    headers.set("content-length", "99");
    return new Response(response.body, { status: response.status, headers });
  });
  expect(same(await whole(text), bytes)).toBe(true);
  const small = { tuning: { ...tuning, partBytes: 20_000 } };
  store = new MemoryStore();
  expect(same(await whole({ ...listed, name: "config.json" }, small), bytes)).toBe(true);
});

test("an empty file, and one that ends with a part", async () => {
  server.files.set("/m.gguf", new Uint8Array());
  expect((await whole(unlisted)).length).toBe(0);
  server.files.set("/m.gguf", noise(3000));
  server.version = '"2"';
  expect((await whole(unlisted)).length).toBe(3000);
});

test("a web page instead of a file", async () => {
  vi.stubGlobal("fetch", async () => new Response("<html>", { headers: { "content-type": "text/html" } }));
  await expect(open(unlisted)).rejects.toThrow(/a web page instead of a file/);
});

test("storage that is full, before and in the middle", async () => {
  const full = new (class extends MemoryStore {
    override readonly kind: "memory" = "memory";
    override async write(folder: string, name: string, data: Blob) {
      if (name === "000005") throw Object.assign(new Error("full"), { code: "quota-exceeded" });
      return super.write(folder, name, data);
    }
  })();
  await expect(whole(listed, { store: full })).rejects.toMatchObject({ code: "quota-exceeded" });

  const kept = Object.assign(new MemoryStore(), { kind: "opfs" }) as unknown as MemoryStore;
  vi.stubGlobal("navigator", { storage: { estimate: async () => ({ quota: 9000, usage: 10 }) } });
  server.log = [];
  await expect(open(listed, { store: kept })).rejects.toMatchObject({ code: "quota-exceeded" });
  expect(server.log).toEqual([]);
});

test("two at once do not fetch twice", async () => {
  const queue = new Map<string, Promise<unknown>>();
  vi.stubGlobal("navigator", {
    locks: {
      request(name: string, _: unknown, work: () => Promise<unknown>) {
        const mine = (queue.get(name) ?? Promise.resolve()).then(work);
        queue.set(name, mine);
        return mine;
      },
    },
  });
  const files = await Promise.all([open(listed), open(listed)]);
  await Promise.all(files.map((file: IncomingFile) => file.finished));
  for (const file of files) expect(same(await file.read(0, file.size), bytes)).toBe(true);
  expect(gets().length).toBe(4);
});

test.each<Fault[][]>([[[]], [["ignore-range"]]])(
  "a Git LFS pointer in place of a file is named (%j)",
  async (faults) => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 10007\n";
    server.files.set("/m.gguf", new TextEncoder().encode(pointer));
    server.faults = faults;
    await expect(whole(listed)).rejects.toMatchObject({
      code: "invalid-file",
      message: expect.stringMatching(/m\.gguf is a Git LFS pointer.*another mirror/),
    });
  },
);
