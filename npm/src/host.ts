// Holds the model and answers the page's calls. Runs inside the worker, or in the page itself when asked to.

import { download } from "./download.ts";
import type { Engine, EngineFile, EngineModel } from "./engine.ts";
import { aborted, QwillError, toQwillError } from "./errors.ts";
import type { Protocol } from "./protocol.ts";
import { offeredSubgroups, withRequestDevice } from "./request-device.ts";
import { type Port, serve } from "./rpc.ts";
import type { FileRef } from "./source.ts";
import { adapterName, requireAdapter } from "./webgpu.ts";

/** `startEngine` is called once, when a model is loaded: it fetches and starts the wasm module. */
export function host(port: Port, startEngine: (wasmUrl?: string) => Promise<Engine>): void {
  let model: EngineModel | undefined;
  let failure: QwillError | undefined;

  /** Runs `work` on the model. A lost device or a panic ends the model for good. */
  async function use<T>(work: (model: EngineModel) => T | Promise<T>): Promise<T> {
    if (failure) throw failure;
    if (!model) throw new QwillError("disposed", "The model was disposed of.");
    try {
      return await work(model);
    } catch (thrown) {
      const error = toQwillError(thrown);
      if (error.code === "device-lost" || thrown instanceof WebAssembly.RuntimeError) fail(error);
      throw failure ?? error;
    }
  }

  function fail(error: QwillError): void {
    if (failure) return;
    failure = error;
    notify(error);
  }

  const notify = serve<Protocol>(port, {
    async load({ source, options, wasmUrl }, { emit, signal }) {
      const adapter = await requireAdapter();
      const subgroups = offeredSubgroups(adapter, options.caps);
      const engine = await startEngine(wasmUrl);
      let downloading = false;
      const remote = new Map<string, { loaded: number; total: number }>();
      const open = (file: FileRef): Promise<EngineFile> => {
        if ("blob" in file) return Promise.resolve(fromBlob(file.name, file.blob));
        downloading = true;
        return download(file.url, file.name, {
          signal,
          onProgress(received, total = 0) {
            remote.set(file.url, { loaded: received, total });
            let [loaded, all] = [0, 0];
            for (const state of remote.values()) {
              loaded += state.loaded;
              all += state.total;
            }
            downloading = loaded < all;
            emit({ stage: "download", loaded, total: all });
          },
        });
      };
      try {
        const files = "random" in source ? [] : await Promise.all(source.files.map(open));
        model = await withRequestDevice(
          {
            subgroups: subgroups !== undefined,
            onDevice: (device) =>
              device.lost.then(({ reason, message }) => {
                const why = message || reason || "no reason was given";
                if (model)
                  fail(
                    new QwillError("device-lost", `The GPU device was lost (${why}). Load the model again.`),
                  );
              }),
          },
          () => {
            const extra = {
              ...(subgroups && { web_subgroups: subgroups }),
              ...("random" in source && { random: source.random }),
            };
            return engine.load(files, { ...options, ...extra }, ({ stage, bytes_done, bytes_total }) => {
              // While files come in, their arrival is the progress; the upload keeps pace with it.
              if (!downloading) emit({ stage, loaded: bytes_done, total: bytes_total });
            });
          },
        );
      } catch (error) {
        throw signal.aborted ? aborted() : error;
      }
      if (signal.aborted) {
        model.free();
        throw aborted();
      }
      const info = model.info();
      return { ...info, adapter: info.adapter || adapterName(adapter) };
    },
    chat: (request, { emit, signal }) =>
      use((model) =>
        model.chat(request, (event) => {
          if (!signal.aborted) emit(event);
          return !signal.aborted;
        }),
      ),
    eval: (request) => use((model) => model.eval(request)),
    bench: (request) => use((model) => model.bench(request)),
    tokenize: (text) => use((model) => model.tokenize(text)),
    async dispose() {
      const old = model;
      model = undefined;
      old?.free();
    },
  });
}

function fromBlob(name: string, blob: Blob): EngineFile {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (error) {
        const message = `${name} cannot be read any more; was it moved, changed or deleted?`;
        throw new QwillError("missing-file", message, { cause: error });
      }
    },
  };
}
