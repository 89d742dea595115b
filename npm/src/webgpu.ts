// Is there a GPU to compute on? Asked before anything is downloaded, and answered in words.

import { QwillError } from "./errors.ts";

const WHERE =
  "qwill runs in Chrome and Edge 113 or later, Safari 26 or later, and Firefox 141 or later; " +
  "on Linux and Android some of them need a recent version or a setting.";

/** Throws unless this browser has WebGPU. */
export function requireWebGpu(): void {
  if (typeof navigator !== "undefined" && navigator.gpu) return;
  if (
    typeof navigator === "undefined" ||
    !navigator.userAgent ||
    /^(Node|Deno|Bun)/.test(navigator.userAgent)
  ) {
    throw new QwillError(
      "webgpu-unavailable",
      "There is no WebGPU here: qwill's npm package runs in browsers. Outside of them use the qwill program.",
    );
  }
  if (!globalThis.isSecureContext) {
    throw new QwillError(
      "webgpu-unavailable",
      `WebGPU is only given to pages served over https or from localhost, and this one is not (${location.origin}).`,
    );
  }
  throw new QwillError(
    "webgpu-unavailable",
    `${browserName(navigator.userAgent)} does not offer WebGPU, which qwill needs to compute on your GPU. ${WHERE}`,
  );
}

/** The fastest GPU; throws when the browser has none. */
export async function requireGpu(): Promise<GPUAdapter> {
  requireWebGpu();
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter) return adapter;
  throw new QwillError(
    "no-gpu",
    `${browserName(navigator.userAgent)} has WebGPU but offers no GPU. Switch hardware acceleration on in its ` +
      "settings, update the graphics driver, and see chrome://gpu or about:support for what it says about yours.",
  );
}

/** A name for people; browsers say as much or as little as they like. */
export function gpuName({ info }: GPUAdapter): string {
  const short = [info.vendor, info.architecture].filter(Boolean).join(" ");
  return info.description || short || "WebGPU adapter";
}

/** "Firefox 128" and the like out of a user agent. */
export function browserName(userAgent: string): string {
  const known: [RegExp, string][] = [
    [/Edg\/(\d+)/, "Edge"],
    [/OPR\/(\d+)/, "Opera"],
    [/(?:Firefox|FxiOS)\/(\d+)/, "Firefox"],
    [/(?:Chrome|CriOS)\/(\d+)/, "Chrome"],
    [/Version\/(\d+).*Safari/, "Safari"],
  ];
  for (const [pattern, name] of known) {
    const version = pattern.exec(userAgent)?.[1];
    if (version) return `${name} ${version}`;
  }
  return "This browser";
}
