// A conversation of the engine that exists only as far as the tests look.

import type { EngineReplies, EngineSession } from "../src/engine-chat.ts";
import type { ChatMessage } from "../src/openai.ts";

/** Who hears of a reply, and what ends it. */
export type Reporting = Parameters<EngineSession["reply"]> extends [unknown, ...infer Rest] ? Rest : never;

/** A file of it is its messages as JSON. It is one of `living` until it is freed. */
export function fakeSession(
  beginning: unknown[],
  living: Set<EngineSession>,
  reply: (...call: Reporting) => Promise<EngineReplies>,
): EngineSession {
  let messages = [...beginning];
  const session: EngineSession = {
    messages: () => messages,
    push(added) {
      messages = [...messages, ...added];
    },
    async reply(added, ...call) {
      session.push(added);
      const replies = await reply(...call);
      session.push([{ role: "assistant", content: replies.choices[0].text }]);
      return replies;
    },
    fork: () => fakeSession(messages, living, reply),
    rewind(n) {
      messages = messages.slice(0, n);
    },
    undo() {
      const last = messages.findLastIndex((message) => (message as ChatMessage).role === "user");
      if (last >= 0) session.rewind(last);
    },
    save: async () => new TextEncoder().encode(JSON.stringify(messages)),
    free() {
      if (!living.delete(session)) throw new Error("it was freed before");
    },
  };
  living.add(session);
  return session;
}
