// Conversations that go on: what is asked of them, in which order, and what is freed.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ChatMessage, load, type Model, type SessionRequest, sessions } from "../src/index.ts";
import { fileOf } from "../src/saved-sessions.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

let engine: FakeEngine;
let model: Model;
const system: ChatMessage = { role: "system", content: "Be brief." };

beforeEach(async () => {
  fakeBrowser();
  engine = new FakeEngine();
  model = await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const la = (n: number) => Array.from({ length: n }, () => ({ type: "content" as const, text: "la" }));
const contents = (messages: readonly ChatMessage[]) => messages.map(({ content }) => content);

test("turns add to the messages, whole or streamed, in the shapes of chats", async () => {
  const session = await model.session({ messages: [system], temperature: 0, stop: "END", logprobs: true });
  expect(engine.last.session).toEqual({ messages: [system], temperature: 0, stop: ["END"], logprobs: true });
  expect(session.messages).toEqual([system]);
  const reply = await session.say("One.");
  expect(reply).toMatchObject({ object: "chat.completion", choices: [{ message: { content: "Hello" } }] });
  expect(contents(session.messages)).toEqual(["Be brief.", "One.", "Hello"]);
  await session.push({ role: "tool", content: [{ type: "text", text: "12:00" }] });
  const stream = await session.reply({ stream: true, stream_options: { include_usage: true } });
  let text = "";
  let usage: unknown;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    usage = chunk.usage;
  }
  expect([text, usage]).toMatchObject(["Hello", { total_tokens: 5 }]);
  expect(contents(session.messages)).toEqual([
    "Be brief.",
    "One.",
    "Hello",
    [{ type: "text", text: "12:00" }],
    "Hello",
  ]);
});

test("forks part, and messages are forgotten", async () => {
  const session = await model.session();
  expect(session.messages).toEqual([]);
  await session.say("One.");
  const fork = await session.fork();
  await Promise.all([session.say("Two."), fork.say("Other.")]);
  expect(contents(session.messages)).toEqual(["One.", "Hello", "Two.", "Hello"]);
  expect(contents(fork.messages)).toEqual(["One.", "Hello", "Other.", "Hello"]);
  expect(await session.undo()).toBe(true);
  await fork.rewind(1);
  expect([session.messages.length, fork.messages.length]).toEqual([2, 1]);
  expect([await session.undo(), await session.undo()]).toEqual([true, false]);
});

test("what is asked of a session is done in order", async () => {
  const session = await model.session();
  const [, , fork] = await Promise.all([
    session.say("One."),
    session.say("Two."),
    session.fork(),
    session.undo(),
    session.say("Three."),
  ]);
  expect(contents(fork.messages)).toEqual(["One.", "Hello", "Two.", "Hello"]);
  expect(contents(session.messages)).toEqual(["One.", "Hello", "Three.", "Hello"]);
});

test("a turn that is aborted while it waits for others waits no longer", async () => {
  const session = await model.session();
  engine.events = la(1000);
  const busy = await session.say("One.", { stream: true });
  await expect(session.say("Two.", { signal: AbortSignal.timeout(5) })).rejects.toMatchObject({
    code: "aborted",
  });
  expect(engine.log).not.toContainEqual(expect.stringContaining("ended"));
  busy.stop();
  await session.say("Three.", { signal: AbortSignal.timeout(20) }).catch(() => {});
  expect(contents(session.messages)[0]).toBe("One.");
  expect(session.messages).toHaveLength(2);
});

test("an aborted turn leaves the conversation as it was, a stopped one stays", async () => {
  const session = await model.session();
  await session.say("One.");
  engine.events = la(1000);
  const controller = new AbortController();
  const stream = await session.say("Two.", { stream: true, signal: controller.signal });
  const loop = (async () => {
    for await (const _ of stream) controller.abort("enough");
  })();
  await expect(loop).rejects.toMatchObject({ code: "aborted", cause: "enough" });
  expect(engine.log.at(-1)).toMatch(/chat ended after \d{1,2}$/);
  expect(contents(session.messages)).toEqual(["One.", "Hello"]);
  const whole = session.say("Two.", { signal: AbortSignal.timeout(5) });
  await expect(whole).rejects.toMatchObject({ code: "aborted" });
  await expect(session.say("Two.", { signal: controller.signal })).rejects.toMatchObject({ code: "aborted" });
  expect(contents((await session.fork()).messages)).toEqual(["One.", "Hello"]);

  const stopped = await session.say("Three.", { stream: true });
  for await (const chunk of stopped) if (chunk.choices[0]?.delta.content === "la") stopped.stop();
  expect(contents(session.messages).slice(0, 3)).toEqual(["One.", "Hello", "Three."]);
  expect(session.messages).toHaveLength(4);

  engine.chatError = Object.assign(new Error("too long"), { code: "prompt-too-long" });
  await expect(session.say("Four.")).rejects.toMatchObject({ code: "prompt-too-long" });
  expect(session.messages).toHaveLength(4);
  expect((await session.fork()).messages).toHaveLength(4);
});

test("what is disposed of is freed, what is not goes with the model", async () => {
  const session = await model.session();
  const fork = await session.fork();
  await fork.say("One.");
  expect(engine.sessions.size).toBe(2);
  await session.dispose();
  await session.dispose();
  expect(engine.sessions.size).toBe(1);
  await expect(session.say("One.")).rejects.toMatchObject({ code: "disposed" });

  fakeBrowser();
  const inline = fakeWorker(engine);
  const other = await load(new File(["GGUF"], "tiny.gguf"), { worker: inline });
  const left = await other.session();
  inline.postMessage({ id: 77, method: "dispose" });
  await vi.waitFor(() => expect(engine.log.at(-1)).toBe("free"));
  expect(engine.sessions.size).toBe(1);
  await left.dispose();
});

test("sessions are saved to bytes and restored from them", async () => {
  const session = await model.session();
  await session.say("One.");
  const saved = await session.save();
  for (const from of [saved, await saved.arrayBuffer(), new Uint8Array(await saved.arrayBuffer())]) {
    const restored = await model.restoreSession(from);
    await restored.say("Two.");
    expect(contents(restored.messages)).toEqual(["One.", "Hello", "Two.", "Hello"]);
  }
  const refused = model.restoreSession(new Blob(["?"]));
  await expect(refused).rejects.toMatchObject({ code: "invalid-request", message: "no session" });
});

test("sessions are kept under names", async () => {
  const cache = new Map<string, Response>();
  vi.stubGlobal("caches", {
    open: async () => ({
      match: async (at: string | Request) => cache.get(typeof at === "string" ? at : at.url)?.clone(),
      put: async (url: string, response: Response) => cache.set(url, response),
      delete: async (at: string | Request) => cache.delete(typeof at === "string" ? at : at.url),
      keys: async () => [...cache.keys()].map((url) => new Request(url)),
    }),
  });
  const session = await model.session();
  await session.say("One.");
  const file = await session.save("ada/1: ä?");
  await session.save("b");
  expect(await sessions.list()).toEqual([
    { name: "ada/1: ä?", bytes: file.size },
    { name: "b", bytes: file.size },
  ]);
  const restored = await model.restoreSession("ada/1: ä?");
  expect(contents(restored.messages)).toEqual(["One.", "Hello"]);
  const missing = await model.restoreSession("c").catch((error: unknown) => error);
  expect(missing).toMatchObject({ code: "not-found", message: expect.stringContaining('"ada/1: ä?", "b"') });
  expect([await sessions.delete("b"), await sessions.delete("b")]).toEqual([true, false]);
  expect(await sessions.list()).toHaveLength(1);
});

test("where nothing is stored, names are refused and bytes are not", async () => {
  const session = await model.session();
  await expect(session.save("a")).rejects.toMatchObject({ code: "quota-exceeded" });
  expect((await session.save()).size).toBeGreaterThan(0);
  await expect(model.restoreSession("a")).rejects.toThrow("there is none at all");
});

test("any name is the name of a file", () => {
  expect(fileOf("..")).toBe("...session");
  expect(fileOf("a/b c")).toBe("a%2Fb%20c.session");
  for (const name of ["", "a".repeat(300)]) expect(() => fileOf(name)).toThrow("1 to 232 letters");
  expect(() => fileOf(7 as unknown as string)).toThrow("must be a text, not 7");
});

test.each<[Record<string, unknown>, RegExp]>([
  [{ n: 2 }, /"n" is not known/],
  [{ stream: true }, /"stream" is not known/],
  [{ messages: "hi" }, /messages must be a list/],
  [{ temperature: "hot" }, /temperature must be a number/],
])("a session of %j is refused by name", async (request, message) => {
  await expect(model.session(request as SessionRequest)).rejects.toThrow(message);
});

test("turns of sessions are refused by name", async () => {
  const session = await model.session();
  await expect(session.say(7 as unknown as string)).rejects.toThrow("what is said must be a text, not 7");
  await expect(session.say("a", { max_tokens: 5 } as object)).rejects.toThrow('"max_tokens" is not known');
  await expect(session.push()).rejects.toThrow("at least one message");
  await expect(session.rewind(-1)).rejects.toThrow("n must be a whole number from 0 on, not -1");
});

test("a session that nobody holds any more is freed", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  await (async () => {
    await (await model.session()).say("One.");
  })();
  expect(engine.sessions.size).toBe(1);
  await vi.waitFor(() => {
    collect();
    expect(engine.sessions.size).toBe(0);
  });
});
