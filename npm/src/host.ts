// Holds the model and answers the page's calls. Runs inside the worker, or in the page itself when asked to.

import type { EngineFile, EngineInspection, EngineLoadOptions, EngineModel, StartEngine } from "./engine.ts";
import { aborted, QwillError, toQwillError } from "./errors.ts";
import { fromLocal, withFiles } from "./files.ts";
import { peekModel } from "./library.ts";
import { loadModel } from "./loading.ts";
import type { Protocol } from "./protocol.ts";
import { type Port, serve } from "./rpc.ts";
import { openStore } from "./store.ts";
import { gpuName, requireGpu } from "./webgpu.ts";

/** Answers the calls that come in through `port`. */
export function host(port: Port, startEngine: StartEngine): void {
  let model: EngineModel | undefined;
  let failure: QwillError | undefined;

  /** Runs `work` on the model. A lost device ends the model for good. */
  async function use<T>(work: (model: EngineModel) => T | Promise<T>): Promise<T> {
    if (failure) throw failure;
    if (!model) throw new QwillError("disposed", "The model was disposed of.");
    try {
      return await work(model);
    } catch (thrown) {
      const error = toQwillError(thrown);
      if (error.code === "device-lost") fail(error);
      throw failure ?? error;
    }
  }

  /** Runs `work` on one item after the other, as long as the caller wants it. */
  async function each<Item, T>(
    items: Item[],
    signal: AbortSignal,
    work: (model: EngineModel, item: Item) => Promise<T>,
  ): Promise<T[]> {
    const results = [];
    for (const item of items) {
      if (signal.aborted) throw aborted();
      results.push(await use((model) => work(model, item)));
    }
    return results;
  }

  function fail(error: QwillError): void {
    if (failure) return;
    failure = error;
    notify(error);
  }

  const notify = serve<Protocol>(port, {
    load: (args, context) =>
      loadModel(args, context, startEngine, {
        take(loaded) {
          model = loaded;
        },
        fail,
        lose(why) {
          if (model)
            fail(new QwillError("device-lost", `The GPU device was lost (${why}). Load the model again.`));
        },
      }),
    async plan({ source, options, wasmUrl, token }, { signal }) {
      const adapter = await requireGpu();
      const engine = await startEngine(wasmUrl, () => {});
      const inspect = async (files: EngineFile[], extra: EngineLoadOptions, downloadBytes: number) => {
        const inspection = named(adapter, await engine.inspect(files, { ...options, ...extra }));
        return { inspection, downloadBytes };
      };
      if ("random" in source) return inspect([], source, 0);
      const { name } = source;
      const local = source.local.map(fromLocal);
      if (!("remote" in source)) return inspect(local, { name }, 0);
      const peek = await peekModel(source.remote, { store: await openStore(), signal, token });
      return inspect([...local, ...peek.files], { name }, peek.missing);
    },
    chat: (request, { emit, signal }) =>
      use((model) =>
        model.chat(request, (event) => {
          if (!signal.aborted && event.type !== "token") emit(event);
          return !signal.aborted;
        }),
      ),
    eval: (cases, { signal }) => each(cases, signal, (model, item) => model.eval(item)),
    embed: (requests, { signal }) => each(requests, signal, (model, request) => model.embed(request)),
    rerank: (requests, { signal }) => each(requests, signal, (model, request) => model.rerank(request)),
    score: (request) => use((model) => model.score(request)),
    bench: (request) => use((model) => model.bench(request)),
    loadAdapter: ({ source, name, token }, { emit, signal }) =>
      use((model) =>
        withFiles(source, {
          signal,
          token,
          report: emit,
          use: (files) => model.loadAdapter(files, name),
          undo: () => model.unloadAdapter(name),
        }),
      ),
    async unloadAdapter(name) {
      await use((model) => model.unloadAdapter(name));
    },
    adapters: () => use((model) => model.adapters()),
    async selectAdapters(uses) {
      await use((model) => model.selectAdapters(uses));
    },
    tokenize: (text) => use((model) => model.tokenize(text)),
    async dispose() {
      const old = model;
      model = undefined;
      old?.free();
    },
  });
}

/** With a name for the device if the engine found none. */
function named(adapter: GPUAdapter, inspection: EngineInspection): EngineInspection {
  const { memory } = inspection;
  if (!memory.device) return inspection;
  const device = { ...memory.device, gpu: memory.device.gpu || gpuName(adapter) };
  return { ...inspection, memory: { ...memory, device } };
}
