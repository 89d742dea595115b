// Downloads from a server of another origin that drops, truncates, lies and refuses, in both browsers, with what the
// browsers really store.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { noise, serveFaulty } from "./lib/faulty.mjs";
import { GOLDEN, servePackage } from "./lib/site.mjs";

const BYTES = noise(300_007);
const FILE = "/a/b/resolve/main/m.gguf";

/** Faults that are mended within one download. */
const MENDED = {
  "connections that drop": [{ drop: 0 }, { drop: 40_000 }, { drop: 1 }, { drop: 65_536 }],
  "bodies that end early": [{ truncate: 100 }, { truncate: 40_000 }],
  "a server that ignores ranges": [{ drop: 40_000 }, { ignoreRange: true }, { ignoreRange: true }],
  "statuses that pass": [{ status: 500 }, { status: 429 }, { status: 503 }, { drop: 5 }],
  redirects: [{ redirect: true }, {}, { redirect: true }],
  "a silent connection": [{ silence: true }],
};

/** Faults that end one, with the code of the error. */
const FATAL = {
  "checksum-mismatch": [{ wrongByte: true }],
  network: Array(40).fill({ status: 500 }),
  "not-found": [{ status: 404 }],
  unauthorized: [{ drop: 40_000 }, { status: 403 }],
  "file-changed": [{ status: 416 }],
};

/** Puts into a page what the tests call. */
async function prepare(tab, site) {
  await tab.goto(`${site.url}/blank.html`);
  await tab.evaluate(async () => {
    globalThis.qwill = await import("/npm/dist/index.js");
    const { openIncoming } = await import("/npm/dist/incoming.js");
    const { openStore } = await import("/npm/dist/store.js");
    globalThis.openStore = openStore;
    const tuning = { partBytes: 32_768, runParts: 2, parallel: 3, retryDelay: 5, attempts: 4, silence: 300 };
    /** Downloads with small parts; says what came of it. */
    globalThis.bring = async (file, { abortAt = Number.POSITIVE_INFINITY } = {}) => {
      const controller = new AbortController();
      let first;
      let last;
      const onProgress = (received) => {
        first ??= received;
        last = received;
        if (received >= abortAt) controller.abort();
      };
      try {
        const options = { store: await openStore(), signal: controller.signal, tuning, onProgress };
        const incoming = await openIncoming(file, options);
        await incoming.finished;
        const bytes = await incoming.read(0, incoming.size);
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
        return { sha256: [...hash].map((b) => b.toString(16).padStart(2, "0")).join(""), first, last };
      } catch (error) {
        return { code: error.code, message: error.message, first, last };
      }
    };
    globalThis.failure = (promise) =>
      promise.then(
        () => "no error",
        ({ code, message }) => ({ code, message }),
      );
  });
}

/** A second page of the same browser profile. */
const sibling = (tab) => (tab.context?.() ?? tab.browserContext()).newPage();

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, { timeout: 120_000 }, async (t) => {
    const site = await servePackage();
    t.after(() => site.close());
    const hub = await serveFaulty();
    t.after(() => hub.close());
    const browser = await launch();
    t.after(() => browser.close());
    const tab = await browser.open();
    await prepare(tab, site);

    /** What a listing says about bytes; each seed is another file, so that tests share nothing. */
    const put = async (bytes) => {
      hub.files.set(FILE, bytes);
      hub.faults = [];
      hub.log = [];
      const hash = Buffer.from(await crypto.subtle.digest("SHA-256", bytes)).toString("hex");
      const file = { name: "m.gguf", url: hub.url + FILE, size: bytes.length };
      return { file: { ...file, digest: { kind: "sha256", hex: hash } }, hash };
    };
    const bring = (file, options) =>
      tab.evaluate(([file, options]) => globalThis.bring(file, options), [file, options]);

    await t.test("files are kept in the origin private file system", async () => {
      assert.equal(await tab.evaluate(async () => (await openStore()).kind), "opfs");
    });

    let seed = 2;
    for (const [what, faults] of Object.entries(MENDED)) {
      await t.test(`the file is right in spite of ${what}`, async () => {
        const { file, hash } = await put(noise(300_007, seed++));
        hub.faults = structuredClone(faults);
        const result = await bring(file);
        assert.equal(result.sha256, hash, JSON.stringify(result));
        assert.equal(hub.faults.length, 0);
        const requests = hub.log.length;
        assert.equal((await bring(file)).sha256, hash);
        assert.equal(hub.log.length, requests, "kept");
      });
    }

    for (const [code, faults] of Object.entries(FATAL)) {
      await t.test(`${code} is a clear error, and the next time goes on`, async () => {
        const { file, hash } = await put(noise(300_007, seed++));
        hub.faults = structuredClone(faults);
        const error = await bring(file);
        assert.equal(error.code, code, JSON.stringify(error));
        hub.faults = [];
        const result = await bring(file);
        assert.equal(result.sha256, hash);
      });
    }

    await t.test("a file without checksum that changes between ranges", async () => {
      const { hash } = await put(BYTES);
      const file = { name: "m.gguf", url: hub.url + FILE };
      hub.faults = [{ drop: 40_000 }, { change: true }];
      assert.equal((await bring(file)).code, "file-changed");
      assert.equal((await bring(file)).sha256, hash);
    });

    await t.test("a reload in the middle costs little", async () => {
      const { file, hash } = await put(noise(300_007, seed++));
      hub.delay = 60;
      await tab.evaluate((file) => {
        globalThis.bring(file);
      }, file);
      await new Promise((resolve) => setTimeout(resolve, 500));
      await prepare(tab, site);
      hub.delay = 0;
      const result = await bring(file);
      assert.equal(result.sha256, hash);
      assert.ok(result.first >= 32_768, `started with ${result.first} bytes`);
    });

    await t.test("cancelled, then gone on with", async () => {
      const { file, hash } = await put(noise(300_007, seed++));
      const cancelled = await bring(file, { abortAt: 150_000 });
      assert.equal(cancelled.code, "aborted");
      const result = await bring(file);
      assert.ok(result.first >= 32_768 && result.sha256 === hash, JSON.stringify(result));
    });

    await t.test("two tabs at once download once", async () => {
      const { file, hash } = await put(noise(300_007, seed++));
      hub.delay = 5;
      const other = await sibling(tab);
      await prepare(other, site);
      const [mine, theirs] = await Promise.all([
        bring(file),
        other.evaluate((file) => globalThis.bring(file), file),
      ]);
      hub.delay = 0;
      assert.equal(mine.sha256, hash);
      assert.equal(theirs.sha256, hash);
      assert.equal(hub.log.length, 5, `${hub.log}`);
      await other.close();
    });

    await t.test("no room: refused before, or found out in the middle", async () => {
      const { file } = await put(noise(300_007, seed++));
      const before = await tab.evaluate(async (file) => {
        const { estimate } = StorageManager.prototype;
        StorageManager.prototype.estimate = async () => ({ quota: 250_000, usage: 10 });
        const result = await globalThis.bring(file);
        StorageManager.prototype.estimate = estimate;
        return result;
      }, file);
      assert.equal(before.code, "quota-exceeded");
      assert.match(before.message, /needs 0\.3 MB more .* keep 0\.2 MB more/);
      assert.equal(hub.log.length, 0);

      if (name !== "chromium") return;
      const devtools = await tab.context().newCDPSession(tab);
      const usage = await tab.evaluate(async () => (await navigator.storage.estimate()).usage);
      const origin = new URL(site.url).origin;
      await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 150_000 });
      const middle = await tab.evaluate(async (file) => {
        const { estimate } = StorageManager.prototype;
        StorageManager.prototype.estimate = async () => ({});
        const result = await globalThis.bring(file);
        StorageManager.prototype.estimate = estimate;
        return result;
      }, file);
      assert.equal(middle.code, "quota-exceeded", JSON.stringify(middle));
      await devtools.send("Storage.overrideQuotaForOrigin", { origin });
      const result = await bring(file);
      assert.ok(result.first >= 32_768 && result.sha256, JSON.stringify(result));
    });

    await t.test("the Cache API where files cannot be written", async () => {
      const { file, hash } = await put(noise(300_007, seed++));
      const other = await sibling(tab);
      await prepare(other, site);
      const run = (options) =>
        other.evaluate(
          async ([file, options]) => {
            const { createWritable } = FileSystemFileHandle.prototype;
            delete FileSystemFileHandle.prototype.createWritable;
            const result = { kind: (await openStore()).kind, ...(await globalThis.bring(file, options)) };
            FileSystemFileHandle.prototype.createWritable = createWritable;
            return result;
          },
          [file, options],
        );
      assert.equal((await run({ abortAt: 200_000 })).code, "aborted");
      const { kind, first, sha256 } = await run({});
      assert.deepEqual({ kind, sha256 }, { kind: "cache", sha256: hash });
      assert.ok(first >= 32_768, `started with ${first} bytes`);
      await other.close();
    });

    await t.test("a hub id: loaded, listed, loaded without network, deleted", async (t) => {
      const gguf = readFileSync(path.join(GOLDEN, "g-qwen2/g-qwen2-Q8_0.gguf"));
      const own = await serveFaulty();
      own.files.set("/Qwen/Tiny-GGUF/resolve/main/tiny-Q8_0.gguf", gguf);
      own.files.set("/Qwen/Tiny-GGUF/resolve/main/tiny-F16.gguf", noise(1000));
      const load = () =>
        tab.evaluate(async (endpoint) => {
          const seen = [];
          const options = { endpoint, contextLength: 64, onProgress: (progress) => seen.push(progress) };
          const model = await qwill.load("Qwen/Tiny-GGUF", options);
          const { tokens } = await model.tokenize("Hello");
          await model.dispose();
          return { tokens, stages: [...new Set(seen.map(({ stage }) => stage))], last: seen.at(-1) };
        }, own.url);
      const { tokens, stages } = await load();
      assert.ok(tokens.length > 0);
      assert.ok(stages.includes("download"), `${stages}`);

      const stored = await tab.evaluate(() => qwill.downloads.list());
      t.diagnostic(JSON.stringify(stored));
      const model = stored.find(({ source }) => source === "Qwen/Tiny-GGUF");
      assert.ok(model?.complete && model.bytes === gguf.length && model.endpoint === own.url);
      const { kind, usage } = await tab.evaluate(() => qwill.downloads.storage());
      assert.equal(kind, "opfs");
      assert.ok(usage >= 0);

      await own.close();
      assert.deepEqual((await load()).tokens, tokens);
      assert.equal(await tab.evaluate((id) => qwill.downloads.delete(id), model.id), true);
      assert.equal(await tab.evaluate((id) => qwill.downloads.delete(id), model.id), false);
      const error = await tab.evaluate(
        (endpoint) => failure(qwill.load("Qwen/Tiny-GGUF", { endpoint })),
        own.url,
      );
      assert.equal(error.code, "network");
    });

    await t.test("a model with a wrong byte is not loaded", async () => {
      const gguf = readFileSync(path.join(GOLDEN, "g-qwen2/g-qwen2-Q8_0.gguf"));
      hub.files.set("/Qwen/Wrong-GGUF/resolve/main/tiny-Q8_0.gguf", gguf);
      hub.faults = [{ wrongByte: true }];
      const error = await tab.evaluate(
        (endpoint) => failure(qwill.load("Qwen/Wrong-GGUF", { endpoint, contextLength: 64 })),
        hub.url,
      );
      assert.equal(error.code, "checksum-mismatch", JSON.stringify(error));
      const stored = await tab.evaluate(async (endpoint) => {
        await qwill.downloads.add("Qwen/Wrong-GGUF", { endpoint });
        return qwill.downloads.list();
      }, hub.url);
      assert.ok(stored.find(({ source }) => source === "Qwen/Wrong-GGUF")?.complete, JSON.stringify(stored));
    });

    await t.test("ids that are not there say so", async () => {
      const error = await tab.evaluate(
        (endpoint) => failure(qwill.load("Qwen/Nothing", { endpoint })),
        hub.url,
      );
      assert.equal(error.code, "not-found");
      assert.match(error.message, /no model Qwen\/Nothing/);
    });
  });
}
