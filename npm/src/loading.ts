// The worker's half of `load`: the device, the wasm module, and the model's files on their way from one to the other.

import type { Engine, EngineLoadOptions, EngineModel, StartEngine } from "./engine.ts";
import { QwillError, toQwillError } from "./errors.ts";
import { fromLocal, type RemoteSource, withFiles } from "./files.ts";
import { findingsFile, keepFindings, readFindings } from "./findings.ts";
import { type PeekOptions, peekModel } from "./library.ts";
import type { LoadArgs, LoadProgress, LoadResult, RemoteFile, SourceRef } from "./protocol.ts";
import { offeredSubgroups, watchDevices } from "./request-device.ts";
import type { CallContext } from "./rpc.ts";
import { gpuName, requireGpu } from "./webgpu.ts";

/** Who owns the model that is loaded. */
export interface Owner {
  /** A model is there; `end` is for when it is no longer. */
  take: (model: EngineModel, end: () => void) => void;
  /** Its files turned out to be wrong after it was loaded. */
  giveUp: () => void;
  /** Ends it for good, whether a model is there yet or not. */
  fail: (error: QwillError) => void;
  /** Hears that the device was lost, and why. */
  lose: (why: string) => void;
}

/** Loads a model for its owner. */
export async function loadModel(
  { source, options, wasmUrl, grammarUrl, token }: LoadArgs,
  { emit, signal }: CallContext<LoadProgress>,
  startEngine: StartEngine,
  owner: Owner,
): Promise<LoadResult> {
  const adapter = await requireGpu();
  const subgroups = offeredSubgroups(adapter, options.caps);
  const engine = await startEngine(wasmUrl);
  const endListening = engine.onPanic((message) =>
    owner.fail(
      new QwillError(
        "internal",
        `A fault in qwill: ${message}. Please report it. Load the model again to go on.`,
      ),
    ),
  );
  const kept = options.self_test === "off" ? undefined : await findingsFile(adapter, options.caps);
  const findings = kept && (await readFindings(kept));
  const watch = watchDevices({ subgroups: subgroups !== undefined, onLost: owner.lose });
  const end = () => {
    watch.end();
    endListening();
  };
  const all = {
    ...options,
    device_label: watch.label,
    ...(subgroups && { web_subgroups: subgroups }),
    ...(findings && { findings }),
    ...nameOf(source),
  };
  const model = await withFiles(source, {
    signal,
    token,
    find: (remote, from) => checkFirst(engine, remote, from, options),
    report: emit,
    async use(files, { isComing }) {
      const report = (loaded: number, total: number) => {
        // While files come in, their arrival is the progress; the upload keeps pace with it.
        if (!isComing()) emit({ stage: "load", loaded, total });
        return !signal.aborted;
      };
      const loaded = await engine.load(files, all, report, grammarUrl);
      owner.take(loaded, end);
      return loaded;
    },
    undo: owner.giveUp,
  }).catch((error: unknown) => {
    end();
    throw error;
  });
  if (kept) {
    const found = model.findings();
    if (found !== findings) await keepFindings(kept, found);
  }
  const info = model.info();
  return { ...info, gpu: info.gpu || gpuName(adapter), host_bytes: engine.memoryBytes() };
}

/** What the engine is to make, or what to call it if its files do not say. */
function nameOf(source: SourceRef): EngineLoadOptions {
  return "random" in source ? { random: source.random } : { name: source.name };
}

/** Less than this is there as soon as its headers are. */
const WORTH_A_CHECK = 64 << 20;

/** Nobody should wait for a download that ends in a refusal. Returns the model's files if they became known. */
async function checkFirst(
  engine: Engine,
  source: RemoteSource,
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
