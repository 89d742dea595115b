// How this package's WebAssembly modules are fetched.

import { QwillError } from "./errors.ts";

/** A module, as people know it. */
export interface ModuleFile {
  /** Its name in the folder `wasm` of the npm package. */
  file: string;
  /** The option of `load` that says where it lies. */
  option: string;
}

/** Fetches and starts a module. The error that this may end in says what to do. */
export async function startModule<T>(
  init: (options: { module_or_path: Response }) => Promise<T>,
  url: string,
  { file, option }: ModuleFile,
): Promise<T> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`the server answered ${response.status} ${response.statusText}`.trim());
    return await init({ module_or_path: response });
  } catch (error) {
    const message =
      `qwill's WebAssembly module could not be started from ${url} (${(error as Error).message}). It is the ` +
      `file wasm/${file} of the npm package: copy it to that address, or say where it lies with ` +
      `load(source, { ${option} }). The README's "Bundlers" has recipes.`;
    throw new QwillError("network", message, { cause: error });
  }
}
