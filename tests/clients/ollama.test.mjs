// Ollama's own client against the server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Ollama } from "ollama";
import { CITY, KEY, SKY, serve } from "./lib/served.mjs";

let served;
let client;

before(async () => {
  served = await serve();
  client = new Ollama({ host: served.base, headers: { Authorization: `Bearer ${KEY}` } });
});
after(() => served.end());

const options = { temperature: 0, num_predict: 60 };
const sky = {
  model: "demo",
  think: false,
  options,
  messages: [{ role: "user", content: "What colour is the sky?" }],
};

test("a chat, whole and streamed", async () => {
  const whole = await client.chat(sky);
  assert.match(whole.message.content, /blue/);
  assert.ok(whole.done && whole.eval_count > 0 && whole.total_duration > 0);
  let text = "";
  for await (const part of await client.chat({ ...sky, stream: true })) text += part.message.content;
  assert.equal(text, whole.message.content);
  const formed = await client.chat({ ...sky, format: SKY });
  assert.ok(JSON.parse(formed.message.content).sky);
  const said = await client.generate({
    model: "demo",
    prompt: "What colour is the sky?",
    think: false,
    options,
  });
  assert.equal(said.response, text);
});

test("tools, thoughts, embeddings", async () => {
  const tools = [{ type: "function", function: { name: "weather", parameters: CITY } }];
  const called = await client.chat({ model: "caller", messages: sky.messages, options, tools });
  assert.deepEqual(called.message.tool_calls[0].function.arguments, { city: "Oslo" });
  const thought = await client.chat({ model: "thinker", messages: sky.messages, options });
  assert.equal(thought.message.thinking.trim(), "hm, so");
  const { embeddings } = await client.embed({ model: "demo", input: ["one", "two"] });
  assert.equal(embeddings.length, 2);
});

test("models and errors", async () => {
  const { models } = await client.list();
  assert.deepEqual(
    models.map((model) => model.name),
    ["demo", "caller", "thinker"],
  );
  assert.ok((await client.show({ model: "demo" })).capabilities.includes("completion"));
  assert.ok((await client.ps()).models.length > 0);
  assert.ok((await client.version()).version);
  await assert.rejects(client.chat({ ...sky, model: "other" }), { status_code: 404 });
});
