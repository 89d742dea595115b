// The chat demo's plan of memory, in both browsers: what a model takes, before it is downloaded.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { fill, lookUp, openDemoPage, press, says, violations } from "./lib/chat-page.mjs";
import { serveFaulty } from "./lib/faulty.mjs";
import { syntheticGguf } from "./lib/gguf.mjs";
import { GOLDEN, SCREENSHOTS } from "./lib/site.mjs";

const STATUS = "dialog[open] .verdict [role=status]";
const MAIN = "dialog[open] .button-main";

/** Bytes of a token's keys in a layer of the synthetic models, in 16 bits. */
const KEY_BYTES = 2048;

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, { timeout: 240_000 }, async (t) => {
    mkdirSync(SCREENSHOTS, { recursive: true });
    const hub = await serveFaulty();
    t.after(() => hub.close());
    hub.files.set("/tiny.gguf", readFileSync(path.join(GOLDEN, "g-qwen2/g-qwen2-Q8_0.gguf")));
    hub.files.set("/long.gguf", syntheticGguf({ layers: 1, context: 100_000_000 }));
    hub.files.set("/huge.gguf", syntheticGguf({ layers: 240 }));
    // An expert must lie in one binding.
    hub.files.set("/wide.gguf", syntheticGguf({ layers: 1, hidden: 65_536, inner: 65_536, experts: true }));
    const { tab } = await openDemoPage(t, launch);

    const facts = () =>
      tab.evaluate(() =>
        Object.fromEntries(
          [...document.querySelectorAll("dialog[open] .facts div")].map((fact) =>
            [...fact.children].map((part) => part.textContent),
          ),
        ),
      );
    const top = () => tab.evaluate((main) => document.querySelector(main).getBoundingClientRect().top, MAIN);
    const isRefused = () =>
      tab.evaluate((main) => document.querySelector(main).getAttribute("aria-disabled") === "true", MAIN);
    const mainHasFocus = () =>
      tab.evaluate((main) => document.activeElement === document.querySelector(main), MAIN);
    const typeContext = (n) => fill(tab, "dialog[open] input[type=number]", String(n));
    const isAccessible = async (scene) => {
      await tab.screenshot({ path: path.join(SCREENSHOTS, `${name}-plan-${scene}.png`) });
      assert.deepEqual(await violations(tab, "dialog[open]"), []);
    };
    const close = async () => {
      await tab.keyboard.press("Escape");
      await says(tab, ".card", "cancelled");
      assert.equal(await tab.evaluate(() => document.querySelectorAll("dialog[open]").length), 0);
    };

    await t.test("what cannot be reached says so, and is asked for again", async () => {
      hub.down = true;
      await lookUp(tab, `${hub.url}/tiny.gguf`);
      assert.match(await says(tab, STATUS, "could not be fetched"), /not known yet.*tiny\.gguf/);
      assert.equal(await says(tab, MAIN, "again"), "Try again");
      await isAccessible("unreachable");
      hub.down = false;
      assert.ok(await mainHasFocus());
      await tab.keyboard.press("Enter");
      await says(tab, STATUS, "^It fits");
      await close();
    });

    await t.test("what a model takes is there before it is downloaded, and Enter downloads it", async () => {
      hub.log.length = 0;
      await lookUp(tab, `${hub.url}/tiny.gguf`);
      await says(tab, "dialog[open] h2", "^tiny.gguf$");
      const before = await top();
      assert.ok(await isRefused(), "nothing is downloaded while the numbers are not there");
      assert.equal(await says(tab, STATUS, "^It fits"), "It fits, with a context of 4,096 tokens.");
      assert.equal(await top(), before, "nothing moved");
      const { Download, Weights, Cache, Scratch, GPU, ...rest } = await facts();
      assert.equal(Download, "340 kB");
      assert.match(Weights, /kB$/);
      assert.match(Cache, /MB for 4,096 tokens$/);
      assert.match(Scratch, /[kM]B$/);
      assert.match(rest["GPU memory in all"], /MB$/);
      assert.ok(GPU.length > 3);
      assert.deepEqual(hub.log, [0], "only the header was read");
      await isAccessible("fits");
      assert.ok(await mainHasFocus());
      await tab.keyboard.press("Enter");
      await says(tab, ".model-name", "tiny.gguf");
      await says(tab, ".lamp-ready", "");
      assert.ok(hub.log.length > 1);
    });

    await t.test("what may not fit says what is known", async () => {
      await lookUp(tab, `${hub.url}/huge.gguf`);
      const words = await says(tab, STATUS, "may fit");
      assert.match(words, /It takes 8\.\d GB; .* one buffer may have \d.* GB/);
      assert.match(await says(tab, MAIN, "try"), /^Download 4\.\d GB and try$/);
      await isAccessible("unsure");
      await tab.keyboard.press("Escape");
    });

    await t.test("a context that does not fit comes with what does, a keypress away", async () => {
      const largest = await tab.evaluate(async () => {
        const { limits } = await navigator.gpu.requestAdapter();
        return Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
      });
      const fitting = Math.floor(largest / KEY_BYTES);
      await lookUp(tab, `${hub.url}/long.gguf`);
      await says(tab, STATUS, "fit");

      await typeContext(Math.floor(fitting * 1.5));
      await says(tab, STATUS, "does not fit with a context of .* tokens and the 16-bit cache");
      assert.equal(await says(tab, MAIN, "fit"), "Does not fit like this");
      assert.ok(await isRefused());
      await isAccessible("suggestions");
      await press(tab, "Use the 8-bit cache");
      assert.ok(await mainHasFocus());
      await says(tab, STATUS, "^It (fits|may fit)");
      assert.ok(!(await isRefused()));
      assert.equal(await tab.evaluate(() => document.querySelector("dialog[open] select").value), "q8");

      await typeContext(fitting * 10);
      await says(tab, STATUS, "does not fit with a context of .* tokens and the 8-bit cache");
      const offer = await says(tab, ".verdict button", "context of");
      await press(tab, offer);
      await says(tab, STATUS, "^It (fits|may fit)");
      await tab.keyboard.press("Escape");
    });

    await t.test("what fits with no context cannot be downloaded", async () => {
      await lookUp(tab, `${hub.url}/wide.gguf`);
      await says(tab, STATUS, "does not fit this GPU");
      assert.equal(await says(tab, MAIN, "fit"), "Does not fit");
      await isAccessible("does-not-fit");
      const asked = hub.log.length;
      await tab.keyboard.press("Enter");
      assert.equal(hub.log.length, asked);
      assert.equal(await says(tab, "dialog[open] h2", ""), "wide.gguf");
    });
  });
}
