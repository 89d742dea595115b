// Log probabilities, biases, several replies to a request and echoes, in both browsers.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

/** Two ways to the same numbers differ by rounding. */
const CLOSE = 1e-4;

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { tab } = await openPackagePage(t, launch);
    await tab.evaluate(async () => {
      const { load } = await import("/npm/dist/index.js");
      globalThis.model = await load("demo", { maxSequences: 4, exact: true });
      globalThis.hello = {
        messages: [{ role: "user", content: "Tell me a story about a cat." }],
        enable_thinking: false,
        max_tokens: 16,
      };
      globalThis.once = { prompt: "Once upon a time", max_tokens: 8, temperature: 0 };
      globalThis.collect = async (stream) => {
        const chunks = [];
        for await (const chunk of stream) chunks.push(chunk);
        return chunks;
      };
      globalThis.failure = (promise) =>
        promise.then(
          () => "no error",
          ({ code, message }) => `${code}: ${message}`,
        );
    });

    await t.test("logprobs of a chat, streamed or not", async () => {
      const { whole, chunks, plain } = await tab.evaluate(async () => {
        const request = { ...hello, temperature: 0, logprobs: true, top_logprobs: 20 };
        return {
          whole: await model.chat.completions.create(request),
          chunks: await collect(await model.chat.completions.create({ ...request, stream: true })),
          plain: await model.chat.completions.create({ ...hello, temperature: 0 }),
        };
      });
      const [{ message, logprobs }] = whole.choices;
      assert.equal(plain.choices[0].message.content, message.content, "asking changes nothing");
      assert.equal(plain.choices[0].logprobs, null);
      assert.ok(logprobs.content.length > 10);
      assert.equal(logprobs.content.map(({ token }) => token).join(""), message.content);
      for (const { token, logprob, bytes, top_logprobs } of logprobs.content) {
        assert.equal(new TextDecoder().decode(Uint8Array.from(bytes)), token);
        assert.equal(top_logprobs.length, 20);
        assert.deepEqual([top_logprobs[0].token, top_logprobs[0].logprob], [token, logprob], "greedy");
        const sorted = top_logprobs.map((top) => top.logprob).toSorted((a, b) => b - a);
        assert.deepEqual(
          top_logprobs.map((top) => top.logprob),
          sorted,
        );
        const mass = top_logprobs.reduce((sum, top) => sum + Math.exp(top.logprob), 0);
        assert.ok(mass > 0.2 && mass < 1 + CLOSE, `${mass}`);
      }
      const streamed = chunks.flatMap(({ choices }) => choices[0].logprobs?.content ?? []);
      assert.deepEqual(
        streamed.map(({ token }) => token),
        logprobs.content.map(({ token }) => token),
      );
      streamed.forEach(({ logprob }, at) => {
        assert.ok(Math.abs(logprob - logprobs.content[at].logprob) < CLOSE);
      });
      for (const { choices } of chunks.slice(1, -1)) {
        const [{ delta, logprobs }] = choices;
        const told = logprobs?.content.map(({ token }) => token).join("");
        assert.equal(told, delta.content, "a chunk tells of what it says");
      }
    });

    await t.test("logprobs of a completion with its prompt are those that eval finds", async () => {
      const { whole, chunks, silent, evaluated } = await tab.evaluate(async () => {
        const request = { ...once, logprobs: 2, echo: true };
        const { ids } = await model.tokenize(once.prompt);
        return {
          whole: await model.completions.create(request),
          chunks: await collect(await model.completions.create({ ...request, stream: true })),
          silent: await model.completions.create({ ...request, max_tokens: 0 }),
          evaluated: await model.eval([{ name: "prompt", ids }]),
        };
      });
      const [{ text, logprobs }] = whole.choices;
      const { nll } = evaluated[0];
      const n = nll.length + 1;
      assert.ok(text.startsWith("Once upon a time") && text.length > 20, text);
      assert.equal(logprobs.tokens.join(""), text);
      assert.deepEqual([logprobs.token_logprobs[0], logprobs.top_logprobs[0]], [null, null]);
      nll.forEach((value, at) => {
        assert.ok(Math.abs(value + logprobs.token_logprobs[at + 1]) < 1e-3, `${at}`);
      });
      logprobs.tokens.forEach((token, at) => {
        assert.equal(text.slice(logprobs.text_offset[at], logprobs.text_offset[at] + token.length), token);
        if (at > 0) assert.equal(logprobs.top_logprobs[at][token], logprobs.token_logprobs[at]);
        if (at > 0) assert.ok([2, 3].includes(Object.keys(logprobs.top_logprobs[at]).length));
      });
      assert.equal(silent.choices[0].text, "Once upon a time");
      assert.deepEqual(silent.choices[0].logprobs.tokens, logprobs.tokens.slice(0, n));
      const streamed = chunks.flatMap(({ choices }) => choices[0].logprobs ?? []);
      assert.equal(chunks.map(({ choices }) => choices[0].text).join(""), text);
      for (const field of ["tokens", "text_offset"]) {
        assert.deepEqual(
          streamed.flatMap((piece) => piece[field]),
          logprobs[field],
        );
      }
    });

    await t.test("a bias of 100 forces a token, one of -100 forbids it", async () => {
      const { forced, free, forbidden } = await tab.evaluate(async () => {
        const [wanted] = (await model.tokenize(" cat")).ids;
        const complete = async (logit_bias) => {
          const { choices } = await model.completions.create({ ...once, logit_bias, logprobs: 0 });
          return choices[0].logprobs.tokens;
        };
        const free = await complete({});
        const ids = await Promise.all(free.map(async (token) => (await model.tokenize(token)).ids));
        const never = Object.fromEntries(ids.flat().map((id) => [id, -100]));
        return { forced: await complete({ [wanted]: 100 }), free, forbidden: await complete(never) };
      });
      assert.deepEqual(forced, Array(8).fill(forced[0]));
      assert.match(forced[0], /^ c/);
      assert.ok(free.length > 0 && forbidden.length > 0);
      assert.ok(
        forbidden.every((token) => !free.includes(token)),
        JSON.stringify({ free, forbidden }),
      );
    });

    await t.test("four choices are what their seeds give alone, streamed or not", async () => {
      const { alone, together, chunks } = await tab.evaluate(async () => {
        const request = { ...hello, temperature: 1.2, seed: 7 };
        const alone = [];
        for (const seed of [7, 8, 9, 10]) {
          alone.push(await model.chat.completions.create({ ...request, seed }));
        }
        return {
          alone,
          together: await model.chat.completions.create({ ...request, n: 4 }),
          chunks: await collect(
            await model.chat.completions.create({ ...request, n: 4, stream: true, logprobs: true }),
          ),
        };
      });
      const wanted = alone.map(({ choices }) => choices[0].message.content);
      assert.ok(new Set(wanted).size > 2, JSON.stringify(wanted));
      assert.deepEqual(
        together.choices.map(({ index, message }) => [index, message.content]),
        [...wanted.entries()],
      );
      const { prompt_tokens, completion_tokens } = together.usage;
      assert.equal(prompt_tokens, alone[0].usage.prompt_tokens);
      assert.equal(
        completion_tokens,
        alone.reduce((sum, { usage }) => sum + usage.completion_tokens, 0),
      );
      const texts = ["", "", "", ""];
      const told = ["", "", "", ""];
      const ends = [];
      for (const { index, delta, logprobs, finish_reason } of chunks.flatMap(({ choices }) => choices)) {
        texts[index] += delta.content ?? "";
        told[index] += logprobs?.content.map(({ token }) => token).join("") ?? "";
        if (finish_reason) ends.push(index);
      }
      assert.deepEqual([texts, told, ends], [wanted, wanted, [0, 1, 2, 3]]);
      assert.deepEqual(chunks.at(-1).usage.completion_tokens, completion_tokens);
    });

    await t.test("what makes no sense is refused by name", async () => {
      const said = await tab.evaluate(async () => {
        const chat = (more) => failure(model.chat.completions.create({ ...hello, ...more }));
        const complete = (more) => failure(model.completions.create({ ...once, ...more }));
        return [
          await chat({ n: 0 }),
          await chat({ n: 1.5 }),
          await chat({ top_logprobs: 3 }),
          await chat({ logprobs: true, top_logprobs: 21 }),
          await chat({ logprobs: 2 }),
          await chat({ logit_bias: { 5: 101 } }),
          await chat({ logit_bias: { 99999999: 1 } }),
          await chat({ logit_bias: { cat: 1 } }),
          await chat({ logit_bias: { 5: Number.NaN } }),
          await complete({ logprobs: 21 }),
          await complete({ echo: true, suffix: "x" }),
          await complete({ best_of: 2 }),
        ];
      });
      const words = [
        /n must be a positive whole number, not 0/,
        /n must be a positive whole number, not 1\.5/,
        /top_logprobs needs logprobs: true/,
        /top_logprobs is 21, but must be at most 20/,
        /logprobs must be true or false, not 2/,
        /logit_bias of token 5 is 101, but must be between -100 and 100/,
        /logit_bias names token 99999999, but the vocabulary has/,
        /logit_bias must have token ids for names, not "cat"/,
        /logit_bias\["5"\] must be a number, not NaN/,
        /: logprobs is 21, but must be at most 20/,
        /echo and suffix exclude each other/,
        /"best_of": 2 is not supported yet/,
      ];
      words.forEach((pattern, at) => {
        assert.match(said[at], /^invalid-request/);
        assert.match(said[at], pattern);
      });
    });
  });
}
