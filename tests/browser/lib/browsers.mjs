// Headless Chromium (Dawn on SwiftShader: subgroups, no f16) and Firefox (wgpu and naga on Mesa's software
// Vulkan: f16, no subgroups, 128 MiB bindings), both as installed on the machine, both usable as root.

import { accessSync, constants } from "node:fs";
import path from "node:path";
import { chromium } from "playwright-core";
import puppeteer from "puppeteer-core";

export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
];

export const FIREFOX_PREFS = {
  "dom.webgpu.enabled": true,
  "gfx.webgpu.ignore-blocklist": true,
  "gfx.webgpu.force-enabled": true,
  "dom.webgpu.allow-software-adapter": true,
};

/** Looks a program up: an environment variable first, then the names on PATH. */
function find(variable, names) {
  const given = process.env[variable];
  if (given) return given;
  const folders = [...(process.env.PATH ?? "").split(path.delimiter), "/usr/bin"];
  for (const name of names) {
    for (const folder of folders) {
      const file = path.join(folder, name);
      try {
        accessSync(file, constants.X_OK);
        return file;
      } catch {}
    }
  }
  throw new Error(
    `none of ${names.join(", ")} is on PATH; install it (Debian: apt install chromium firefox-esr) or set ${variable}`,
  );
}

/**
 * What the tests use of a page; Playwright's and Puppeteer's pages both have it.
 * @typedef {object} Tab
 * @property {(url: string) => Promise<unknown>} goto
 * @property {(fn: any, arg?: any) => Promise<any>} evaluate
 * @property {(options: { path: string }) => Promise<unknown>} screenshot
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Launched
 * @property {string} name
 * @property {string} version
 * @property {() => Promise<Tab>} open a new tab in a fresh context
 * @property {() => Promise<void>} close
 */

/** @returns {Promise<Launched & { browser: import("playwright-core").Browser }>} */
export async function launchChromium() {
  const browser = await chromium.launch({
    executablePath: find("QWILL_CHROMIUM", ["chromium", "chromium-browser", "google-chrome", "chrome"]),
    headless: true,
    args: CHROMIUM_FLAGS,
  });
  return {
    name: "chromium",
    version: browser.version(),
    browser,
    open: async () => watch(await (await browser.newContext()).newPage()),
    close: () => browser.close(),
  };
}

/** @returns {Promise<Launched>} */
export async function launchFirefox() {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: find("QWILL_FIREFOX", ["firefox-esr", "firefox"]),
    headless: true,
    extraPrefsFirefox: FIREFOX_PREFS,
    protocolTimeout: 600_000,
  });
  return {
    name: "firefox",
    version: await browser.version(),
    open: async () => watch(await (await browser.createBrowserContext()).newPage()),
    close: () => browser.close(),
  };
}

/** Uncaught errors in a page end up in the test's output instead of nowhere. */
function watch(page) {
  page.on("pageerror", (error) => console.error(`page error: ${error?.message ?? error}`));
  page.on("console", (message) => {
    if (message.type() === "error") console.error(`console: ${message.text()}`);
  });
  return page;
}

const ALL = { chromium: launchChromium, firefox: launchFirefox };

/** Both browsers, or the one that QWILL_BROWSER names. */
export const LAUNCHERS = Object.fromEntries(
  Object.entries(ALL).filter(([name]) => (process.env.QWILL_BROWSER ?? name) === name),
);
