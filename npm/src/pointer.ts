// Pointers of Git LFS: what some servers have in place of large files.

import { QwillError } from "./errors.ts";

/** Pointers are smaller than this, by their specification. */
const LARGEST = 1024;
const POINTER = /^version https:\/\/(git-lfs|hawser)\.github\.com\/spec\//;

/** Throws if what came from `url` is a pointer and not the file that it stands for. */
export async function refusePointer(url: string, come: Blob): Promise<void> {
  if (come.size === 0 || come.size >= LARGEST || !POINTER.test(await come.text())) return;
  throw new QwillError(
    "invalid-file",
    `${url} is a Git LFS pointer and not the file that it stands for: the server has the repository without its large ` +
      "files. Load the model from the hub, or from another mirror.",
  );
}
