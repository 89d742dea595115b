// A blank page that can import the package.

import { servePackage } from "./site.mjs";

/**
 * Opens one in a browser of its own for the time of the test; `url` is that of its site, which may have more folders;
 * `requests` are the paths that were asked for.
 */
export async function openPackagePage(t, launch, folders = {}) {
  const server = await servePackage(folders);
  t.after(() => server.close());
  const browser = await launch();
  t.after(() => browser.close());
  const tab = await browser.open();
  await tab.goto(`${server.url}/blank.html`);
  return { browser, tab, url: server.url, requests: server.requests };
}
