// Embeddings and scores of the checkpoints in tests/golden against the float32 reference, in both browsers, through
// the npm package.

import assert from "node:assert/strict";
import test, { suite } from "node:test";
import { LAUNCHERS } from "./lib/browsers.mjs";
import { modelFiles } from "./lib/goldens.mjs";
import { openPackagePage } from "./lib/package-page.mjs";

const EXACT = 2e-4;
const PROMPTS = ["L1", "L7", "L33", "L130"];

suite("embeddings and scores", { concurrency: true }, () => {
  for (const [browserName, launch] of Object.entries(LAUNCHERS)) {
    test(browserName, async (t) => {
      const { tab, url } = await openPackagePage(t, launch);
      await tab.evaluate(async () => {
        globalThis.pooled = await import("/pooled.js");
      });

      /** Runs `body` with the checkpoint as the page's model. */
      const withModel = (name, body) =>
        t.test(name, async (t) => {
          t.after(() => tab.evaluate(() => pooled.close()));
          const golden = { base: `${url}/golden/${name}`, files: modelFiles(name) };
          await tab.evaluate((golden) => pooled.open(golden), golden);
          await body(t);
        });
      const assertClose = (t, off) => {
        t.diagnostic(`off by ${Math.max(...Object.values(off)).toExponential(1)}`);
        for (const [what, difference] of Object.entries(off)) {
          assert.ok(difference <= EXACT, `${what}: ${difference}`);
        }
      };
      const refusals = () => tab.evaluate(() => pooled.refusals());
      const checkScores = () => tab.evaluate((prompts) => pooled.checkScores(prompts), PROMPTS);

      await withModel("qwen3-embed", async (t) => {
        const off = await tab.evaluate(() => pooled.checkEmbeddings());
        assert.deepEqual(Object.keys(off), ["whole", "short", "cases", "query"]);
        assertClose(t, off);
        const { dimensions, score } = await refusals();
        assert.match(dimensions, /^invalid-request: .*1 to 64/);
        assert.match(score, /^invalid-request: .*no reward or classification model/);
      });

      await withModel("qwen2-rm", async (t) => {
        const off = await checkScores();
        assert.ok("L130.tokens" in off && !("steps" in off));
        assertClose(t, off);
        assert.match((await refusals()).completion, /^invalid-request: .*cannot generate/);
      });

      await withModel("qwen2-prm", async (t) => {
        const off = await checkScores();
        assert.ok("L130.tokens" in off && "steps" in off);
        assertClose(t, off);
        const solution = ["One and one.", "", "It is 2."];
        const { last, tokens, steps } = await tab.evaluate((steps) => pooled.scoreSteps(steps), solution);
        assert.equal(steps.length, 3);
        assert.ok(steps.every((p) => p > 0 && p < 1));
        assert.deepEqual(last, tokens.at(-1));
      });

      await withModel("qwen2-seqcls", async (t) => {
        const off = await checkScores();
        assert.ok(!("L130.tokens" in off));
        assertClose(t, off);
      });

      await withModel("qwen3-seqcls", async (t) => {
        assertClose(t, await checkScores());
        const documents = ["The quiet river.", "机器天气", "", "What repairs tomorrow?"];
        const arg = { query: "river?", documents };
        const { ranked, best, alone } = await tab.evaluate((arg) => pooled.rerank(arg), arg);
        assert.deepEqual(ranked.map(({ index }) => index).sort(), [0, 1, 2, 3]);
        // What else runs, and what is in the cache, changes the last bits.
        const [{ score: bestScore, ...first }] = ranked;
        assert.equal(best.length, 1);
        assert.ok(Math.abs(best[0].score - bestScore) <= 1e-5, `${best[0].score} and ${bestScore}`);
        assert.deepEqual(best, [{ ...first, score: best[0].score }]);
        for (const [place, { index, score, document }] of ranked.entries()) {
          assert.equal(document, documents[index]);
          assert.ok(score > 0 && score < 1 && Math.abs(score - alone[index]) <= 1e-5, `${score}`);
          assert.ok(place === 0 || score <= ranked[place - 1].score);
        }
      });
    });
  }
});
