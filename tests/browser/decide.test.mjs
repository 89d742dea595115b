// Typed decisions of two checkpoints in tests/golden against the float32 reference, in both browsers, through the npm
// package.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import test, { suite } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";
import { GOLDEN } from "./lib/site.mjs";

const EXACT = 1e-4;

/** The options of an answer with their probabilities, by what the model reads of them. */
function options({ type, probability, probabilities }) {
  if (type === "predicate") return { Yes: probability, No: 1 - probability };
  const name = (option) => (type === "choice" ? option.value : option.label);
  return Object.fromEntries(probabilities.map((option) => [String(name(option)), option.probability]));
}

/** The largest difference to the probabilities that the reference's logits give. */
function off(answers, logprobs) {
  assert.equal(answers.length, logprobs.length);
  const differences = answers.flatMap((answer, index) => {
    const wanted = Object.entries(logprobs[index]).map(([option, logprob]) => [option, Math.exp(logprob)]);
    const sum = wanted.reduce((sum, [, p]) => sum + p, 0);
    const found = options(answer);
    assert.equal(Object.keys(found).length, wanted.length);
    return wanted.map(([option, p]) => Math.abs(found[option] - p / sum));
  });
  assert.ok(differences.every(Number.isFinite), "an option is missing");
  return Math.max(...differences);
}

suite("decisions", { concurrency: true }, () => {
  for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
    test(browserName, async (t) => {
      const { tab, url } = await openPackagePage(t, launch);
      await tab.evaluate(async () => {
        globalThis.decisions = await import("/decide.js");
      });
      const decide = (request) => tab.evaluate((request) => decisions.decide(request), request);

      for (const name of ["qwen2-tied", "qwen3-tied"]) {
        await t.test(name, async (t) => {
          t.after(() => tab.evaluate(() => decisions.close()));
          const golden = { base: `${url}/golden/${name}`, files: modelFiles(name) };
          await tab.evaluate((golden) => decisions.open(golden), golden);
          const file = path.join(GOLDEN, name, "expected_decisions.json");
          const { request, logprobs } = JSON.parse(readFileSync(file, "utf8"));

          const first = await decide(request);
          const difference = off(first.answers, logprobs);
          t.diagnostic(`off by ${difference.toExponential(1)}`);
          assert.ok(difference <= EXACT, `${difference}`);
          assert.deepEqual(
            first.answers.map(({ type, name }) => [type, name]),
            request.questions.map(({ type, name = null }) => [type, name]),
          );
          assert.equal(first.usage.output_tokens, 0);

          const [predicate, choice, score] = request.questions;
          const turned = { ...choice, choices: choice.choices.toReversed() };
          const again = await decide({ ...request, questions: [predicate, turned, score] });
          assert.ok(off(again.answers, logprobs) <= EXACT);
          assert.equal(again.answers[1].choice, first.answers[1].choice);
          assert.equal(again.answers[1].probabilities[0].value, choice.choices.at(-1).value);
          assert.ok(again.usage.input_tokens_details.cached_tokens > 0);

          const reply = await tab.evaluate((request) => decisions.systemOne(request), {
            state: { text: request.input },
            questions: {
              b: { type: "score", instructions: "How?", criteria: ["low", { is: "high" }] },
              a: { type: "choice", instructions: ["Which?"], criteria: { x: null, y: "The last." } },
            },
          });
          assert.deepEqual(Object.keys(reply.answers), ["b", "a"]);
          assert.deepEqual(reply.answers.b.legend, { 0: "low", 1: '{"is":"high"}' });
          const { x, y } = reply.answers.a.probabilities;
          assert.ok(Math.abs(x + y - 1) < 1e-9 && reply.answers.a.choice === (x > y ? "x" : "y"));

          const input = "The quiet river repairs a machine. ".repeat(16);
          const ten = Array.from({ length: 10 }, (_, i) => ({
            type: "predicate",
            instructions: `It is the ${i}th.`,
          }));
          const nInput = await tab.evaluate((text) => decisions.count(text), input);
          const { usage } = await decide({ input, questions: ten });
          t.diagnostic(`${nInput} tokens of input, ${usage.input_tokens} in all, ${usage.read_tokens} read`);
          assert.ok(usage.read_tokens > nInput);
          assert.ok(usage.read_tokens < 1.5 * nInput + (usage.input_tokens - nInput));

          assert.equal(await tab.evaluate((request) => decisions.abort(request), request), "aborted");
          for (const [wrong, message] of [
            [{ questions: [] }, /questions is empty/],
            [{ input: "" }, /input is empty/],
            [{ questions: [{ ...choice, choices: [{ value: "a" }] }] }, /choices has 1 entries/],
            [{ questions: [{ type: "guess" }] }, /questions\[0\]\.type must be .* not "guess"/],
            [{ state: "x" }, /the field "state" is not known/],
          ]) {
            const refused = await tab.evaluate((request) => decisions.refusal(request), {
              ...request,
              ...wrong,
            });
            assert.match(refused, message);
            assert.match(refused, /^invalid-request: /);
          }
        });
      }
    });
  }
});
