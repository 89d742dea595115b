// What the self-test has found out about kernels on a device, kept from one visit to the next.

import { openStore } from "./store.ts";
import { gpuName } from "./webgpu.ts";

const FOLDER = "self-test";

/** Names the file for a device: findings hold for one browser in one version, one GPU and one set of capabilities. */
export async function findingsFile(adapter: GPUAdapter, caps = ""): Promise<string> {
  const device = [navigator.userAgent, gpuName(adapter), caps].join("\n");
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(device));
  const digits = [...new Uint8Array(digest, 0, 8)].map((byte) => byte.toString(16).padStart(2, "0"));
  return `${digits.join("")}.json`;
}

/** What is kept; nothing if the store cannot be read: then kernels are tried again. */
export async function readFindings(file: string): Promise<string | undefined> {
  try {
    return await (await (await openStore()).read(FOLDER, file))?.text();
  } catch {
    return undefined;
  }
}

/** Keeps findings. Where there is no room for them, kernels are tried again at the next load. */
export async function keepFindings(file: string, findings: string): Promise<void> {
  try {
    await (await openStore()).write(FOLDER, file, new Blob([findings]));
  } catch {
    // Nobody asked for it, and nothing is lost.
  }
}
