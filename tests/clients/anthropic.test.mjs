// Anthropic's own client against the server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import Anthropic, { AuthenticationError, BadRequestError, NotFoundError } from "@anthropic-ai/sdk";
import { CITY, KEY, serve } from "./lib/served.mjs";

let served;
let client;

before(async () => {
  served = await serve();
  client = new Anthropic({ baseURL: served.base, apiKey: KEY, maxRetries: 0 });
});
after(() => served.end());

const sky = {
  model: "demo",
  max_tokens: 60,
  temperature: 0,
  messages: [{ role: "user", content: "What colour is the sky?" }],
};
const tools = [{ name: "weather", input_schema: CITY }];

test("a message, whole and streamed", async () => {
  const whole = await client.messages.create(sky);
  assert.match(whole.content[0].text, /blue/);
  assert.equal(whole.stop_reason, "end_turn");
  const stream = client.messages.stream(sky);
  const pieces = [];
  stream.on("text", (piece) => pieces.push(piece));
  const final = await stream.finalMessage();
  assert.equal(pieces.join(""), whole.content[0].text);
  assert.equal(final.stop_reason, "end_turn");
  assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
  const stopped = await client.messages.create({ ...sky, stop_sequences: ["blue"] });
  assert.deepEqual([stopped.stop_reason, stopped.stop_sequence], ["stop_sequence", "blue"]);
  const { input_tokens } = await client.messages.countTokens({ model: "demo", messages: sky.messages });
  assert.equal(input_tokens, whole.usage.input_tokens + whole.usage.cache_read_input_tokens);
});

test("tools and thoughts", async () => {
  const asked = { ...sky, model: "caller", tools, messages: [{ role: "user", content: "Oslo?" }] };
  for (const called of [
    await client.messages.create(asked),
    await client.messages.stream(asked).finalMessage(),
  ]) {
    assert.equal(called.stop_reason, "tool_use");
    assert.deepEqual(called.content.at(-1).input, { city: "Oslo" });
  }
  const thought = await client.messages.stream({ ...sky, model: "thinker" }).finalMessage();
  assert.deepEqual(
    thought.content.map((block) => block.type),
    ["thinking", "text"],
  );
});

test("models, and errors with their classes", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ["demo", "caller", "thinker"]);
  const other = new Anthropic({ baseURL: served.base, apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(other.messages.create(sky), AuthenticationError);
  await assert.rejects(client.messages.create({ ...sky, model: "claude" }), NotFoundError);
  await assert.rejects(client.messages.create({ ...sky, max_tokens: 0 }), BadRequestError);
});
