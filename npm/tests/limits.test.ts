// What ends a call before its time: signals in the request or beside it, and the clock.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ChatMessage, load, type Model, QwillError } from "../src/index.ts";
import { FakeEngine, fakeBrowser, fakeWorker } from "./fake.ts";

const messages: ChatMessage[] = [{ role: "user", content: "hi" }];
let engine: FakeEngine;
let model: Model;

beforeEach(async () => {
  fakeBrowser();
  engine = new FakeEngine();
  engine.events = Array.from({ length: 1000 }, () => ({ type: "content", text: "la" }));
  model = await load(new File(["GGUF"], "tiny.gguf"), { worker: fakeWorker(engine) });
});
afterEach(() => vi.unstubAllGlobals());

const ended = () => vi.waitFor(() => expect(engine.log.at(-1)).toMatch(/chat ended after \d{1,2}$/));

test("a signal beside the request ends the call, whole or streamed, as one in it does", async () => {
  for (const where of ["beside", "in", "both"]) {
    for (const create of [
      (body: object, options: object) =>
        model.chat.completions.create({ messages, ...body, stream: true }, options),
      (body: object, options: object) =>
        model.completions.create({ prompt: "a", ...body, stream: true }, options),
    ]) {
      const controller = new AbortController();
      const { signal } = controller;
      const other = new AbortController().signal;
      const body = where === "beside" ? {} : { signal: where === "both" ? other : signal };
      const stream = await create(body, where === "in" ? {} : { signal });
      const loop = (async () => {
        for await (const _ of stream) controller.abort("enough");
      })();
      await expect(loop).rejects.toMatchObject({ code: "aborted", name: "AbortError" });
      await ended();
    }
  }
  const late = model.chat.completions.create({ messages }, { signal: AbortSignal.timeout(5) });
  await expect(late).rejects.toMatchObject({ code: "aborted", cause: { name: "TimeoutError" } });
  const never = model.chat.completions.create({ messages }, { signal: AbortSignal.abort("no") });
  await expect(never).rejects.toMatchObject({ code: "aborted", cause: "no" });
});

test("a reply that takes too long is given up, and the engine stops", async () => {
  const late = await model.chat.completions.create({ messages }, { timeout: 10 }).catch((e: unknown) => e);
  expect(late).toBeInstanceOf(QwillError);
  expect(late).toMatchObject({ code: "timeout", name: "TimeoutError" });
  expect((late as Error).message).toContain("10 ms");
  await ended();
  const other = model.completions.create({ prompt: "a", timeout: 10 });
  await expect(other).rejects.toMatchObject({ code: "timeout" });
});

test("the time of a stream is that of its first piece", async () => {
  engine.events = Array.from({ length: 40 }, () => ({ type: "content", text: "la" }));
  let n = 0;
  for await (const _ of await model.chat.completions.create({ messages, stream: true }, { timeout: 30 })) n++;
  expect(n).toBe(42);
  engine.events = Array.from({ length: 1000 }, () => ({ type: "progress", n_read: 1, n_tokens: 2 }));
  const stream = await model.chat.completions.create({ messages, stream: true }, { timeout: 10 });
  const loop = (async () => {
    for await (const _ of stream) n++;
  })();
  await expect(loop).rejects.toMatchObject({ code: "timeout" });
});

test("the longest time is no time, and one that is kept is forgotten", async () => {
  engine.events = [{ type: "content", text: "la" }];
  const reply = await model.chat.completions.create({ messages }, { timeout: Number.MAX_SAFE_INTEGER });
  expect(reply.choices[0].message.content).toBe("la");
  const timers = vi.spyOn(globalThis, "clearTimeout");
  await model.chat.completions.create({ messages }, { timeout: 60_000 });
  expect(timers).toHaveBeenCalled();
  timers.mockRestore();
});

test("a turn of a session has both, too, and leaves the conversation as it was", async () => {
  const session = await model.session();
  await expect(session.say("One.", { timeout: 10 })).rejects.toMatchObject({ code: "timeout" });
  expect(session.messages).toHaveLength(0);
});
