// Conversations that this site keeps, each a file under its name.

import { invalid, text } from "./checks.ts";
import { QwillError } from "./errors.ts";
import { askToKeep, openStore, type Store } from "./store.ts";

/** A conversation that was saved under a name. */
export interface SavedSession {
  /** What to give to `model.restoreSession`, or to `sessions.delete`. */
  name: string;
  /** Bytes stored: the keys and values of what was read, and the messages. */
  bytes: number;
}

const FOLDER = "sessions";
const ENDING = ".session";
/** Letters of a file's name that every file system takes. */
const LONGEST = 240;

/** Conversations stored by this site, of whichever model: where `session.save(name)` puts them. */
export const sessions = {
  /** All of them, by name. */
  async list(): Promise<SavedSession[]> {
    return listSaved(await openStore());
  },

  /** Removes one. Resolves to whether it was there. */
  async delete(name: string): Promise<boolean> {
    const file = fileOf(name);
    const store = await openStore();
    const isThere = (await store.list(FOLDER)).has(file);
    await store.remove(FOLDER, file);
    return isThere;
  },
};

/** Keeps a conversation, in place of one that had this name. */
export async function keepSession(name: string, session: Blob): Promise<void> {
  const store = await openStore();
  if (store.kind === "memory") {
    const message =
      "The browser stores nothing for this page, as in private windows: sessions cannot be saved under a name, " +
      "but session.save() without one gives a Blob.";
    throw new QwillError("quota-exceeded", message);
  }
  askToKeep();
  await store.write(FOLDER, fileOf(name), session);
}

/** A conversation that is kept. */
export async function openSaved(name: string): Promise<Blob> {
  const store = await openStore();
  const session = await store.read(FOLDER, fileOf(name));
  if (session) return session;
  const others = (await listSaved(store)).map((saved) => JSON.stringify(saved.name));
  const known = others.length > 0 ? `there are: ${others.join(", ")}` : "there is none at all";
  throw new QwillError("not-found", `There is no saved session ${JSON.stringify(name)}; ${known}.`);
}

async function listSaved(store: Store): Promise<SavedSession[]> {
  const files = [...(await store.list(FOLDER))];
  return files
    .map(([file, bytes]) => ({ name: decodeURIComponent(file.slice(0, -ENDING.length)), bytes }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Names may have any letters, files may not. */
export function fileOf(name: string): string {
  const file = encodeURIComponent(text("the name of a session", name)) + ENDING;
  if (name !== "" && file.length <= LONGEST) return file;
  throw invalid(`the name of a session must have 1 to ${LONGEST - ENDING.length} letters`);
}
