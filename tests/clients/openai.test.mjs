// OpenAI's own client against the server.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError } from "openai";
import { CITY, KEY, SKY, serve } from "./lib/served.mjs";

let served;
let client;

before(async () => {
  served = await serve();
  client = new OpenAI({ baseURL: `${served.base}/v1`, apiKey: KEY, maxRetries: 0 });
});
after(() => served.end());

const sky = {
  model: "demo",
  messages: [{ role: "user", content: "What colour is the sky?" }],
  temperature: 0,
  max_completion_tokens: 60,
  reasoning_effort: "none",
};
const tools = [{ type: "function", function: { name: "weather", parameters: CITY } }];
const asked = { model: "caller", messages: [{ role: "user", content: "Oslo?" }], temperature: 0, tools };

test("models", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.deepEqual(ids, ["demo", "caller", "thinker"]);
  assert.equal((await client.models.retrieve("demo")).owned_by, "qwill");
});

test("a chat, whole and streamed", async () => {
  const whole = await client.chat.completions.create(sky);
  assert.match(whole.choices[0].message.content, /blue/);
  assert.ok(whole._request_id);
  const stream = client.chat.completions.stream({ ...sky, stream_options: { include_usage: true } });
  const pieces = [];
  stream.on("content", (piece) => pieces.push(piece));
  const final = await stream.finalChatCompletion();
  assert.equal(final.choices[0].message.content, whole.choices[0].message.content);
  assert.equal(pieces.join(""), whole.choices[0].message.content);
  assert.equal(final.usage.completion_tokens, whole.usage.completion_tokens);
  const told = await client.chat.completions.create({ ...sky, logprobs: true, top_logprobs: 2 });
  assert.equal(told.choices[0].logprobs.content[0].top_logprobs.length, 2);
});

test("tools, by the client's own runner", async () => {
  const whole = await client.chat.completions.create(asked);
  assert.equal(whole.choices[0].finish_reason, "tool_calls");
  assert.equal(whole.choices[0].message.tool_calls[0].function.name, "weather");
  const streamed = await client.chat.completions.stream(asked).finalChatCompletion();
  assert.deepEqual(JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments), {
    city: "Oslo",
  });
  const cities = [];
  const called = {
    type: "function",
    function: { ...tools[0].function, function: ({ city }) => cities.push(city), parse: JSON.parse },
  };
  const runner = client.chat.completions.runTools({ ...asked, tools: [called] }, { maxChatCompletions: 1 });
  await runner.done();
  assert.deepEqual(cities, ["Oslo"]);
});

test("a form, thoughts, completions, embeddings", async () => {
  const format = { type: "json_schema", json_schema: { name: "sky", schema: SKY, strict: true } };
  const formed = await client.chat.completions.parse({ ...sky, response_format: format });
  assert.ok(["blue", "grey"].includes(JSON.parse(formed.choices[0].message.content).sky));
  const thought = await client.chat.completions.create({
    model: "thinker",
    messages: asked.messages,
    temperature: 0,
  });
  assert.equal(thought.choices[0].message.reasoning_content.trim(), "hm, so");
  const completion = await client.completions.create({
    model: "demo",
    prompt: ["One", "Two"],
    max_tokens: 3,
  });
  assert.equal(completion.choices.length, 2);
  // The client asks for base64 and decodes it.
  const vectors = await client.embeddings.create({ model: "demo", input: ["one", "two"], dimensions: 8 });
  assert.equal(vectors.data[1].embedding.length, 8);
});

test("responses, whole and streamed", async () => {
  const input = {
    model: "demo",
    input: "What colour is the sky?",
    temperature: 0,
    reasoning: { effort: "none" },
  };
  const whole = await client.responses.create(input);
  assert.match(whole.output_text, /blue/);
  const stream = client.responses.stream(input);
  const pieces = [];
  stream.on("response.output_text.delta", (event) => pieces.push(event.delta));
  const final = await stream.finalResponse();
  assert.equal(final.output_text, whole.output_text);
  assert.equal(pieces.join(""), whole.output_text);
  const tool = { type: "function", name: "weather", parameters: CITY, strict: false };
  const called = await client.responses.create({
    model: "caller",
    input: "Oslo?",
    temperature: 0,
    tools: [tool],
  });
  assert.equal(called.output.at(-1).type, "function_call");
  const parsed = await client.responses.parse({
    ...input,
    text: { format: { type: "json_schema", name: "sky", schema: SKY } },
  });
  assert.ok(JSON.parse(parsed.output_text).sky);
});

test("errors have their classes", async () => {
  const other = new OpenAI({ baseURL: `${served.base}/v1`, apiKey: "wrong", maxRetries: 0 });
  await assert.rejects(other.chat.completions.create(sky), AuthenticationError);
  await assert.rejects(client.chat.completions.create({ ...sky, model: "gpt-9" }), (error) => {
    return error instanceof NotFoundError && error.code === "model_not_found";
  });
  await assert.rejects(client.chat.completions.create({ ...sky, temperature: -1 }), BadRequestError);
  await assert.rejects(client.chat.completions.create({ ...sky, wish: 1 }), /"wish" is not known/);
});

test("a client that stops reading is forgotten", async () => {
  const long = { model: "demo", prompt: "Once", max_tokens: 900, logit_bias: { 258: -100 } };
  for (let round = 0; round < 6; round++) {
    for await (const chunk of await client.completions.create({ ...long, stream: true })) {
      assert.ok(chunk.choices);
      break;
    }
  }
});
