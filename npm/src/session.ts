// `model.session`: a conversation that the model's side keeps, so that it can be forked, rewound, saved and restored.

import { type ChatStream, chatForm } from "./chat.ts";
import { text, whole } from "./checks.ts";
import { QwillError } from "./errors.ts";
import { checkFields } from "./fields.ts";
import type { ChatCompletion, ChatMessage, SessionRequest, StreamRequest } from "./openai.ts";
import type { Protocol, SessionState } from "./protocol.ts";
import { type Ask, answer, newHead } from "./reply.ts";
import { someMessages, toSessionRequest } from "./request.ts";
import { checkMessages, TURN } from "./request-fields.ts";
import type { Client } from "./rpc.ts";
import { fileOf, keepSession, openSaved } from "./saved-sessions.ts";

/** A turn whose reply comes as a whole. */
export type TurnNonStreaming = StreamRequest & { stream?: false | null };
/** A turn whose reply is streamed. */
export type TurnStreaming = StreamRequest & { stream: true };

/** Ends what the worker holds for sessions that nobody holds any more. */
const forgotten = new FinalizationRegistry<() => void>((end) => end());

/**
 * A conversation with a model. Each turn reads only what is new, and so do forks and conversations that were rewound:
 * what the model read before is found in its cache, as long as that has room.
 *
 * What is asked of a session is done in the order in which it was asked.
 */
export class Session {
  readonly #client: Client<Protocol>;
  readonly #modelName: string;
  readonly #id: number;
  #messages: readonly ChatMessage[] = [];
  #isDisposed = false;

  /** @internal */
  constructor(client: Client<Protocol>, modelName: string, state: SessionState) {
    this.#client = client;
    this.#modelName = modelName;
    const { id } = state;
    this.#id = id;
    this.#note(state);
    forgotten.register(this, () => client.call("endSession", id).catch(() => {}), this);
  }

  /** The messages so far: a new list whenever they change. */
  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  /**
   * A turn: says something, and makes the reply part of the conversation. A reply that is stopped, by `stop()` or by
   * leaving the loop, is part of it as far as it came; one that fails or is aborted leaves the conversation as it was.
   */
  say(text: string, options: TurnStreaming): Promise<ChatStream>;
  say(text: string, options?: TurnNonStreaming): Promise<ChatCompletion>;
  say(text: string, options?: StreamRequest): Promise<ChatCompletion | ChatStream>;
  async say(said: string, options: StreamRequest = {}): Promise<ChatCompletion | ChatStream> {
    return this.#reply([{ role: "user", content: text("what is said", said) }], options);
  }

  /** The reply to the messages as they are, such as results of tools that were pushed; as with `say`. */
  reply(options: TurnStreaming): Promise<ChatStream>;
  reply(options?: TurnNonStreaming): Promise<ChatCompletion>;
  reply(options?: StreamRequest): Promise<ChatCompletion | ChatStream>;
  async reply(options: StreamRequest = {}): Promise<ChatCompletion | ChatStream> {
    return this.#reply([], options);
  }

  /** Adds messages without asking for a reply. */
  async push(...messages: ChatMessage[]): Promise<void> {
    checkMessages("messages", messages);
    const added = someMessages(messages);
    this.#note(await this.#open().call("pushToSession", { id: this.#id, added }));
  }

  /** A conversation of its own that begins like this one. */
  async fork(): Promise<Session> {
    const state = await this.#open().call("forkSession", this.#id);
    return new Session(this.#client, this.#modelName, state);
  }

  /** Forgets all messages behind the first `n`. */
  async rewind(n: number): Promise<void> {
    this.#note(await this.#open().call("rewindSession", { id: this.#id, n: whole("n", n) }));
  }

  /** Forgets the last thing that the user said, and what followed. Resolves to whether there was any. */
  async undo(): Promise<boolean> {
    const state = await this.#open().call("undoInSession", this.#id);
    const before = this.#messages.length;
    this.#note(state);
    return this.#messages.length < before;
  }

  /**
   * The conversation as a file, with the keys and values of what the model read: `model.restoreSession` goes on with it.
   * With a name it is stored in this browser, too, in place of one that had the name.
   */
  async save(name?: string): Promise<Blob> {
    if (name !== undefined) fileOf(name);
    const saved = await this.#open().call("saveSession", this.#id);
    if (name !== undefined) await keepSession(name, saved);
    return saved;
  }

  /** Frees what is held for the conversation, when everything that was asked of it is done. */
  async dispose(): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    forgotten.unregister(this);
    // A model that is gone has taken it along.
    await this.#client.call("endSession", this.#id).catch(() => {});
  }

  async #reply(added: unknown[], options: StreamRequest): Promise<ChatCompletion | ChatStream> {
    checkFields(options, TURN);
    const client = this.#open();
    const args = { id: this.#id, added };
    const ask: Ask = (more) => {
      const call = client.call("replyInSession", args, { ...more, whenAborted: "wait" });
      const replies = call.then((replies) => {
        this.#note(replies);
        return replies;
      });
      return Object.assign(replies, { cancel: call.cancel });
    };
    return answer(options, chatForm(newHead("chatcmpl", this.#modelName)), ask);
  }

  #open(): Client<Protocol> {
    if (this.#isDisposed) throw new QwillError("disposed", "The session was disposed of.");
    return this.#client;
  }

  #note({ messages }: SessionState): void {
    this.#messages = messages as ChatMessage[];
  }
}

export async function openSession(
  client: Client<Protocol>,
  modelName: string,
  request: SessionRequest,
): Promise<Session> {
  return new Session(client, modelName, await client.call("session", toSessionRequest(request)));
}

/** From a name, or from the bytes. */
export async function restoreSession(
  client: Client<Protocol>,
  modelName: string,
  saved: string | Blob | BufferSource,
): Promise<Session> {
  const kept = typeof saved === "string" ? await openSaved(saved) : saved;
  const file = kept instanceof Blob ? kept : new Blob([kept]);
  return new Session(client, modelName, await client.call("restoreSession", file));
}
