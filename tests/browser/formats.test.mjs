// Replies that must have a form have it, in both browsers; what follows the form is fetched when the first of them is asked for.

import assert from "node:assert/strict";
import test from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";
import { SCHEMAS } from "./lib/schemas.mjs";

const ajv = new Ajv2020({ allowUnionTypes: true });
// Both packages are CommonJS, for which Node and TypeScript disagree about what is exported.
/** @type {any} */ (addFormats)(ajv);

const GRAMMAR = "/npm/wasm/qwill_grammar_wasm_bg.wasm";

const FORECAST = {
  type: "function",
  function: {
    name: "forecast",
    strict: true,
    parameters: {
      type: "object",
      properties: { city: { enum: ["Oslo", "Lima"] }, days: { type: "integer", minimum: 1, maximum: 7 } },
      required: ["city", "days"],
      additionalProperties: false,
    },
  },
};
const isForecast = ajv.compile(FORECAST.function.parameters);

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { tab, requests } = await openPackagePage(t, launch);
    const fetches = () => requests.filter((path) => path === GRAMMAR).length;
    await tab.evaluate(async () => {
      const { load } = await import("/npm/dist/index.js");
      globalThis.load = load;
      globalThis.model = await load("demo");
      globalThis.ask = {
        messages: [{ role: "user", content: "Hello!" }],
        enable_thinking: false,
        max_tokens: 400,
        temperature: 1,
        seed: 5,
      };
      /** The text of a reply, its end and its timings, streamed or not. */
      globalThis.replyTo = async (request, stream) => {
        const raw = "prompt" in request;
        const { create } = raw ? model.completions : model.chat.completions;
        const api = raw ? model.completions : model.chat.completions;
        if (!stream) {
          const { choices, timings } = await create.call(api, request);
          const [{ finish_reason, message, text = message.content }] = choices;
          return { text, finish_reason, timings, calls: message?.tool_calls };
        }
        const reply = { text: "", finish_reason: null, timings: undefined };
        for await (const { choices, timings } of await create.call(api, { ...request, stream: true })) {
          const [{ delta, text = delta.content ?? "", finish_reason }] = choices;
          reply.text += text;
          Object.assign(reply, { finish_reason, timings });
        }
        return reply;
      };
      globalThis.failure = (promise) =>
        promise.then(
          (value) => `no error but ${JSON.stringify(value)}`,
          ({ code, message }) => `${code}: ${message}`,
        );
    });

    /** @param {object} request */
    const replyTo = (request, stream = false) =>
      tab.evaluate(
        ([request, stream]) => replyTo({ ...("prompt" in request ? {} : ask), ...request }, stream),
        [request, stream],
      );
    const failureOf = (request) =>
      tab.evaluate((request) => failure(model.chat.completions.create({ ...ask, ...request })), request);

    await t.test("a chat without a form fetches nothing for it", async (t) => {
      const plain = await replyTo({ max_tokens: 4 });
      assert.equal(fetches(), 0);
      assert.equal("mask_ms" in plain.timings, false);
      const times = await tab.evaluate(async () => {
        const times = [];
        for (let i = 0; i < 3; i++) {
          const begun = performance.now();
          await model.chat.completions.create({ ...ask, regex: "(yes|no)" });
          times.push(Math.round(performance.now() - begun));
        }
        return times;
      });
      assert.equal(fetches(), 1, "once for all replies");
      t.diagnostic(`the first reply of a form took ${times[0]} ms, the next ones ${times.slice(1)} ms`);
    });

    await t.test("ten schemas, streamed or not", async (t) => {
      assert.equal(Object.keys(SCHEMAS).length, 10);
      const maskTimes = [];
      for (const [index, [what, schema]] of Object.entries(SCHEMAS).entries()) {
        const response_format = { type: "json_schema", json_schema: { name: "reply", schema, strict: true } };
        const messages = [{ role: "user", content: `Fill this in: ${JSON.stringify(schema)}` }];
        const request = { messages, response_format, temperature: 0 };
        const { text, finish_reason, timings } = await replyTo(request, index % 2 === 1);
        assert.equal(finish_reason, "stop", `${what}: ${text}`);
        const validate = ajv.compile(schema);
        assert.ok(validate(JSON.parse(text)), `${what}: ${text}: ${JSON.stringify(validate.errors)}`);
        assert.ok(timings.mask_ms >= 0, what);
        maskTimes.push(timings.mask_ms);
      }
      const sorted = maskTimes.toSorted((a, b) => a - b);
      t.diagnostic(`mask_ms ${sorted.map((ms) => ms.toFixed(3)).join(" ")}`);
    });

    await t.test("any object", async () => {
      const { text } = await replyTo({ response_format: { type: "json_object" }, max_tokens: 30 });
      assert.match(text, /^\{/);
    });

    await t.test(
      "a regular expression, a GBNF grammar and a Lark grammar, of chats and completions",
      async () => {
        const regex = "[A-Z]{2}-[0-9]{3,5}";
        for (const stream of [false, true]) {
          const id = await replyTo({ regex }, stream);
          assert.match(id.text, /^[A-Z]{2}-[0-9]{3,5}$/);
          const raw = await replyTo({ prompt: "The answer is", regex, max_tokens: 40 }, stream);
          assert.match(raw.text, /^[A-Z]{2}-[0-9]{3,5}$/);
          assert.ok(raw.timings.mask_ms >= 0);
        }
        const sum = /^[0-9]{1,3}( [+-] [0-9]{1,3}){1,2}$/;
        const gbnf = 'root ::= term (op term){1,2}\nterm ::= [0-9]{1,3}\nop ::= " " ("+" | "-") " "\n';
        assert.match((await replyTo({ grammar: gbnf })).text, sum);
        const definition = 'start: TERM OP TERM (OP TERM)?\nTERM: /[0-9]{1,3}/\nOP: " + " | " - "\n';
        assert.match((await replyTo({ grammar: { syntax: "lark", definition } }, true)).text, sum);
      },
    );

    await t.test("calls that must be made, and one of them at most", async () => {
      const tools = [FORECAST];
      for (const tool_choice of ["required", { type: "function", function: { name: "forecast" } }]) {
        const { calls, finish_reason } = await replyTo({ tools, tool_choice, parallel_tool_calls: false });
        assert.equal(finish_reason, "tool_calls");
        assert.equal(calls.length, 1);
        const { name, arguments: given } = calls[0].function;
        assert.equal(name, "forecast");
        assert.ok(isForecast(JSON.parse(given)), given);
      }
      const free = await replyTo({ tools, parallel_tool_calls: false });
      assert.ok((free.calls ?? []).length <= 1);
    });

    await t.test("what cannot be followed is refused by name", async () => {
      const schema = { type: "object", properties: { a: {} }, dependentSchemas: { a: { required: ["b"] } } };
      const json_schema = { name: "reply", schema };
      const refused = await failureOf({ response_format: { type: "json_schema", json_schema } });
      assert.match(refused, /^invalid-request: the JSON schema cannot be followed: .*dependentSchemas/);
      assert.match(await failureOf({ regex: "(" }), /^invalid-request: the regular expression cannot be/);
      assert.match(await failureOf({ grammar: "root ::= other" }), /names "other", which is not there/);
      assert.match(await failureOf({ tool_choice: "required" }), /the request has no tools/);
      assert.match(await failureOf({ regex: "a", grammar: 'start: "a"' }), /exclude each other/);
    });

    await t.test("a conversation keeps its form", async () => {
      const texts = await tab.evaluate(async () => {
        const session = await model.session({ regex: "[a-c]{3}", enable_thinking: false, temperature: 1 });
        const texts = [];
        for (const said of ["one", "two"]) texts.push((await session.say(said)).choices[0].message.content);
        await session.dispose();
        return texts;
      });
      for (const text of texts) assert.match(text, /^[a-c]{3}$/);
    });

    await t.test("in the page, too: nothing is left behind, and a fault ends one reply", async () => {
      const result = await tab.evaluate(async () => {
        await model.dispose();
        const { textsInUse } = await import("/npm/dist/grammar-module.js");
        const glue = await import("/npm/wasm/qwill_grammar_wasm.js");
        const inline = await load("demo", { worker: "inline" });
        const { completions } = inline.chat;
        const long = { ...ask, regex: "([a-z]{1,9} ){200}" };
        const settled = async () => {
          for (let i = 0; i < 100 && textsInUse() > 0; i++) await new Promise((go) => setTimeout(go, 20));
          return textsInUse();
        };
        const whole = await completions.create({ ...ask, n: 2, regex: "[a-z]{3}" });
        const afterEnd = await settled();
        const stream = await completions.create({ ...long, stream: true });
        let most = 0;
        for await (const _ of stream) {
          most = Math.max(most, textsInUse());
          break;
        }
        const controller = new AbortController();
        const aborted = completions.create({ ...long, signal: controller.signal });
        setTimeout(() => controller.abort(), 200);
        const abort = await failure(aborted);
        const afterAbort = await settled();

        // The sixth list of these replies asks for more memory than there is: a panic in the module, in its midst.
        const { allow } = glue.Matcher.prototype;
        let nLists = 0;
        glue.Matcher.prototype.allow = function (nWords) {
          nLists += 1;
          return allow.call(this, nLists === 6 ? 2 ** 30 : nWords);
        };
        const forms = ["([a-z]{1,9} ){9}", "([0-9]{9}-){9}"];
        const both = await Promise.allSettled(forms.map((regex) => completions.create({ ...ask, regex })));
        glue.Matcher.prototype.allow = allow;
        const after = await completions.create({ ...ask, regex: "[a-z]{3}" });
        const afterFault = await settled();
        await inline.dispose();
        const texts = (reply) => reply.choices.map(({ message }) => message.content);
        return {
          whole: texts(whole),
          most,
          abort,
          counts: [afterEnd, afterAbort, afterFault],
          both: both.map(({ value, reason }) => (value ? texts(value)[0] : reason.message)),
          after: texts(after),
        };
      });
      for (const text of [...result.whole, ...result.after]) assert.match(text, /^[a-z]{3}$/);
      assert.ok(result.most > 0);
      assert.match(result.abort, /^aborted/);
      assert.deepEqual(result.counts, [0, 0, 0]);
      const broken = result.both.filter((text) => /fault in what follows grammars/.test(text));
      const whole = result.both.filter((text) => /^(([a-z]{1,9} ){9}|([0-9]{9}-){9})$/.test(text));
      assert.deepEqual([broken.length, whole.length], [1, 1], JSON.stringify(result.both));
      assert.match(broken[0], /capacity overflow/);
    });
  });
}
