// Calls on one model that overlap, and how they end, in both browsers.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

/** Tokens of a prefill step, and steps that may be on their way when an abort comes. */
const CHUNK = 16;
const IN_FLIGHT = 4;

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { tab } = await openPackagePage(t, launch);
    await tab.evaluate(async (prefillChunk) => {
      const { load } = await import("/npm/dist/index.js");
      globalThis.model = await load("demo", { prefillChunk, maxSequences: 4 });
      /** Reads a greedy reply; when its tokens came, too. */
      globalThis.read = async (content, max_tokens = 40) => {
        const messages = [{ role: "user", content }];
        const sampling = { temperature: 0, max_tokens, enable_thinking: false };
        const stream = await model.chat.completions.create({ messages, ...sampling, stream: true });
        const found = { text: "", times: [] };
        for await (const { choices } of stream) {
          const text = choices[0]?.delta.content;
          if (text) found.times.push(performance.now());
          found.text += text ?? "";
        }
        return found;
      };
      /** A prompt of many steps. */
      globalThis.long = (word) => `Tell me about ${`the ${word} and `.repeat(120)}the sea.`;
      globalThis.ask = (content, more) =>
        model.chat.completions.create({
          messages: [{ role: "user", content }],
          temperature: 0,
          max_tokens: 2,
          ...more,
        });
    }, CHUNK);

    await t.test("two chats run together and say what each says alone", async () => {
      const { alone, together } = await tab.evaluate(async () => {
        // Both replies are longer than the steps that are on their way when the second question comes.
        const questions = ["Tell me a story about a dog.", "Tell me a story about a cat."];
        const alone = [];
        for (const question of questions) alone.push(await read(question));
        return { alone, together: await Promise.all(questions.map((question) => read(question))) };
      });
      for (const i of [0, 1]) {
        assert.ok(alone[i].text.length > 10, alone[i].text);
        assert.equal(together[i].text, alone[i].text);
      }
      const [first, second] = together.map(({ times }) => times);
      assert.ok(second[0] < first.at(-1), "the second one's first token comes before the first one's last");
      assert.ok(first[0] < second.at(-1));
    });

    await t.test("greedy tokens are those of each alone", async () => {
      const { alone, together } = await tab.evaluate(async () => {
        const cases = await Promise.all(
          ["The sky is", "Once upon a time there was a cat. It", "2 + 3 ="].map(async (text) => {
            const { ids } = await model.tokenize(text);
            return { name: text, ids, greedy: 32 };
          }),
        );
        const greedy = async (one) => (await model.eval([one]))[0].greedy;
        const alone = [];
        for (const one of cases) alone.push(await greedy(one));
        return { alone, together: await Promise.all(cases.map(greedy)) };
      });
      for (const ids of alone) assert.equal(ids.length, 32);
      assert.deepEqual(together, alone);
    });

    // A message to a worker takes as long as the browser likes; in the page itself an abort is heard at once.
    for (const worker of [undefined, "inline"]) {
      await t.test(`an abort in the middle of a long prompt is heard, worker: ${worker}`, async (t) => {
        const found = await tab.evaluate(
          async ({ worker, prefillChunk }) => {
            const { load } = await import("/npm/dist/index.js");
            const model = await load("demo", { prefillChunk, worker });
            const ask = (more) =>
              model.chat.completions.create({
                messages: [{ role: "user", content: long("cat") }],
                temperature: 0,
                ...more,
              });
            const heard = [];
            const controller = new AbortController();
            const onProgress = (progress) => {
              heard.push(progress);
              if (heard.length === 3) controller.abort();
            };
            const { signal } = controller;
            const code = await ask({ signal, onProgress, max_tokens: 200 }).catch((e) => e.code);
            // What was read of the prompt until it was over is still in the cache.
            const { usage } = await ask({ max_tokens: 2 });
            await model.dispose();
            return { code, heard, usage };
          },
          { worker, prefillChunk: CHUNK },
        );
        const { code, heard, usage } = found;
        t.diagnostic(JSON.stringify(usage));
        assert.equal(code, "aborted");
        assert.deepEqual(
          heard.map(({ read }) => read),
          [1, 2, 3].map((n) => n * CHUNK),
        );
        assert.equal(heard[0].total, usage.prompt_tokens);
        assert.ok(usage.prompt_tokens > 20 * CHUNK, "a long prompt");
        if (worker === "inline") {
          // Results of several steps may come together.
          const most = heard[2].read + 2 * (IN_FLIGHT + 1) * CHUNK;
          assert.ok(usage.prompt_tokens_details.cached_tokens <= most, JSON.stringify({ usage, most }));
        }
      });
    }

    await t.test(
      "an abort before the first step leaves nothing behind, and waits for no other call",
      async () => {
        const { code, stopped, other, ms } = await tab.evaluate(async () => {
          const busy = read(long("dog"), 60);
          const controller = new AbortController();
          const aborted = ask(long("bird"), { signal: controller.signal }).catch((e) => e.code);
          const stream = await ask(long("fish"), { stream: true });
          stream.stop();
          let stopped;
          for await (const chunk of stream) stopped = chunk;
          const begun = performance.now();
          controller.abort();
          const code = await aborted;
          const ms = performance.now() - begun;
          return { code, stopped, ms, other: await busy };
        });
        assert.equal(code, "aborted");
        // a step, not the rest of the prompt and 60 tokens
        assert.ok(ms < 5000, `${ms} ms`);
        assert.equal(stopped.usage.completion_tokens, 0);
        assert.equal(stopped.choices[0].finish_reason, "stop");
        assert.ok(other.text.length > 0);
      },
    );

    await t.test("several texts at once are measured", async (t) => {
      const { parallel, refused } = await tab.evaluate(async () => {
        const sizes = { prompt_tokens: 20, decode_tokens: 6, runs: 2, depths: [] };
        const { parallel } = await model.bench({ ...sizes, parallel: [1, 3] });
        const refused = await model.bench({ ...sizes, parallel: [0] }).catch((error) => error.message);
        return { parallel, refused };
      });
      t.diagnostic(JSON.stringify(parallel));
      assert.deepEqual(
        parallel.map(({ n_texts }) => n_texts),
        [1, 3],
      );
      for (const { decode_tps, ttft_ms } of parallel) {
        assert.ok(0 < decode_tps.min && decode_tps.min <= decode_tps.median);
        assert.ok(0 < ttft_ms.median && ttft_ms.median <= ttft_ms.p95);
      }
      assert.match(refused, /parallel\[0\] must be a positive whole number, not 0/);
    });

    await t.test("a model in the page is disposed of while calls run", async () => {
      const codes = await tab.evaluate(async () => {
        const { load } = await import("/npm/dist/index.js");
        const model = await load("demo", { worker: "inline" });
        const request = { messages: [{ role: "user", content: "Hello!" }], max_tokens: 200 };
        const calls = [1, 2].map(() => model.chat.completions.create(request).catch((e) => e.code));
        calls.push(model.bench({ prompt_tokens: 8, decode_tokens: 8, runs: 3 }).catch((e) => e.code));
        await new Promise((resolve) => setTimeout(resolve, 50));
        await model.dispose();
        return Promise.all(calls);
      });
      assert.deepEqual(codes, ["disposed", "disposed", "disposed"]);
    });
  });
}
