// The chat demo's download manager, in both browsers: by id or address, with progress, cancelled, stored, deleted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { lookUp, openDemoPage, openModelDialog, press, says, violations } from "./lib/chat-page.mjs";
import { serveFaulty } from "./lib/faulty.mjs";
import { GOLDEN } from "./lib/site.mjs";

const NAME = "tiny-Q8_0.gguf";

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, { timeout: 120_000 }, async (t) => {
    const hub = await serveFaulty();
    t.after(() => hub.close());
    const file = `/a/b/resolve/main/${NAME}`;
    hub.files.set(file, readFileSync(path.join(GOLDEN, "g-qwen2/g-qwen2-Q8_0.gguf")));
    const { tab, site } = await openDemoPage(t, launch);

    await t.test("an address is downloaded with progress, speed and time left, and cancelled", async () => {
      hub.delay = 150;
      await lookUp(tab, hub.url + file);
      await says(tab, ".button-main", "^Download 340 kB$");
      await press(tab, "Download 340 kB");
      const line = await says(tab, ".card-line", " left");
      assert.match(line, new RegExp(`Downloading ${NAME}.* of 340 kB · .*B/s · \\d+ s left`));
      await press(tab, "Cancel");
      await says(tab, ".card", "Loading was cancelled");
    });

    await t.test("what is stored in part is listed, and gone on with", async () => {
      await openModelDialog(tab);
      await says(tab, ".stored li", `${NAME}.* of 340 kB downloaded`);
      hub.delay = 0;
      await press(tab, `Go on ${NAME}`);
      await says(tab, ".button-main", "^Download 340 kB$");
      await press(tab, "Download 340 kB");
      await says(tab, ".model-name", NAME);
      await says(tab, ".lamp-ready", "");
    });

    await t.test("after a reload without network it loads again", async () => {
      await hub.close();
      await tab.goto(`${site.url}/demo/index.html`);
      await openModelDialog(tab);
      await says(tab, ".stored li", `${NAME}340 kB`);
      await press(tab, `Load ${NAME}`);
      await says(tab, ".model-name", NAME);
      await says(tab, ".lamp-ready", "");
    });

    await t.test("the list is accessible, and empties", async () => {
      await openModelDialog(tab);
      await says(tab, ".stored li", NAME);
      assert.deepEqual(await violations(tab, "dialog[open]"), []);
      await press(tab, `Delete ${NAME}`);
      await says(tab, '.stored [role="status"]', `${NAME} was deleted`);
      assert.equal(await tab.evaluate(() => document.querySelectorAll(".stored li").length), 0);
    });
  });
}
