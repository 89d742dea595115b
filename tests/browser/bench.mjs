// Prints what window.bench of web/bench.html measures: node bench.mjs firefox '{"model": "demo", "runs": 3}'.
// Build the page first: cargo xtask npm, then npm run build in web/.

import { LAUNCHERS } from "./lib/browsers.mjs";
import { serveWeb } from "./lib/site.mjs";

const [browserName = "chromium", request = "{}"] = process.argv.slice(2);
const server = await serveWeb();
const browser = await LAUNCHERS[browserName]();
const page = await browser.open();
await page.goto(`${server.url}/demo/bench.html`);
const report = await page.evaluate((request) => window.bench(request), JSON.parse(request));
console.log(JSON.stringify({ browser: browserName, ...report }));
await browser.close();
await server.close();
