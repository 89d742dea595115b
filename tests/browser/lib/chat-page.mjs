// What tests do on the chat demo, in either browser.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { serveWeb } from "./site.mjs";

const PATIENCE = Number(process.env.QWILL_PATIENCE ?? 60_000);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Waits until the text of `selector` matches. */
export const says = (tab, selector, pattern) =>
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
export const press = (tab, text) =>
  tab.evaluate((text) => {
    const buttons = [...document.querySelectorAll("button")];
    const found = buttons.find((button) => button.textContent.replace(/\s+/g, " ").trim() === text);
    if (!found) throw new Error(`no button ${text} among ${buttons.map((button) => button.textContent)}`);
    found.click();
  }, text);

/** Opens the chat demo, and stops its load of the model that comes with it; `site` serves the page. */
export const openDemoPage = async (t, launch) => {
  const site = await serveWeb();
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const tab = await browser.open();
  await tab.goto(`${site.url}/demo/index.html`);
  await says(tab, ".card", "Cancel");
  await press(tab, "Cancel");
  await says(tab, ".card", "cancelled");
  return { tab, site };
};

/** Opens the model's window. */
export const openModelDialog = async (tab) => {
  await tab.evaluate(() => document.querySelector(".model-button").click());
  await says(tab, "dialog[open] h2", "^Model$");
};

/** Types into a field in place of what is there. */
export const fill = async (tab, selector, text) => {
  await tab.evaluate((selector) => {
    const field = document.querySelector(selector);
    field.focus();
    field.select();
  }, selector);
  await tab.keyboard.type(text);
};

/** Looks up a hub id or an address, by keyboard. */
export const lookUp = async (tab, address) => {
  await openModelDialog(tab);
  await fill(tab, "#model-address", address);
  await tab.keyboard.press("Enter");
};

/** What keeps people with disabilities out, of the whole page or of a part of it. */
export const violations = async (tab, selector = "html") => {
  await tab.evaluate(AXE);
  return tab.evaluate(async (selector) => {
    const { violations } = await globalThis.axe.run(document.querySelector(selector));
    return violations.map(({ id, nodes }) => ({
      id,
      where: nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`),
    }));
  }, selector);
};
