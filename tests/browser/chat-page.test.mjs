// The chat demo as it is built, in both browsers: by keyboard, as a person would use it.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import path from "node:path";
import test from "node:test";
import { LAUNCHERS, launchChromium } from "./lib/browsers.mjs";
import { violations } from "./lib/chat-page.mjs";
import { SCREENSHOTS, serveWeb } from "./lib/site.mjs";

const PATIENCE = Number(process.env.QWILL_PATIENCE ?? 60_000);

/** Waits until `selector` is there and returns its text. */
const text = (tab, selector) =>
  tab.evaluate(
    async ([selector, patience]) => {
      for (const end = performance.now() + patience; performance.now() < end; ) {
        const found = document.querySelector(selector);
        if (found) return found.textContent;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw new Error(`${selector} did not appear; the page says: ${document.body.textContent}`);
    },
    [selector, PATIENCE],
  );

const count = (tab, selector) =>
  tab.evaluate((selector) => document.querySelectorAll(selector).length, selector);
const focused = (tab) => tab.evaluate(() => document.activeElement?.id);

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const server = await serveWeb();
    t.after(() => server.close());
    const browser = await launch();
    t.after(() => browser.close());
    const tab = await browser.open();
    await tab.goto(`${server.url}/demo/index.html`);

    await t.test("the demo model is loaded without a click, and its GPU named", async () => {
      await text(tab, ".lamp-ready");
      assert.ok((await text(tab, ".model-gpu")).length > 0);
      assert.equal(await focused(tab), "prompt");
    });

    await t.test("Enter sends; the reply comes with its speed", async (t) => {
      await tab.keyboard.type("Who are you?");
      await tab.keyboard.press("Enter");
      t.diagnostic(await text(tab, ".stats"));
      assert.match(await text(tab, ".stats"), /\d tokens\/s.*\d tokens/);
      assert.ok((await text(tab, ".message-assistant .prose")).trim().length > 0);
      assert.equal(await text(tab, ".message-user .bubble"), "Who are you?");
      assert.equal(await count(tab, '[role="log"][aria-live="polite"][aria-busy="false"]'), 1);
      assert.equal(await focused(tab), "prompt");
    });

    await t.test("Shift+Enter breaks the line; Escape stops", async () => {
      await tab.keyboard.type("Tell me a story");
      await tab.keyboard.down("Shift");
      await tab.keyboard.press("Enter");
      await tab.keyboard.up("Shift");
      await tab.keyboard.type("about a cat.");
      assert.equal(
        await tab.evaluate(() => document.querySelector("#prompt").value),
        "Tell me a story\nabout a cat.",
      );
      await tab.keyboard.press("Enter");
      await text(tab, '[aria-keyshortcuts="Escape"]');
      await tab.keyboard.press("Escape");
      await text(tab, ".message:nth-of-type(4) .message-footer");
      assert.equal(await count(tab, '[aria-keyshortcuts="Escape"]'), 0);
      assert.equal(await focused(tab), "prompt");
    });

    await t.test("a long prompt says how much of it was read", async () => {
      await tab.evaluate(() => {
        document.querySelector("#prompt").focus();
        document.execCommand("insertText", false, "The cat and the dog are in the garden. ".repeat(60));
      });
      await tab.keyboard.press("Enter");
      assert.match(await text(tab, ".reading"), /^Reading the prompt… \d+ %$/);
      await text(tab, ".message:nth-of-type(6) .message-footer");
      assert.equal(await count(tab, ".reading"), 0);
    });

    await t.test("dialogs take the focus and give it back", async () => {
      for (const [button, heading] of [
        ['[title="Settings"]', "Settings"],
        [".model-button", "Model"],
      ]) {
        await tab.evaluate((button) => document.querySelector(button).focus(), button);
        await tab.keyboard.press("Enter");
        assert.equal(await text(tab, "dialog[open] h2"), heading);
        assert.ok(
          await tab.evaluate(() => document.querySelector("dialog[open]").contains(document.activeElement)),
        );
        await tab.keyboard.press("Escape");
        assert.equal(await count(tab, "dialog[open]"), 0);
        assert.ok(
          await tab.evaluate((button) => document.activeElement === document.querySelector(button), button),
        );
      }
    });

    await t.test("a new chat is empty", async () => {
      await tab.evaluate(() => document.querySelector('[title="New chat"]').click());
      await text(tab, ".welcome");
      assert.equal(await focused(tab), "prompt");
    });

    await t.test("a checkpoint folder is chosen, then a broken file dropped", async () => {
      await tab.evaluate(async () => {
        const transfer = new DataTransfer();
        const names = [
          "config.json",
          "generation_config.json",
          "tokenizer_config.json",
          "tokenizer.json",
          "model.safetensors",
        ];
        for (const name of names) {
          const response = await fetch(`/golden/qwen3-tied/${name}`);
          transfer.items.add(new File([await response.blob()], name));
        }
        const input = document.querySelector('input[aria-label="Checkpoint folder"]');
        input.files = transfer.files;
        input.dispatchEvent(new Event("change"));
      });
      await text(tab, ".lamp-loading");
      await text(tab, ".lamp-ready");

      await tab.evaluate(() => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File(["this is no model"], "notes.gguf"));
        for (const type of ["dragover", "drop"]) {
          document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
        }
      });
      assert.match(await text(tab, ".card-error"), /notes\.gguf could not be loaded/);
    });

    await t.test("without WebGPU the page says so in words", async () => {
      const bare = await browser.open();
      const hide = () =>
        Object.defineProperty(Navigator.prototype, "gpu", { value: undefined, configurable: true });
      if ("addInitScript" in bare) await bare.addInitScript(hide);
      else await bare.evaluateOnNewDocument(hide);
      await bare.goto(`${server.url}/demo/index.html`);
      assert.match(await text(bare, ".card-error"), /This browser cannot use your GPU.*Safari 26/s);
      await bare.close();
    });

    await t.test("window.bench measures", async (t) => {
      const bench = await browser.open();
      await bench.goto(`${server.url}/demo/bench.html`);
      const result = await bench.evaluate(() =>
        window.bench({ prompt_tokens: 32, decode_tokens: 8, runs: 2 }),
      );
      t.diagnostic(JSON.stringify(result));
      for (const key of ["load_ms", "ttft_ms", "prefill_tps", "decode_tps"]) assert.ok(result[key] > 0, key);
      await bench.close();
    });
  });
}

test("whatever a model writes is shown, never run", async (t) => {
  const server = await serveWeb();
  t.after(() => server.close());
  const { browser } = await launchChromium();
  t.after(() => browser.close());
  const tab = await (await browser.newContext()).newPage();
  const script = new URL("./pages/scripted-worker.js", import.meta.url).pathname;
  await tab.route(/assets\/worker-.*\.js/, (route) => route.fulfill({ path: script }));
  const foreign = [];
  tab.on("request", (request) => request.url().startsWith(server.url) || foreign.push(request.url()));
  await tab.goto(`${server.url}/demo/index.html`);
  await text(tab, ".lamp-ready");
  const say = async (events) => {
    await tab.fill("#prompt", JSON.stringify(events));
    await tab.press("#prompt", "Enter");
    await text(tab, ".message:last-child .stats");
    return tab.locator(".message").last();
  };

  const hostile = await say([
    { type: "content", text: "<img src=x onerror='document.title=1'>![pixel](http://evil.test/p.png)" },
    { type: "content", text: "<script>document.title = 2</script><style>body{display:none}</style>" },
    {
      type: "content",
      text: "<iframe src='http://evil.test'></iframe>[click](javascript:alert(1)) **safe**",
    },
  ]);
  const prose = await hostile.locator(".prose").innerHTML();
  assert.match(prose, /<strong>safe<\/strong>/);
  assert.doesNotMatch(prose, /<img|<script|<style|<iframe|javascript:|onerror/);
  assert.equal(await tab.title(), "qwill chat");
  assert.deepEqual(foreign, []);

  const rich = await say([
    { type: "reasoning", text: "Let me see." },
    {
      type: "content",
      text: "A [link](https://example.com) and\n\n```js\n1 < 2\n```\n\n| a |\n| - |\n| b |",
    },
    { type: "tool_call_delta", call: 0, name: "now", arguments: "{}" },
  ]);
  const link = rich.locator(".prose a");
  assert.equal(await link.getAttribute("target"), "_blank");
  assert.match(await link.getAttribute("rel"), /noopener/);
  assert.equal(await rich.locator(".prose pre code").textContent(), "1 < 2\n");
  assert.equal(await rich.locator(".prose td").textContent(), "b");
  assert.equal(await rich.locator(".tool-call").textContent(), "now({})");
  assert.match(await rich.locator(".stats").textContent(), /123 tokens\/s.*3 tokens/);
  const thinking = rich.locator("details.thinking");
  assert.equal(await thinking.getAttribute("open"), null);
  assert.equal(await rich.locator(".thoughts").isVisible(), false);
  await thinking.locator("summary").press("Enter");
  assert.equal(await rich.locator(".thoughts").textContent(), "Let me see.");

  const question = await tab.locator(".message-user .bubble").first().innerHTML();
  assert.match(question, /&lt;img/);
});

const LOOKS = {
  light: { colorScheme: "light", viewport: { width: 1180, height: 800 } },
  dark: { colorScheme: "dark", viewport: { width: 1180, height: 800 } },
  phone: {
    colorScheme: "light",
    viewport: { width: 390, height: 780 },
    deviceScaleFactor: 2,
    isMobile: true,
  },
  "phone-dark": {
    colorScheme: "dark",
    viewport: { width: 390, height: 780 },
    deviceScaleFactor: 2,
    isMobile: true,
  },
};

test("light, dark, desktop and phone: pictures, nothing cut off, no accessibility violations", async (t) => {
  mkdirSync(SCREENSHOTS, { recursive: true });
  const server = await serveWeb();
  t.after(() => server.close());
  const { browser } = await launchChromium();
  t.after(() => browser.close());
  for (const [look, options] of Object.entries(LOOKS)) {
    await t.test(look, async () => {
      const context = await browser.newContext({ ...options, reducedMotion: "reduce" });
      const tab = await context.newPage();
      await tab.goto(`${server.url}/demo/index.html`);
      await text(tab, ".lamp-ready");
      const inspect = async (scene) => {
        await tab.screenshot({ path: path.join(SCREENSHOTS, `${look}-${scene}.png`) });
        assert.deepEqual(await violations(tab), []);
        const overflow = await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        assert.ok(overflow <= 0, `${overflow} pixels too wide`);
      };
      await inspect("welcome");
      await tab.click(".examples li:nth-child(2) button");
      await text(tab, ".stats");
      await inspect("reply");
      await tab.click('[title="Settings"]');
      await text(tab, "dialog[open]");
      await inspect("settings");
      await tab.keyboard.press("Escape");
      await tab.click(".model-button");
      await text(tab, "dialog[open]");
      await inspect("model");
      await tab.fill("#model-address", `${server.url}/golden/g-qwen2/g-qwen2-Q8_0.gguf`);
      await tab.press("#model-address", "Enter");
      await text(tab, '.button-main[aria-disabled="false"]');
      await inspect("plan");
      await context.close();
    });
  }
});
