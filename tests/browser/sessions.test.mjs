// Conversations that go on, fork, are rewound, saved and restored, in both browsers.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { tab, url } = await openPackagePage(t, launch);
    await tab.evaluate(async () => {
      const { load, sessions } = await import("/npm/dist/index.js");
      Object.assign(globalThis, { load, sessions, name: "demo / é" });
      globalThis.options = { exact: true, contextLength: 1024 };
      globalThis.model = await load("demo", options);
      globalThis.begin = (more) =>
        model.session({
          messages: [{ role: "system", content: "You answer in one short sentence." }],
          temperature: 0,
          max_tokens: 24,
          enable_thinking: false,
          ...more,
        });
      globalThis.contents = ({ messages }) => messages.map(({ content }) => content);
      globalThis.say = async (session, text) => {
        const { choices, usage } = await session.say(text);
        return { text: choices[0].message.content, cached: usage.prompt_tokens_details.cached_tokens };
      };
      /** The same conversation from its first word on. */
      globalThis.replay = async (...texts) => {
        const session = await begin();
        const replies = [];
        for (const text of texts) replies.push((await say(session, text)).text);
        await session.dispose();
        return replies;
      };
    });

    await t.test("forks and rewound conversations are as if replayed", async () => {
      const found = await tab.evaluate(async () => {
        const session = await begin();
        await say(session, "What colour is the sky?");
        await say(session, "And what colour is grass?");
        const fork = await session.fork();
        const three = await say(session, "What is two plus three?");
        const other = await say(fork, "Tell me a story about a cat.");
        const lengths = [session.messages.length, fork.messages.length];
        await session.rewind(5);
        lengths.push(session.messages.length);
        const rewound = await say(session, "Tell me a story about a cat.");
        const undone = await session.undo();
        lengths.push(session.messages.length);
        const again = await say(session, "What is two plus three?");
        const { messages } = session;
        await Promise.all([session.dispose(), fork.dispose()]);
        const texts = ["What colour is the sky?", "And what colour is grass?"];
        return {
          replies: [three.text, other.text, rewound.text, again.text],
          cached: other.cached,
          lengths,
          undone,
          messages,
          replayed: await replay(...texts, "What is two plus three?"),
          parted: await replay(...texts, "Tell me a story about a cat."),
        };
      });
      const [three, other] = [found.replayed[2], found.parted[2]];
      assert.notEqual(three, other);
      assert.deepEqual(found.replies, [three, other, other, three]);
      assert.deepEqual(found.lengths, [7, 7, 5, 5]);
      assert.ok(found.undone);
      assert.ok(found.cached > 20, `${found.cached} tokens were cached`);
      assert.deepEqual(
        found.messages.map(({ role }) => role).join(),
        "system,user,assistant,user,assistant,user,assistant",
      );
      assert.deepEqual(
        found.messages.filter(({ role }) => role === "assistant").map(({ content }) => content),
        found.replayed,
      );
    });

    await t.test(
      "a streamed turn says what a whole one says, one that is aborted was never said",
      async () => {
        const found = await tab.evaluate(async () => {
          const question = "Tell me a story about a cat.";
          // Replies that would go on for long: however late a browser delivers the abort, it comes in the midst of one.
          const [endless] = (await model.tokenize(" cat")).ids;
          const session = await begin({ max_tokens: 400, logit_bias: { [endless]: 100 } });
          await session.push({ role: "user", content: "Hello!" }, { role: "assistant", content: "Hi." });
          const before = contents(session);
          const controller = new AbortController();
          const aborted = await session.say(question, { stream: true, signal: controller.signal });
          const code = await (async () => {
            for await (const chunk of aborted) if (chunk.choices[0]?.delta.content) controller.abort();
          })().catch((error) => error.code);
          const kept = [contents(session), contents(await session.fork())];
          for await (const chunk of await session.say(question, { stream: true })) {
            if (chunk.choices[0]?.delta.content) break;
          }
          const said = contents(await session.fork());

          const other = await begin();
          await say(other, "What colour is the sky?");
          let text = "";
          let last;
          for await (const chunk of await other.say(question, { stream: true })) {
            text += chunk.choices[0].delta.content ?? "";
            last = chunk;
          }
          const all = contents(other);
          const [, replayed] = await replay("What colour is the sky?", question);
          return { code, before, kept, said, question, text, last, all, replayed };
        });
        assert.equal(found.code, "aborted");
        assert.deepEqual(found.kept, [found.before, found.before]);
        assert.deepEqual(found.said.slice(0, -1), [...found.before, found.question]);
        assert.match(found.said.at(-1), /^ ?c/, "what was stopped was said");
        assert.ok(found.said.at(-1).length < 400, "and no more");
        assert.equal(found.text, found.replayed);
        assert.equal(found.all.at(-1), found.replayed);
        assert.equal(found.last.object, "chat.completion.chunk");
        assert.ok(found.last.usage.prompt_tokens_details.cached_tokens > 20);
      },
    );

    await t.test("a session that was saved goes on as if never interrupted", async () => {
      const found = await tab.evaluate(async () => {
        // none of it was said before, so that the cache knows it from nobody else
        const session = await begin();
        await say(session, "Do you like to go to the beach?");
        const file = await session.save(name);
        const through = [await say(session, "And what do you see there?")];
        through.push(await say(session, "What is seven plus one?"));
        const list = await sessions.list();
        await model.dispose();
        const late = await session.say("Hello?").catch((error) => error.code);
        globalThis.model = await load("demo", options);
        const restored = [];
        for (const from of [name, file]) {
          const session = await model.restoreSession(from);
          const { length } = session.messages;
          const replies = [await say(session, "And what do you see there?")];
          replies.push(await say(session, "What is seven plus one?"));
          restored.push({ length, replies });
        }
        return { bytes: file.size, through, list, late, restored };
      });
      assert.deepEqual(found.list, [{ name: "demo / é", bytes: found.bytes }]);
      assert.equal(found.late, "disposed");
      assert.ok(found.through[0].cached > 20);
      for (const { length, replies } of found.restored) {
        assert.equal(length, 3);
        assert.deepEqual(
          replies.map(({ text }) => text),
          found.through.map(({ text }) => text),
        );
      }
      // nothing of it was read again
      assert.equal(found.restored[0].replies[0].cached, found.through[0].cached);
    });

    await t.test("a session of another model is refused, and names that are gone", async () => {
      const golden = modelFiles("qwen3-tied").map((file) => `${url}/golden/qwen3-tied/${file}`);
      const found = await tab.evaluate(async (golden) => {
        const other = await load(golden, { ...options, storage: "none" });
        const failure = (promise) => promise.catch(({ code, message }) => `${code}: ${message}`);
        const said = [
          await failure(other.restoreSession(name)),
          await failure(model.restoreSession(new Blob(["not a session at all"]))),
          await failure(model.restoreSession("nobody")),
        ];
        await other.dispose();
        const removed = [await sessions.delete(name), await sessions.delete(name)];
        return { said, removed, list: await sessions.list() };
      }, golden);
      assert.match(found.said[0], /^invalid-request: .*cannot be restored: it is one with .*, this model is/);
      assert.match(found.said[1], /^invalid-request: .*it is no session file/);
      assert.match(found.said[2], /^not-found: .*"nobody"; there are: "demo \/ é"/);
      assert.deepEqual(found.removed, [true, false]);
      assert.deepEqual(found.list, []);
    });

    await t.test("a model in the page is disposed of with its sessions", async () => {
      const codes = await tab.evaluate(async () => {
        const model = await load("demo", { ...options, worker: "inline" });
        const session = await model.session({ max_tokens: 200 });
        const said = session.say("Hello!").catch((error) => error.code);
        await new Promise((resolve) => setTimeout(resolve, 50));
        await model.dispose();
        return [await said, await session.fork().catch((error) => error.code)];
      });
      assert.deepEqual(codes, ["disposed", "disposed"]);
    });
  });
}
