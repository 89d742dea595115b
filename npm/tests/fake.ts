// A GPU and an engine that exist only as far as the tests look.

import { vi } from "vitest";
import type { Decision } from "../src/decisions.ts";
import type {
  BenchReport,
  Engine,
  EngineAdapter,
  EngineFile,
  EngineInspection,
  EngineMemory,
  EngineModel,
} from "../src/engine.ts";
import type {
  EngineChatEvent,
  EngineReplies,
  EngineReply,
  EngineSession,
  EngineToolCall,
} from "../src/engine-chat.ts";
import { host } from "../src/host.ts";
import type { SystemOneReply } from "../src/system-one.ts";
import { fakeSession, type Reporting } from "./fake-session.ts";

export class FakeAdapter {
  features = new Set(["subgroups"]);
  info = { vendor: "acme", architecture: "rocket", description: "", subgroupMinSize: 4, subgroupMaxSize: 64 };
  devices: FakeDevice[] = [];
  requested: GPUDeviceDescriptor[] = [];

  async requestDevice(descriptor: GPUDeviceDescriptor): Promise<FakeDevice> {
    this.requested.push(descriptor);
    const device = new FakeDevice();
    this.devices.push(device);
    return device;
  }
}

export class FakeDevice {
  lose: (info: { reason: string; message: string }) => void = () => {};
  destroyed = false;
  lost = new Promise<{ reason: string; message: string }>((resolve) => {
    this.lose = resolve;
  });

  destroy(): void {
    this.destroyed = true;
  }
}

/** Puts a browser with WebGPU around the test. */
export function fakeBrowser(): FakeAdapter {
  const adapter = new FakeAdapter();
  vi.stubGlobal("GPUAdapter", FakeAdapter);
  vi.stubGlobal("navigator", {
    userAgent: "Mozilla/5.0 (X11) Gecko/20100101 Firefox/153.0",
    gpu: { requestAdapter: async () => adapter },
  });
  vi.stubGlobal("isSecureContext", true);
  vi.stubGlobal("location", new URL("https://example.test/app/"));
  return adapter;
}

const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

/** Streams `events` of each choice, a tick each, then replies; a signal ends it between two of them. */
export class FakeEngine implements Engine {
  /** What the self-test finds. */
  findings = "2 right";
  events: EngineChatEvent[] = ["Hel", "lo"].map((text) => ({ type: "content", text }));
  reply: Partial<EngineReply> = {};
  contextExtension: string | null = null;
  adapters: EngineAdapter[] = [];
  /** What `load`, `chat` and the calls for numbers throw. */
  loadError: unknown;
  chatError: unknown;
  pooledError: unknown;
  /** The most calls for numbers that ran at a time. */
  most = 0;
  #busy = 0;
  /** What `decide` gives. */
  decision: Pick<Decision, "answers"> = { answers: [] };
  /** What `systemOne` gives. */
  systemOne: SystemOneReply = { model: "tiny", answers: {}, usage: { input_tokens: 0, output_tokens: 0 } };
  /** The arguments of the calls for numbers. */
  requests: unknown[] = [];
  /** Reports a fault in the engine. */
  panic: (message: string) => void = () => {};
  /** Conversations that were not freed. */
  sessions = new Set<EngineSession>();
  /** Everything that happened, in order. */
  log: string[] = [];
  /** The arguments of the last load and chat. */
  last: Record<string, unknown> = {};

  /** What the engine says of a model's memory. */
  memory: EngineMemory = {
    context_length: 8192,
    prefill_chunk: 512,
    kv_type: "f16",
    weights_bytes: 100,
    cache_bytes: 20,
    activation_bytes: 3,
    expert_bytes: 0,
    output_bytes: 2,
    steering_bytes: 4,
    total_bytes: 130,
    device: {
      gpu: "",
      max_buffer_bytes: 1000,
      max_binding_bytes: 500,
      room: { kind: "at-least", bytes: 1000 },
    },
    fit: { verdict: "fits" },
    obstacle: null,
  };
  checkError: unknown;

  onPanic(listener: (message: string) => void): () => void {
    this.panic = listener;
    return () => {
      this.panic = () => {};
    };
  }

  memoryBytes(): number {
    return 1 << 20;
  }

  async inspect(...[files, options]: Parameters<Engine["inspect"]>): Promise<EngineInspection> {
    this.last.options = options;
    await this.#readHeaders("inspect", files);
    const { memory } = this;
    return { name: "fake", architecture: "qwen3", n_params: 7, model_context_length: 32768, memory };
  }

  async check(...[files, options]: Parameters<Engine["check"]>): Promise<void> {
    this.last.options = options;
    await this.#readHeaders("check", files);
    if (this.checkError) throw this.checkError;
  }

  async #readHeaders(what: string, files: EngineFile[]): Promise<void> {
    for (const file of files) {
      const text = async (at: number, n: number) => new TextDecoder().decode(await file.read(at, n));
      this.log.push(`${what} ${file.name} ${await text(0, 4)} ${await text(4, 2)}`);
    }
  }

  async load(...[files, options, onProgress, grammarUrl]: Parameters<Engine["load"]>): Promise<EngineModel> {
    this.log.push("load");
    this.last.files = files.map(({ name, size }) => ({ name, size }));
    this.last.options = options;
    this.last.grammarUrl = grammarUrl;
    await (await navigator.gpu.requestAdapter())?.requestDevice({ label: options.device_label ?? "" });
    const total = files.reduce((sum, file) => sum + file.size, 0);
    let done = 0;
    for (const file of files) {
      const read = (offset: number) =>
        file.read(offset, Math.min(4, file.size)).catch(() => {
          throw Object.assign(new Error(`${file.name} cannot be read`), { code: "invalid-file" });
        });
      const first = new TextDecoder().decode(await read(0));
      await read(Math.max(0, file.size - 4));
      this.log.push(`read ${file.name} ${first}`);
      done += file.size;
      if (!onProgress(done, total)) throw Object.assign(new Error("stopped"), { code: "aborted" });
    }
    if (this.loadError) throw this.loadError;
    return this.#model();
  }

  async #loadAdapter(files: EngineFile[], name: string): Promise<EngineAdapter> {
    const adapter = { name, n_params: 5, device_bytes: 20 };
    for (const file of files) await file.read(0, file.size);
    this.log.push(`adapter ${name} of ${files.map((file) => file.name)}`);
    this.adapters.push(adapter);
    return adapter;
  }

  /** A call with numbers for a result. */
  async #start(method: string, request: unknown, signal: AbortSignal): Promise<void> {
    this.most = Math.max(this.most, ++this.#busy);
    await tick();
    this.#busy -= 1;
    if (signal.aborted) throw Object.assign(new Error("stopped"), { code: "aborted" });
    this.log.push(method);
    this.requests.push(request);
    if (this.pooledError) throw this.pooledError;
  }

  async #reply(n_choices: number, ...[onEvent, signal]: Reporting): Promise<EngineReplies> {
    this.log.push("chat");
    if (this.chatError) throw this.chatError;
    const indices = [...Array(n_choices).keys()];
    let finish_reason: EngineReply["finish_reason"] = "stop";
    let n = 0;
    for (const event of this.events) {
      await tick();
      if (signal.aborted) break;
      n += 1;
      for (const index of indices) onEvent({ index, ...event });
      if (event.type === "tool_call_delta") finish_reason = "tool_calls";
    }
    this.log.push(`chat ended after ${n}`);
    const reasoning_tokens = this.events.slice(0, n).filter(({ type }) => type === "reasoning").length;
    const usage = { prompt_tokens: 3, completion_tokens: n, cached_tokens: 1, reasoning_tokens };
    const reply: EngineReply = {
      text: this.events
        .map((event) => ("text" in event && event.type !== "reasoning" ? event.text : ""))
        .join(""),
      reasoning: this.events.map((event) => (event.type === "reasoning" ? event.text : "")).join(""),
      tool_calls: this.#calls(),
      finish_reason,
      ids: [],
      usage,
      timings: { load_ms: 9, prefill_ms: 1, prefill_tps: 3000, decode_ms: 2, decode_tps: 500 },
      ...this.reply,
    };
    const others = indices.slice(1).map(() => reply);
    return { choices: [reply, ...others], usage: { ...usage, completion_tokens: n * indices.length } };
  }

  /** What the parts of calls come to. */
  #calls(): EngineToolCall[] {
    const calls: EngineToolCall[] = [];
    for (const event of this.events) {
      if (event.type !== "tool_call_delta") continue;
      const { name, arguments: more } = event;
      const last = calls.at(-1);
      if (name !== undefined) calls.push({ name, arguments: more });
      else if (last) last.arguments += more;
    }
    return calls;
  }

  #session(messages: unknown[]): EngineSession {
    return fakeSession(messages, this.sessions, (...call) => this.#reply(1, ...call));
  }

  #model(): EngineModel {
    return {
      info: () => ({
        architecture: "qwen3",
        name: "fake",
        gpu: "",
        backend: "webgpu",
        context_length: 4096,
        model_context_length: 32768,
        context_extension: this.contextExtension,
        n_params: 7,
        weights_bytes: 14,
        device_bytes: 28,
        capabilities: "f16 no",
        self_test: { right: 2, wrong: [] },
      }),
      findings: () => this.findings,
      chat: (request, onEvent, signal) => {
        this.last.request = request;
        return this.#reply(request.n ?? 1, onEvent, signal);
      },
      session: (request) => {
        this.last.session = request;
        return this.#session(request.messages);
      },
      restore: async (file) => {
        const saved = new TextDecoder().decode(file);
        if (!saved.startsWith("[")) throw Object.assign(new Error("no session"), { code: "invalid-request" });
        return this.#session(JSON.parse(saved));
      },
      embed: async (request, signal) => {
        await this.#start("embed", request, signal);
        return Float32Array.of(request.text.length, 0, 1).slice(0, request.dimensions);
      },
      rerank: async (request, signal) => {
        await this.#start("rerank", request, signal);
        return request.document.length / 10;
      },
      score: async (request, signal) => {
        await this.#start("score", request, signal);
        return { last: [0.5], tokens: null, steps: [0.25, 0.75] };
      },
      systemOne: async (request, signal) => {
        await this.#start("systemOne", request, signal);
        return this.systemOne;
      },
      decide: async (request, signal) => {
        await this.#start("decide", request, signal);
        return this.decision as Decision;
      },
      eval: async ({ name, ids, pooled }) => ({
        name,
        n: ids.length,
        nll: [],
        perplexity: null,
        top_logprobs: [],
        greedy: [],
        logits: new Float32Array([0.5, 0.25]),
        embedding: Float32Array.from(pooled === "embedding" ? [0.6, 0.8] : []),
        scores: pooled === "score" ? { last: [0.5], tokens: [[0.25], [0.5]], steps: null } : null,
      }),
      bench: async ({ parallel = [] }) => {
        const spread = (median: number) => ({ median, min: 0, max: 9 });
        const run = { depth: 0, prefill_tps: spread(2), ttft_ms: spread(1), decode_tps: spread(3) };
        const all = parallel.map((n_texts) => ({
          n_texts,
          decode_tps: spread(3 * n_texts),
          ttft_ms: { median: 1, p95: n_texts },
        }));
        return { results: [run], parallel: all, gpu: "fake" } as unknown as BenchReport;
      },
      tokenize: (text) => ({ ids: [...text].map((c) => c.charCodeAt(0)), tokens: [...text] }),
      loadAdapter: (files, name) => this.#loadAdapter(files, name),
      unloadAdapter: async (name) => {
        const message = `there is no adapter "${name}"`;
        const at = this.adapters.findIndex((adapter) => adapter.name === name);
        if (at < 0) throw Object.assign(new Error(message), { code: "invalid-request" });
        this.adapters.splice(at, 1);
      },
      adapters: () => [...this.adapters],
      selectAdapters: (uses) => {
        this.last.selected = uses;
      },
      free: () => this.log.push("free"),
    };
  }
}

/** A worker that hosts `engine`, as far as the package can tell. */
export function fakeWorker(engine: Engine): Worker & { terminated: boolean } {
  const { port1, port2 } = new MessageChannel();
  host(port2, async () => engine);
  return Object.assign(port1, {
    terminated: false,
    onerror: null,
    terminate() {
      port1.close();
      this.terminated = true;
    },
  }) as unknown as Worker & { terminated: boolean };
}
