// Typed decisions through the npm package.

import { load } from "/npm/dist/index.js";

let model;

export async function open({ base, files }) {
  model = await load(
    files.map((file) => `${base}/${file}`),
    { exact: true, contextLength: 1024 },
  );
}

export const close = () => model?.dispose();

export const decide = (request) => model.decide(request);

export const systemOne = (request) => model.systemOne(request);

/** How a request is refused. */
export const refusal = (request) =>
  model.decide(request).then(
    () => "",
    ({ code, message }) => `${code}: ${message}`,
  );

/** Tokens of a text, as part of a chat. */
export const count = async (text) => (await model.tokenize(text)).ids.length;

/** What becomes of a decision that is ended at once. */
export async function abort(request) {
  const controller = new AbortController();
  const pending = model.decide(request, { signal: controller.signal });
  controller.abort();
  return pending.then(
    () => "",
    ({ code }) => code,
  );
}
