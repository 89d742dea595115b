// Conversations that live beside the model in the worker.

import type { EngineChoiceEvent, EngineReplies, EngineSession } from "./engine-chat.ts";
import { aborted, QwillError } from "./errors.ts";
import type { SessionState } from "./protocol.ts";
import type { Ending } from "./rpc.ts";

interface Held {
  session: EngineSession;
  /** Done when everything is that was asked of it so far. */
  idle: Promise<unknown>;
}

/** The sessions of one model. What is asked of one is done in the order in which it was asked. */
export class HeldSessions {
  readonly #held = new Map<number, Held>();
  #lastId = 0;

  /** Takes a session in, to be known by an id. */
  add(session: EngineSession): SessionState {
    const id = ++this.#lastId;
    this.#held.set(id, { session, idle: Promise.resolve() });
    return { id, messages: session.messages() };
  }

  async #inTurn<T>(id: number, work: (held: Held) => T | Promise<T>): Promise<T> {
    const held = this.#held.get(id);
    if (!held) throw new QwillError("disposed", "The session was disposed of.");
    const result = held.idle.then(() => work(held));
    held.idle = result.catch(() => {});
    return result;
  }

  use<T>(id: number, work: (session: EngineSession) => T | Promise<T>): Promise<T> {
    return this.#inTurn(id, ({ session }) => work(session));
  }

  /** Changes the messages. */
  edit(id: number, change: (session: EngineSession) => void): Promise<SessionState> {
    return this.use(id, (session) => {
      change(session);
      return { id, messages: session.messages() };
    });
  }

  /** Adds messages and the reply to them. What fails or is aborted leaves the conversation as it was. */
  async reply(
    id: number,
    added: unknown[],
    onEvent: (event: EngineChoiceEvent) => void,
    signal: AbortSignal,
  ): Promise<EngineReplies & SessionState> {
    const isAborted = () => signal.reason === ("abort" satisfies Ending);
    let hasBegun = false;
    const reply = this.#inTurn(id, async (held) => {
      hasBegun = true;
      if (isAborted()) throw aborted();
      let spare = held.session.fork();
      try {
        const replies = await spare.reply(added, onEvent, signal);
        if (isAborted()) throw aborted();
        [held.session, spare] = [spare, held.session];
        return { ...replies, id, messages: held.session.messages() };
      } finally {
        spare.free();
      }
    });
    // One that waits for its turn waits no longer; it will find that it is over.
    const isOver = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => {
        if (!hasBegun && isAborted()) reject(aborted());
      });
    });
    return Promise.race([reply, isOver]);
  }

  /** Frees a session when everything is done that was asked of it. */
  end(id: number): Promise<void> {
    return this.use(id, (session) => {
      this.#held.delete(id);
      session.free();
    });
  }

  /** Frees all sessions, of which none may be at work. */
  endAll(): void {
    for (const { session } of this.#held.values()) session.free();
    this.#held.clear();
  }
}
