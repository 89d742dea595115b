// What a web developer does with the package, in both browsers.

import assert from "node:assert/strict";
import test from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { openPackagePage } from "./lib/package-page.mjs";
import { servePackage } from "./lib/site.mjs";

for (const [name, launch] of Object.entries(LAUNCHERS)) {
  test(name, async (t) => {
    const { browser, tab, url } = await openPackagePage(t, launch);
    await tab.evaluate(async () => {
      globalThis.qwill = await import("/npm/dist/index.js");
      /** Runs something that must fail and says how. */
      globalThis.failure = async (promise) => {
        try {
          await promise;
        } catch (error) {
          const { code, name, message } = error;
          return { isQwillError: error instanceof qwill.QwillError, code, name, message };
        }
        return "no error";
      };
      globalThis.hello = [{ role: "user", content: "Hello!" }];
    });

    /** @param {(code: string, message: RegExp) => void} expected */
    const expectFailure = async (code, message, run, arg) => {
      const error = await tab.evaluate(run, arg);
      assert.equal(error.code, code, JSON.stringify(error));
      assert.ok(error.isQwillError);
      assert.match(error.message, message);
    };

    await t.test("loads the demo model in a worker and streams a reply", async (t) => {
      const result = await tab.evaluate(async () => {
        const progress = [];
        const begun = performance.now();
        const model = await qwill.load("demo", { onProgress: (p) => progress.push(p) });
        const loadMs = performance.now() - begun;
        globalThis.model = model;
        const chunks = [];
        const stream = await model.chat.completions.create({
          messages: hello,
          stream: true,
          max_tokens: 40,
          temperature: 0,
          enable_thinking: false,
        });
        for await (const chunk of stream) chunks.push(chunk);
        const whole = await model.chat.completions.create({
          messages: hello,
          max_tokens: 40,
          temperature: 0,
          enable_thinking: false,
        });
        return { info: model.info, progress, chunks, whole, loadMs };
      });
      const { info, progress, chunks, whole } = result;
      t.diagnostic(
        `${info.gpu}: loaded in ${Math.round(result.loadMs)} ms, ${JSON.stringify(whole.timings)}`,
      );
      assert.equal(info.architecture, "qwen3");
      assert.ok(info.gpu.length > 0 && info.contextLength > 0 && info.parameters > 0);
      assert.ok(
        progress.some(({ loaded, total }) => total > 0 && loaded === total),
        "progress reaches the end",
      );

      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
      t.diagnostic(JSON.stringify(text));
      assert.ok(text.length > 0);
      assert.ok(chunks.length > 3, "more than one piece of text");
      assert.equal(whole.choices[0].message.content, text, "the same greedy reply, streamed or not");
      assert.equal(chunks.at(-1).choices[0].finish_reason, whole.choices[0].finish_reason);
      assert.ok(["stop", "length"].includes(whole.choices[0].finish_reason));
      const { usage } = chunks.at(-1);
      assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
      assert.ok(whole.timings.decode_tps > 0);
    });

    await t.test("a conversation goes on, and a seed repeats a reply", async () => {
      const replies = await tab.evaluate(async () => {
        const messages = [
          ...hello,
          { role: "assistant", content: "Hi!" },
          { role: "user", content: "What is 2 + 3?" },
        ];
        const request = { messages, seed: 7, temperature: 1, max_tokens: 24 };
        const texts = [];
        for (let i = 0; i < 2; i++) {
          const { choices } = await model.chat.completions.create(request);
          texts.push(`${choices[0].message.reasoning_content}|${choices[0].message.content}`);
        }
        return texts;
      });
      assert.equal(replies[0], replies[1]);
    });

    await t.test("tokenizes", async () => {
      const { ids, tokens } = await tab.evaluate(() => model.tokenize("Hello, 世界!"));
      assert.equal(ids.length, tokens.length);
      assert.ok(ids.length > 2);
    });

    await t.test("completes text, streamed or not", async () => {
      const { whole, text, last } = await tab.evaluate(async () => {
        const request = { prompt: "The sky is", max_tokens: 12, temperature: 0 };
        const whole = await model.completions.create(request);
        let text = "";
        let last;
        for await (const chunk of await model.completions.create({ ...request, stream: true })) {
          text += chunk.choices[0].text;
          last = chunk;
        }
        return { whole, text, last };
      });
      assert.ok(text.length > 0);
      assert.equal(whole.choices[0].text, text);
      assert.equal(whole.object, "text_completion");
      assert.equal(last.choices[0].finish_reason, whole.choices[0].finish_reason);
      assert.equal(last.usage.completion_tokens, whole.usage.completion_tokens);
    });

    await t.test(
      "a stopped stream ends with usage, an aborted one throws, and the model goes on",
      async () => {
        const result = await tab.evaluate(async () => {
          const request = { messages: hello, stream: true, max_tokens: 400, temperature: 1, seed: 3 };
          const stopped = await model.chat.completions.create(request);
          let last;
          let seen = 0;
          for await (const chunk of stopped) {
            last = chunk;
            if (++seen === 3) stopped.stop();
          }

          const controller = new AbortController();
          const aborted = await model.chat.completions.create({ ...request, signal: controller.signal });
          const error = await failure(
            (async () => {
              for await (const _ of aborted) controller.abort();
            })(),
          );

          for await (const _ of await model.chat.completions.create(request)) break;
          const after = await model.chat.completions.create({ messages: hello, max_tokens: 2 });
          return { last, error, after };
        });
        assert.ok(result.last.usage.completion_tokens < 100, JSON.stringify(result.last));
        assert.equal(result.error.code, "aborted");
        assert.equal(result.error.name, "AbortError");
        assert.ok(result.after.usage.completion_tokens <= 2);
      },
    );

    await t.test("how much to think, and OpenAI's second argument", async () => {
      const { off, none, error } = await tab.evaluate(async () => {
        const request = { messages: hello, max_tokens: 12, temperature: 0 };
        const { completions } = model.chat;
        const off = await completions.create({ ...request, enable_thinking: false });
        const none = await completions.create({ ...request, reasoning_effort: "none" });
        const error = await failure(completions.create({ ...request, max_tokens: 500 }, { timeout: 1 }));
        return { off, none, error };
      });
      assert.equal(none.choices[0].message.content, off.choices[0].message.content);
      assert.equal(none.usage.completion_tokens_details.reasoning_tokens, 0);
      assert.deepEqual([error.code, error.name, error.isQwillError], ["timeout", "TimeoutError", true]);
    });

    await t.test("requests that cannot be served", async () => {
      await expectFailure("invalid-request", /"topP" is not known/, () =>
        failure(model.chat.completions.create({ messages: hello, topP: 1 })),
      );
      await expectFailure("prompt-too-long", /token/, () => {
        const content = "one two three ".repeat(20_000);
        return failure(model.chat.completions.create({ messages: [{ role: "user", content }] }));
      });
    });

    await t.test("fills a gap, and ends thoughts whose budget is spent", async () => {
      const { middle, plain, thoughts } = await tab.evaluate(async () => {
        const read = async (name) => (await fetch(`/golden/qwen3-tied/${name}`)).blob();
        const json = async (name) => JSON.parse(await (await read(name)).text());
        // A tokenizer that knows all of a gap, no token that ends a reply, and a template that opens the thoughts.
        const tokenizer = await json("tokenizer.json");
        const [added] = tokenizer.added_tokens;
        tokenizer.added_tokens.push({ ...added, id: 436, content: "<|fim_suffix|>" });
        const config = { ...(await json("config.json")), eos_token_id: 447 };
        const chat_template =
          "{% for m in messages %}<|im_start|>{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>a\n<think>\n";
        const files = {
          "config.json": JSON.stringify(config),
          "generation_config.json": JSON.stringify({ eos_token_id: 447 }),
          "tokenizer.json": JSON.stringify(tokenizer),
          "tokenizer_config.json": JSON.stringify({ eos_token: "!", chat_template }),
          "model.safetensors": await read("model.safetensors"),
        };
        const coder = await qwill.load(Object.entries(files).map(([name, data]) => new File([data], name)));
        const gap = { prompt: "fn add(", suffix: ") <|fim_middle|>", max_tokens: 4, temperature: 0 };
        const middle = await coder.completions.create(gap);
        const plain = await coder.completions.create({ ...gap, suffix: null });
        const thoughts = await coder.chat.completions.create({
          messages: hello,
          thinking_budget: 7,
          max_tokens: 100,
          temperature: 0,
        });
        await coder.dispose();
        return { middle, plain, thoughts };
      });
      assert.ok(middle.usage.prompt_tokens > plain.usage.prompt_tokens + 3, JSON.stringify(middle.usage));
      assert.notEqual(middle.choices[0].text, plain.choices[0].text);
      const [{ message, finish_reason }] = thoughts.choices;
      assert.match(message.reasoning_content, /limited time by the user/);
      const { completion_tokens, completion_tokens_details } = thoughts.usage;
      const { reasoning_tokens } = completion_tokens_details;
      assert.ok(
        reasoning_tokens >= 7 && reasoning_tokens < completion_tokens,
        JSON.stringify(thoughts.usage),
      );
      assert.ok(message.content.length > 0);
      assert.equal(finish_reason, "length");
    });

    await t.test("after dispose the model says so", async () => {
      await expectFailure("disposed", /disposed/, async () => {
        await model.dispose();
        return failure(model.tokenize("x"));
      });
    });

    await t.test("loads inline, from a File, with a context length", async () => {
      const info = await tab.evaluate(async () => {
        const response = await fetch("/npm/wasm/qwill-demo-q8_0.gguf");
        const file = new File([await response.blob()], "renamed.gguf");
        const model = await qwill.load(file, { worker: "inline", contextLength: 256 });
        const { choices } = await model.chat.completions.create({ messages: hello, max_tokens: 4 });
        const info = { ...model.info, finish: choices[0].finish_reason };
        await model.dispose();
        return info;
      });
      assert.equal(info.contextLength, 256);
    });

    await t.test("a load is abandoned in the middle of the download", async () => {
      const { error, seen, ms } = await tab.evaluate(async () => {
        const controller = new AbortController();
        let seen;
        const begun = performance.now();
        const load = qwill.load("/slow/npm/wasm/qwill-demo-q8_0.gguf", {
          signal: controller.signal,
          onProgress(progress) {
            seen = progress;
            if (progress.loaded > 100_000) controller.abort();
          },
        });
        return { error: await failure(load), seen, ms: performance.now() - begun };
      });
      assert.equal(error.code, "aborted");
      assert.equal(seen.stage, "download");
      assert.ok(seen.loaded < seen.total, JSON.stringify({ seen, ms }));
    });

    await t.test("files that are no model", async () => {
      await expectFailure("invalid-file", /\.gguf/, () =>
        failure(qwill.load(new File(["no model at all, just text"], "notes.gguf"))),
      );
      await expectFailure("invalid-file", /cut\.gguf/, async () => {
        const whole = await (await fetch("/npm/wasm/qwill-demo-q8_0.gguf")).blob();
        return failure(qwill.load(new File([whole.slice(0, whole.size >> 1)], "cut.gguf")));
      });
      await expectFailure("unknown-architecture", /Mamba.*qwen3/, async () => {
        const folder = "/golden/qwen3-tied";
        const config = await (await fetch(`${folder}/config.json`)).json();
        config.model_type = "mamba";
        config.architectures = ["MambaForCausalLM"];
        const other = await Promise.all(
          ["tokenizer.json", "model.safetensors"].map(
            async (name) => new File([await (await fetch(`${folder}/${name}`)).blob()], name),
          ),
        );
        return failure(qwill.load([new File([JSON.stringify(config)], "config.json"), ...other]));
      });
      await expectFailure("not-found", /404/, () => failure(qwill.load("/nothing/here.gguf")));
    });

    await t.test("a device that is lost in the middle is a pause, unless there is no other", async () => {
      const result = await tab.evaluate(async () => {
        const devices = [];
        const original = GPUAdapter.prototype.requestDevice;
        let requestDevice = original;
        GPUAdapter.prototype.requestDevice = async function (descriptor) {
          const device = await requestDevice.call(this, descriptor);
          devices.push(device);
          return device;
        };
        const reasons = [];
        const onRebuild = (reason) => reasons.push(reason);
        const model = await qwill.load("demo", { worker: "inline", onRebuild });
        const request = { messages: hello, max_tokens: 30, temperature: 0, enable_thinking: false };
        /** A reply whose device goes after a few pieces of it. */
        const read = async (lose) => {
          let text = "";
          let n = 0;
          for await (const { choices } of await model.chat.completions.create({ ...request, stream: true })) {
            text += choices[0].delta.content ?? "";
            if (++n === 4) lose();
          }
          return text;
        };
        const lose = () => devices.at(-1).destroy();
        const texts = [await read(() => {}), await read(lose), await read(() => {})];
        const opened = devices.length;
        const isLost = await Promise.race([model.lost.then(() => true), Promise.resolve(false)]);
        requestDevice = () => Promise.reject(new DOMException("no more devices", "OperationError"));
        const middle = await failure(read(lose));
        const after = await failure(model.chat.completions.create(request));
        const lost = await model.lost;
        await model.dispose();
        GPUAdapter.prototype.requestDevice = original;
        return { texts, opened, reasons, isLost, middle, after, lost: lost.code };
      });
      const [undisturbed, ...others] = result.texts;
      assert.ok(undisturbed.length > 10);
      assert.deepEqual(others, [undisturbed, undisturbed]);
      assert.equal(result.opened, 2);
      assert.equal(result.isLost, false);
      assert.equal(result.reasons.length, 2);
      assert.equal(result.middle.code, "device-lost", JSON.stringify(result));
      assert.match(result.middle.message, /Load the model again/);
      assert.equal(result.after.code, "device-lost");
      assert.equal(result.lost, "device-lost");
    });

    await t.test("imported from another origin, as from a CDN, it still runs in a worker", async (t) => {
      const cdn = await servePackage();
      t.after(() => cdn.close());
      const { warnings, info } = await tab.evaluate(async (address) => {
        const warnings = [];
        console.warn = (...words) => warnings.push(words.join(" "));
        const { load } = await import(address);
        const model = await load("demo");
        await model.dispose();
        return { warnings, info: model.info };
      }, `${cdn.url}/npm/dist/index.js`);
      assert.deepEqual(warnings, []);
      assert.equal(info.architecture, "qwen3");
    });

    await t.test("a browser without WebGPU", async () => {
      const bare = await browser.open();
      await bare.goto(`${url}/blank.html`);
      const error = await bare.evaluate(async () => {
        Object.defineProperty(Navigator.prototype, "gpu", { value: undefined, configurable: true });
        const { load } = await import("/npm/dist/index.js");
        try {
          await load("demo");
        } catch ({ code, message }) {
          return { code, message };
        }
      });
      assert.equal(error.code, "webgpu-unavailable");
      assert.match(error.message, /(Chrome|Firefox) \d+ does not offer WebGPU.*Safari 26/);
      await bare.close();
    });
  });
}
