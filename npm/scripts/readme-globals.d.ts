// What the READMEs' examples take from the text around them.

import type * as qwill from "qwill";

declare global {
  const load: typeof qwill.load;
  const model: qwill.Model;
  const coder: qwill.Model;
  const session: qwill.Session;
  const messages: qwill.ChatMessage[];
  const input: { files: FileList };
  const folderInput: { files: FileList };
  const signal: AbortSignal;
  function onProgress(progress: qwill.LoadProgress): void;
  function weatherIn(city: string): Promise<string>;
  function showDirectoryPicker(): Promise<FileSystemDirectoryHandle>;
}
