// What clients see of replies that models write with mistakes, streamed or not, in both browsers: models made by
// `crates/testkit/examples/scripted.rs` say what they are told to.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import test, { after, before } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";
import { ROOT } from "./lib/site.mjs";

const folder = mkdtempSync(path.join(os.tmpdir(), "qwill-replies-"));
let cases = [];

before(() => {
  const example = ["run", "--quiet", "-p", "qwill-testkit", "--example", "scripted", "--", folder];
  const { status } = spawnSync("cargo", example, { cwd: ROOT, stdio: "inherit" });
  assert.equal(status, 0);
  cases = JSON.parse(readFileSync(path.join(folder, "cases.json"), "utf8"));
});
after(() => rmSync(folder, { recursive: true }));

/** Whether no tag shows, as it is with control tokens, and line breaks around what does not show count for nothing. */
const bare = (text, tags) => (tags === "Control" ? text.replace(/<\/?(?:think|tool_call)>|\n/g, "") : text);

const read = (calls) => calls.map(({ name, arguments: args }) => [name, JSON.parse(args)]);

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { tab, url } = await openPackagePage(t, launch, { "/scripted/": folder });
    for (const [at, { tools, tags, case: wanted }] of cases.entries()) {
      await t.test(`${wanted.name} (${tags})`, async () => {
        const found = await tab.evaluate(
          async ({ url, tools }) => {
            const { load } = await import("/npm/dist/index.js");
            const model = await load([url], { contextLength: 1024, selfTest: false });
            const request = { messages: [{ role: "user", content: "Hi" }], temperature: 0 };
            if (tools.length > 0) request.tools = tools;
            const whole = (await model.chat.completions.create(request)).choices[0];
            const streamed = { content: "", reasoning: "", calls: [], parts: 0 };
            for await (const chunk of await model.chat.completions.create({ ...request, stream: true })) {
              const { delta, finish_reason } = chunk.choices[0];
              streamed.content += delta.content ?? "";
              streamed.reasoning += delta.reasoning_content ?? "";
              streamed.finish_reason = finish_reason;
              for (const { index, id, function: part } of delta.tool_calls ?? []) {
                streamed.parts += 1;
                if (id) streamed.calls[index] = { name: part.name, arguments: "" };
                streamed.calls[index].arguments += part.arguments;
              }
            }
            await model.dispose();
            return { whole, streamed };
          },
          { url: `${url}/scripted/${at}.gguf`, tools },
        );
        const { message, finish_reason } = found.whole;
        const { streamed } = found;
        const calls = read((message.tool_calls ?? []).map((call) => call.function));
        assert.deepEqual(calls, wanted.calls);
        assert.equal(bare(message.content ?? "", tags), bare(wanted.content, tags));
        if (wanted.reasoning !== undefined) {
          assert.equal(bare(message.reasoning_content ?? "", tags), bare(wanted.reasoning, tags));
        }
        assert.equal(finish_reason, wanted.calls.length > 0 ? "tool_calls" : "stop");
        assert.equal(streamed.content, message.content ?? "");
        assert.equal(streamed.reasoning, message.reasoning_content ?? "");
        assert.equal(streamed.finish_reason, finish_reason);
        // what was begun and broke off is text in the end
        if (finish_reason === "tool_calls") assert.deepEqual(read(streamed.calls), calls);
        if (calls.length > 0 && tools.length > 0)
          assert.ok(streamed.parts > calls.length, `${streamed.parts}`);
      });
    }
  });
}
