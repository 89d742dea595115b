// Adapters through the npm package, compared with the reference.

import { load } from "/npm/dist/index.js";
import { fetchExpected, largestDifference } from "./expected.js";

/**
 * Loads a checkpoint and the adapters that change it, and says how far prompts are from the reference with them, how
 * far from the model's own logits without them, and what else was seen on the way.
 * @param {{ base: string, folder: string, model: string, modelFiles: string[], adapterFiles: string[], prompts: string[] }} golden
 */
export async function checkAdapters({ base, folder, model: name, modelFiles, adapterFiles, prompts }) {
  const [numbers, tensors] = await fetchExpected(`${base}/${folder}/expected`);
  const urls = (folder, files) => files.map((file) => `${base}/${folder}/${file}`);
  const model = await load(urls(name, modelFiles), { exact: true, contextLength: 96, prefillChunk: 16 });
  try {
    const evaluate = (adapters) =>
      model.eval(
        prompts.map((prompt) => ({
          name: prompt,
          ids: numbers.prompts[prompt],
          logits: "all",
          greedy: numbers.greedy[prompt]?.length ?? 0,
          ...(adapters && { adapters }),
        })),
      );
    const before = await evaluate();
    const infos = [];
    for (const { folder } of numbers.adapters) {
      infos.push(await model.adapters.load(urls(folder, adapterFiles)));
    }
    const listed = await model.adapters.list();
    const uses = numbers.adapters.map(({ folder, scale }) => ({ name: folder, scale }));
    const changed = await evaluate(uses);
    await model.adapters.select(uses);
    const selected = await evaluate();
    const after = await evaluate([]);
    const prompt = { prompt: "a b", temperature: 0, max_tokens: 8 };
    const complete = async (adapters) =>
      (await model.completions.create({ ...prompt, adapters })).choices[0].text;
    const texts = { selected: await complete(), named: await complete(uses), base: await complete([]) };
    for (const { name } of infos) await model.adapters.unload(name);
    const error = await evaluate(uses).then(
      () => "no error",
      ({ code, message }) => `${code}: ${message}`,
    );
    const off = (results, others) =>
      Math.max(...results.map(({ logits }, i) => largestDifference(logits, others[i].logits)));
    return {
      off: Object.fromEntries(
        changed.map(({ name, logits }) => [
          name,
          largestDifference(logits, tensors.get(`logits.${name}.all`)),
        ]),
      ),
      greedy: changed.map(({ name, greedy }) => [name, greedy, numbers.greedy[name] ?? []]),
      change: off(changed, before),
      selectedOff: off(selected, changed),
      baseOff: Math.max(off(after, before), off(await evaluate(), before)),
      infos,
      listed,
      texts,
      left: await model.adapters.list(),
      error,
    };
  } finally {
    await model.dispose();
  }
}

/** How an adapter is refused that was made for another model. */
export async function refuseAdapter({ base, folder, model: name, modelFiles, adapterFiles }) {
  const model = await load(modelFiles.map((file) => `${base}/${name}/${file}`));
  try {
    await model.adapters.load(adapterFiles.map((file) => `${base}/${folder}/${file}`));
    return "no error";
  } catch ({ code, message }) {
    return `${code}: ${message}`;
  } finally {
    await model.dispose();
  }
}
