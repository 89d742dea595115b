// Holds the model and answers the page's calls. Runs inside the worker, or in the page itself when asked to.

import type { Engine, EngineFile, EngineInspection, EngineLoadOptions, EngineModel } from "./engine.ts";
import { aborted, QwillError, toQwillError } from "./errors.ts";
import type { IncomingFile, RemoteFile } from "./incoming.ts";
import { openModel, type PeekOptions, peekModel } from "./library.ts";
import { progressReporter } from "./meter.ts";
import type { Protocol } from "./protocol.ts";
import { offeredSubgroups, withRequestDevice } from "./request-device.ts";
import { type Port, serve } from "./rpc.ts";
import type { LocalFile, SourceRef } from "./source.ts";
import { MemoryStore, openStore } from "./store.ts";
import { adapterName, requireAdapter } from "./webgpu.ts";

/** Fetches and starts the wasm module. `onPanic` hears of a fault in it, after which it must not be used. */
export type StartEngine = (
  wasmUrl: string | undefined,
  onPanic: (message: string) => void,
) => Promise<Engine>;

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
    async load({ source, options, wasmUrl, token }, { emit, signal }) {
      const adapter = await requireAdapter();
      const subgroups = offeredSubgroups(adapter, options.caps);
      const engine = await startEngine(wasmUrl, (message) =>
        fail(
          new QwillError(
            "internal",
            `A fault in qwill: ${message}. Please report it. Load the model again to go on.`,
          ),
        ),
      );
      let downloading = false;
      // What a read fails with says more than what the engine makes of it, and what the first download fails with
      // says more than that: it ends the others.
      let readError: unknown;
      let downloadError: unknown;
      // A load that fails has no use for the rest of its files.
      const downloads = new AbortController();
      const abort = () => downloads.abort();
      signal.addEventListener("abort", abort, { once: true });
      const openRemote = async (): Promise<IncomingFile[]> => {
        if (!("remote" in source)) return [];
        const store = source.storage === "none" ? new MemoryStore() : await openStore();
        const report = progressReporter(emit);
        const from = { store, signal: downloads.signal, token };
        const found = await checkFirst(engine, source, from, options);
        const onProgress = (received: number, total: number) => {
          const before = downloading;
          downloading = received < total || total === 0;
          if (before || downloading) report(received, total);
        };
        return openModel(source.remote, { ...from, onProgress }, found);
      };
      try {
        const remote = await openRemote();
        for (const { finished } of remote) {
          finished.catch((error: unknown) => {
            downloadError ??= error;
          });
        }
        const files: EngineFile[] = "random" in source ? [] : [...source.local.map(fromLocal), ...remote];
        const watched = files.map((file) => ({
          name: file.name,
          size: file.size,
          read: (offset: number, length: number) =>
            file.read(offset, length).catch((error: unknown) => {
              readError = error;
              throw error;
            }),
        }));
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
              ...("random" in source ? { random: source.random } : { name: source.name }),
            };
            return engine.load(watched, { ...options, ...extra }, (loaded, total) => {
              // While files come in, their arrival is the progress; the upload keeps pace with it.
              if (!downloading) emit({ stage: "load", loaded, total });
              return !signal.aborted;
            });
          },
        );
        // A checksum is known at the end only, and a model that fails it must not be used.
        await Promise.all(remote.map((file) => file.finished));
      } catch (error) {
        abort();
        model?.free();
        model = undefined;
        throw signal.aborted ? aborted() : (downloadError ?? readError ?? error);
      }
      if (signal.aborted) {
        model.free();
        throw aborted();
      }
      const info = model.info();
      return { ...info, adapter: info.adapter || adapterName(adapter) };
    },
    async plan({ source, options, wasmUrl, token }, { signal }) {
      const adapter = await requireAdapter();
      const engine = await startEngine(wasmUrl, () => {});
      if ("random" in source) return named(adapter, await engine.inspect([], { ...options, ...source }));
      const local = source.local.map(fromLocal);
      const settings = { ...options, name: source.name };
      if (!("remote" in source)) return named(adapter, await engine.inspect(local, settings));
      const peek = await peekModel(source.remote, { store: await openStore(), signal, token });
      return named(adapter, await engine.inspect([...local, ...peek.files], settings));
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
  const device = { ...memory.device, adapter: memory.device.adapter || adapterName(adapter) };
  return { ...inspection, memory: { ...memory, device } };
}

/** Less than this is there as soon as its headers are. */
const WORTH_A_CHECK = 64 << 20;

/** Nobody should wait for a download that ends in a refusal. Returns the model's files if they became known. */
async function checkFirst(
  engine: Engine,
  source: Extract<SourceRef, { remote: unknown }>,
  from: PeekOptions,
  options: EngineLoadOptions,
): Promise<RemoteFile[] | undefined> {
  // Of bare addresses nobody knows the sizes; their headers come first in any case.
  if (!("hub" in source.remote)) return undefined;
  const peek = await peekModel(source.remote, from);
  if (peek.missing < WORTH_A_CHECK) return peek.all;
  const files = [...source.local.map(fromLocal), ...peek.files];
  await engine.check(files, { ...options, name: source.name }).catch((thrown: unknown) => {
    // Loading says whatever else is wrong.
    const error = toQwillError(thrown);
    if (error.code === "out-of-memory") throw error;
  });
  return peek.all;
}

function fromLocal({ name, blob }: LocalFile): EngineFile {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      try {
        return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
      } catch (error) {
        const message = `${name} cannot be read any more; was it moved, changed or deleted?`;
        throw new QwillError("file-not-found", message, { cause: error });
      }
    },
  };
}
