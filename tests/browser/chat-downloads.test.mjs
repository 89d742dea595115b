// The chat demo's download manager, in both browsers: by id or address, with progress, cancelled, stored, deleted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { serveFaulty } from "./lib/faulty.mjs";
import { GOLDEN, serveWeb } from "./lib/site.mjs";

const PATIENCE = Number(process.env.QWILL_PATIENCE ?? 60_000);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const NAME = "tiny-Q8_0.gguf";

/** Waits until the text of `selector` matches. */
const says = (tab, selector, pattern) =>
  tab.evaluate(
    async ([selector, pattern, patience]) => {
      const all = () => [...document.querySelectorAll(selector)].map((found) => found.textContent);
      for (const end = performance.now() + patience; performance.now() < end; ) {
        const found = all().find((text) => new RegExp(pattern).test(text));
        if (found !== undefined) return found;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`${selector} does not say ${pattern} but ${JSON.stringify(all())}`);
    },
    [selector, pattern, PATIENCE],
  );

/** Clicks the button of that text. */
const press = (tab, text) =>
  tab.evaluate((text) => {
    const buttons = [...document.querySelectorAll("button")];
    const found = buttons.find((button) => button.textContent.replace(/\s+/g, " ").trim() === text);
    if (!found) throw new Error(`no button ${text} among ${buttons.map((button) => button.textContent)}`);
    found.click();
  }, text);

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, { timeout: 120_000 }, async (t) => {
    const site = await serveWeb();
    t.after(() => site.close());
    const hub = await serveFaulty();
    t.after(() => hub.close());
    const file = `/a/b/resolve/main/${NAME}`;
    hub.files.set(file, readFileSync(path.join(GOLDEN, "g-qwen2/g-qwen2-Q8_0.gguf")));
    const browser = await launch();
    t.after(() => browser.close());
    const tab = await browser.open();
    await tab.goto(`${site.url}/demo/index.html`);
    await says(tab, ".card", "Cancel");
    await press(tab, "Cancel");

    const openDialog = () => tab.evaluate(() => document.querySelector(".model-button").click());
    const load = async (address) => {
      await openDialog();
      await says(tab, "dialog[open] h2", "Model");
      await tab.evaluate(() => document.querySelector("#model-address").focus());
      await tab.keyboard.type(address);
      await tab.keyboard.press("Enter");
    };

    await t.test("an address is downloaded with progress, speed and time left, and cancelled", async () => {
      hub.delay = 150;
      await load(hub.url + file);
      const line = await says(tab, ".card-line", " left");
      assert.match(line, new RegExp(`Downloading ${NAME}.* of 340 kB · .*B/s · \\d+ s left`));
      await press(tab, "Cancel");
      await says(tab, ".card", "Loading was cancelled");
    });

    await t.test("what is stored in part is listed, and gone on with", async () => {
      await openDialog();
      await says(tab, ".stored li", `${NAME}.* of 340 kB downloaded`);
      hub.delay = 0;
      await press(tab, `Go on ${NAME}`);
      await says(tab, ".model-name", NAME);
      await says(tab, ".lamp-ready", "");
    });

    await t.test("after a reload without network it loads again", async () => {
      await hub.close();
      await tab.goto(`${site.url}/demo/index.html`);
      await openDialog();
      await says(tab, ".stored li", `${NAME}340 kB`);
      await press(tab, `Load ${NAME}`);
      await says(tab, ".model-name", NAME);
      await says(tab, ".lamp-ready", "");
    });

    await t.test("the list is accessible, and empties", async () => {
      await openDialog();
      await says(tab, ".stored li", NAME);
      await tab.evaluate(AXE);
      const violations = await tab.evaluate(async () => {
        const { violations } = await globalThis.axe.run(document.querySelector("dialog[open]"));
        return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`);
      });
      assert.deepEqual(violations, []);
      await press(tab, `Delete ${NAME}`);
      await says(tab, '.stored [role="status"]', `${NAME} was deleted`);
      assert.equal(await tab.evaluate(() => document.querySelectorAll(".stored li").length), 0);
    });
  });
}
