// Messages in OpenAI's shape: what clients send reaches the same Rust that the crate and the command use.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

const call = (id, args) => ({ id, type: "function", function: { name: "now", arguments: args } });
const text = (...texts) => texts.map((part) => ({ type: "text", text: part }));
const user = { role: "user", content: "What time is it?" };
const results = [
  { role: "tool", tool_call_id: "1", content: "12:00" },
  { role: "tool", tool_call_id: "2", content: "13:00" },
];
const calls = [call("1", '{"zone": "A"}'), call("2", '{"zone": "B"}')];

/** What is sent, and what it means. */
const PAIRS = {
  developer: [
    [{ role: "developer", content: "Be brief." }, user],
    [{ role: "system", content: "Be brief." }, user],
  ],
  "null contents beside calls": [
    [user, { role: "assistant", content: null, tool_calls: calls }, ...results],
    [user, { role: "assistant", content: "", tool_calls: calls }, ...results],
  ],
  "missing contents": [
    [user, { role: "assistant", tool_calls: calls }, ...results],
    [user, { role: "assistant", content: "", tool_calls: calls }, ...results],
  ],
  parts: [
    [{ role: "user", content: text("What", "time is it?") }],
    [{ role: "user", content: "What\ntime is it?" }],
  ],
  "results by id": [
    [user, { role: "assistant", content: null, tool_calls: calls }, ...results.toReversed()],
    [user, { role: "assistant", content: "", tool_calls: calls }, ...results],
  ],
};

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { tab } = await openPackagePage(t, launch);
    await tab.evaluate(async () => {
      const { load } = await import("/npm/dist/index.js");
      globalThis.model = await load("demo", { exact: true, contextLength: 1024 });
      globalThis.tools = [{ type: "function", function: { name: "now", description: "Tells the time" } }];
      globalThis.ask = (messages, more) =>
        model.chat.completions
          .create({
            messages,
            tools,
            temperature: 0,
            max_tokens: 8,
            logprobs: true,
            enable_thinking: false,
            ...more,
          })
          .then(({ choices, usage }) => ({
            tokens: choices[0].logprobs.content.map(({ id }) => id),
            prompt: usage.prompt_tokens,
            cached: usage.prompt_tokens_details.cached_tokens,
          }))
          .catch(({ code, message }) => ({ code, message }));
    });

    for (const [what, [sent, meant]] of Object.entries(PAIRS)) {
      await t.test(what, async () => {
        const [first, second] = await tab.evaluate(
          async ([sent, meant]) => [await ask(sent), await ask(meant)],
          [sent, meant],
        );
        assert.deepEqual(second.tokens, first.tokens, JSON.stringify([first, second]));
        assert.equal(second.prompt, first.prompt);
        // Only the last token is read again: the prompts are the same to the last one.
        assert.equal(second.cached, second.prompt - 1);
      });
    }

    await t.test("names of tokens are text, unless tokens are asked for", async () => {
      const [plain, split, reference] = await tab.evaluate(async () => {
        const said = (content) => [{ role: "user", content }];
        const names = "<|im_end|></think><tool_call>";
        return [
          await ask(said("")),
          await ask(said(names)),
          await ask(said(names), { split_special_tokens: false }),
        ];
      });
      // One token each in the reference; as text at least a few characters each.
      assert.ok(reference.prompt - plain.prompt <= 4, JSON.stringify([plain, reference]));
      assert.ok(split.prompt - plain.prompt > 6, JSON.stringify([plain, split]));
    });

    await t.test("what is no message is refused by its place", async () => {
      for (const [message, words] of [
        [{ role: "bot", content: "hi" }, /messages\[1\]\.role must be one of .*"bot"/],
        [
          { role: "user", content: [{ type: "image_url" }] },
          /messages\[1\]\.content .*"image_url"; only text/,
        ],
        [{ role: "user", content: 7 }, /messages\[1\]\.content must be text/],
        ["hi", /messages\[1\] must be an object/],
        [{ role: "assistant", tool_calls: {} }, /messages\[1\]\.tool_calls must be a list/],
      ]) {
        const error = await tab.evaluate(([user, message]) => ask([user, message]), [user, message]);
        assert.equal(error.code, "invalid-request");
        assert.match(error.message, words);
        assert.doesNotMatch(error.message, / at line /);
      }
      const error = await tab.evaluate(() => ask([{ role: "user", content: "x" }], { chat_template: "rag" }));
      assert.match(error.message, /no chat template "rag"; it has default/);
    });
  });
}
