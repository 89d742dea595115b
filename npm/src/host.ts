// Holds the model and answers the page's calls. Runs inside the worker, or in the page itself when asked to.

import type { EngineFile, EngineInspection, EngineLoadOptions, EngineModel, StartEngine } from "./engine.ts";
import { aborted, QwillError, toQwillError } from "./errors.ts";
import { fromLocal, withFiles } from "./files.ts";
import { HeldSessions } from "./held-sessions.ts";
import { peekModel } from "./library.ts";
import { loadModel } from "./loading.ts";
import { paired } from "./pairing.ts";
import type { Protocol } from "./protocol.ts";
import { type Port, serve } from "./rpc.ts";
import { openStore } from "./store.ts";
import { gpuName, requireGpu } from "./webgpu.ts";

/** Items of one call that run at a time: some of the sequences that a model runs together are left to other calls. */
const AT_A_TIME = 4;

/** Answers the calls that come in through `port`. */
export function host(port: Port, startEngine: StartEngine): void {
  let model: EngineModel | undefined;
  let failure: QwillError | undefined;
  const sessions = new HeldSessions();
  /** Calls that use the model. */
  const running = new Set<Promise<unknown>>();
  /** Who hears of a lost device. */
  const onLost = new Set<(reason: string) => void>();
  let endWatch = () => {};

  /** Runs `work` on the model. A device that is lost and cannot be had back ends the model for good. */
  async function use<T>(work: (model: EngineModel) => T | Promise<T>): Promise<T> {
    if (failure) throw failure;
    if (!model) throw new QwillError("disposed", "The model was disposed of.");
    const started = (async (model: EngineModel) => work(model))(model);
    running.add(started);
    try {
      return await started;
    } catch (thrown) {
      const error = toQwillError(thrown);
      if (error.code === "device-lost") fail(error);
      throw failure ?? error;
    } finally {
      running.delete(started);
    }
  }

  /** Runs `work` on `atATime` items together, as long as the caller wants it and none fails. */
  async function each<Item, T>(
    items: Item[],
    atATime: number,
    signal: AbortSignal,
    work: (model: EngineModel, item: Item, signal: AbortSignal) => Promise<T>,
  ): Promise<T[]> {
    const results: T[] = [];
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const left = items.entries();
    const lane = async () => {
      for (const [index, item] of left) {
        if (either.aborted) throw aborted();
        results[index] = await use((model) => work(model, item, either));
      }
    };
    try {
      await Promise.all(Array.from({ length: Math.min(atATime, items.length) }, lane));
    } finally {
      stop.abort();
    }
    return results;
  }

  function fail(error: QwillError): void {
    if (failure) return;
    failure = error;
    notify(error);
  }

  /** Frees the model when nothing uses it any more. */
  async function free(): Promise<void> {
    const old = model;
    model = undefined;
    // After a fault calls may never end.
    if (!failure) await Promise.allSettled(running);
    sessions.endAll();
    old?.free();
    endWatch();
  }

  const notify = serve<Protocol>(port, {
    load: (args, context) =>
      loadModel(args, context, startEngine, {
        take(loaded, end) {
          model = loaded;
          endWatch = end;
        },
        giveUp: free,
        fail,
        lose(reason) {
          if (!model) return;
          for (const listener of onLost) listener(reason);
        },
      }),
    async plan({ source, options, wasmUrl, token }, { signal }) {
      const adapter = await requireGpu();
      const engine = await startEngine(wasmUrl);
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
      use((model) => paired(unlessAborted(emit, signal), (hear) => model.chat(request, hear, signal))),
    session: (request) => use((model) => sessions.add(model.session(request))),
    restoreSession: (file) =>
      use(async (model) => sessions.add(await model.restore(new Uint8Array(await file.arrayBuffer())))),
    forkSession: (id) => use(async () => sessions.add(await sessions.use(id, (session) => session.fork()))),
    replyInSession: ({ id, added }, { emit, signal }) =>
      use(() => paired(unlessAborted(emit, signal), (hear) => sessions.reply(id, added, hear, signal))),
    pushToSession: ({ id, added }) => use(() => sessions.edit(id, (session) => session.push(added))),
    rewindSession: ({ id, n }) => use(() => sessions.edit(id, (session) => session.rewind(n))),
    undoInSession: (id) => use(() => sessions.edit(id, (session) => session.undo())),
    saveSession: (id) => use(async () => new Blob([await sessions.use(id, (session) => session.save())])),
    async endSession(id) {
      await use(() => sessions.end(id));
    },
    // The logits of a long case are large: one at a time.
    eval: (cases, { signal }) => each(cases, 1, signal, (model, ...call) => model.eval(...call)),
    embed: (texts, { signal }) => each(texts, AT_A_TIME, signal, (model, ...call) => model.embed(...call)),
    rerank: (pairs, { signal }) => each(pairs, AT_A_TIME, signal, (model, ...call) => model.rerank(...call)),
    score: (request, { signal }) => use((model) => model.score(request, signal)),
    decide: (request, { signal }) => use((model) => model.decide(request, signal)),
    systemOne: (request, { signal }) => use((model) => model.systemOne(request, signal)),
    bench: (request, { signal }) => use((model) => model.bench(request, signal)),
    loadAdapter: ({ source, name, token }, { emit, signal }) =>
      use((model) =>
        withFiles(source, {
          signal,
          token,
          report: emit,
          async use(files, { whole }) {
            // Requests wait while the engine reads; they should not wait for a download.
            await whole();
            return model.loadAdapter(files, name);
          },
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
    rebuilds: (_, { emit, signal }) =>
      new Promise((_, reject) => {
        onLost.add(emit);
        signal.addEventListener("abort", () => {
          onLost.delete(emit);
          reject(aborted());
        });
      }),
    async dispose() {
      await free();
    },
  });
}

/** Tells nothing any more to a caller who has heard enough. */
function unlessAborted<Event>(emit: (event: Event) => void, signal: AbortSignal): (event: Event) => void {
  return (event) => {
    if (!signal.aborted) emit(event);
  };
}

/** With a name for the device if the engine found none. */
function named(adapter: GPUAdapter, inspection: EngineInspection): EngineInspection {
  const { memory } = inspection;
  if (!memory.device) return inspection;
  const device = { ...memory.device, gpu: memory.device.gpu || gpuName(adapter) };
  return { ...inspection, memory: { ...memory, device } };
}
