// The sites that the tests open.

import path from "node:path";
import { fileURLToPath } from "node:url";
import { serve } from "./server.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
export const ROOT = path.resolve(here, "../../..");
export const GOLDEN = process.env.QWILL_GOLDEN ?? path.join(ROOT, "tests/golden");
export const SCREENSHOTS = path.join(ROOT, "tests/browser/screenshots");

/** Blank pages, the package as `npm pack` would ship it, unbundled, the golden checkpoints, and more folders. */
export const servePackage = (more = {}) =>
  serve({
    ...more,
    "/": path.join(here, "../pages"),
    "/npm/dist/": path.join(ROOT, "npm/dist"),
    "/npm/wasm/": path.join(ROOT, "npm/wasm"),
    "/golden/": GOLDEN,
  });

/** The chat demo as it is built, in a folder of its site. */
export const serveWeb = () => serve({ "/demo/": path.join(ROOT, "web/dist"), "/golden/": GOLDEN });
