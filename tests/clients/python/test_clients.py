"""The official Python clients, and LangChain's chat model, against the server of crates/server/examples/scripted_server.rs."""

import json
import os
import pathlib
import subprocess
import unittest
from typing import Literal

import anthropic
import ollama
import openai
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

ROOT = pathlib.Path(__file__).parents[3]
KEY = "secret"
SKY = [{"role": "user", "content": "What colour is the sky?"}]
OSLO = [{"role": "user", "content": "Oslo?"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class Sky(BaseModel):
    """A form for replies."""

    sky: Literal["blue", "grey"]


@tool
def weather(city: str) -> str:
    """Tells the weather."""
    return f"Rain in {city}."


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # As the tests have built it, or built now.
        built = os.environ.get("QWILL_SCRIPTED")
        run = [built] if built else ["cargo", "run", "--quiet", "--package", "qwill-server", "--example", "scripted_server"]
        cls.server = subprocess.Popen(run, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        cls.base = cls.server.stdout.readline().strip()

    @classmethod
    def tearDownClass(cls):
        cls.server.stdin.close()
        cls.server.wait()
        cls.server.stdout.close()

    def test_openai(self):
        client = openai.OpenAI(base_url=f"{self.base}/v1", api_key=KEY, max_retries=0)
        usual = {"model": "demo", "messages": SKY, "temperature": 0, "max_tokens": 60, "reasoning_effort": "none"}
        whole = client.chat.completions.create(**usual)
        self.assertIn("blue", whole.choices[0].message.content)
        with client.chat.completions.stream(**usual) as stream:
            final = stream.get_final_completion()
        self.assertEqual(final.choices[0].message.content, whole.choices[0].message.content)
        parsed = client.chat.completions.parse(**usual, response_format=Sky)
        self.assertIsInstance(parsed.choices[0].message.parsed, Sky)
        tools = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
        called = client.chat.completions.create(model="caller", messages=OSLO, temperature=0, tools=tools)
        self.assertEqual(called.choices[0].message.tool_calls[0].function.name, "weather")
        self.assertEqual(len(client.embeddings.create(model="demo", input=["a", "b"]).data), 2)
        asked = {"model": "demo", "input": SKY[0]["content"], "reasoning": {"effort": "none"}, "temperature": 0}
        response = client.responses.parse(**asked, text_format=Sky)
        self.assertIsInstance(response.output_parsed, Sky)
        question = {"type": "predicate", "name": "sky", "instructions": "It is about the sky."}
        decision = client.decisions.create(model="demo", input=SKY[0]["content"], questions=[question])
        self.assertEqual((decision.answers[0].type, decision.answers[0].name), ("predicate", "sky"))
        with self.assertRaises(openai.NotFoundError):
            client.chat.completions.create(**{**usual, "model": "gpt-9"})
        with self.assertRaises(openai.BadRequestError):
            client.chat.completions.create(**usual, extra_body={"wish": 1})
        with self.assertRaises(openai.AuthenticationError):
            openai.OpenAI(base_url=f"{self.base}/v1", api_key="x", max_retries=0).models.list()

    def test_anthropic(self):
        client = anthropic.Anthropic(base_url=self.base, api_key=KEY, max_retries=0)
        usual = {"model": "demo", "messages": SKY, "extra_body": {"temperature": 0}, "max_tokens": 60}
        whole = client.messages.create(**usual)
        self.assertIn("blue", whole.content[0].text)
        with client.messages.stream(**usual) as stream:
            self.assertEqual("".join(stream.text_stream), whole.content[0].text)
        tools = [{"name": "weather", "input_schema": CITY}]
        with client.messages.stream(**{**usual, "model": "caller", "messages": OSLO}, tools=tools) as stream:
            called = stream.get_final_message()
        self.assertEqual((called.stop_reason, called.content[-1].input), ("tool_use", {"city": "Oslo"}))
        thought = client.messages.create(**{**usual, "model": "thinker"})
        self.assertEqual([block.type for block in thought.content], ["thinking", "text"])
        with self.assertRaises(anthropic.NotFoundError):
            client.messages.create(**{**usual, "model": "claude"})
        with self.assertRaises(anthropic.BadRequestError):
            client.messages.create(**{**usual, "max_tokens": 0})

    def test_ollama(self):
        client = ollama.Client(host=self.base, headers={"Authorization": f"Bearer {KEY}"})
        options = {"temperature": 0, "num_predict": 60}
        whole = client.chat("demo", SKY, think=False, options=options)
        self.assertIn("blue", whole.message.content)
        parts = client.chat("demo", SKY, think=False, options=options, stream=True)
        self.assertEqual("".join(part.message.content for part in parts), whole.message.content)
        formed = client.chat("demo", SKY, think=False, options=options, format=Sky.model_json_schema())
        self.assertIn("sky", json.loads(formed.message.content))
        tools = [{"type": "function", "function": {"name": "weather", "parameters": CITY}}]
        called = client.chat("caller", OSLO, options=options, tools=tools)
        self.assertEqual(called.message.tool_calls[0].function.arguments, {"city": "Oslo"})
        self.assertEqual(len(client.embed("demo", ["a", "b"]).embeddings), 2)
        self.assertEqual([model.model for model in client.list().models], ["demo", "caller", "thinker"])
        with self.assertRaises(ollama.ResponseError) as refused:
            client.chat("other", SKY)
        self.assertEqual(refused.exception.status_code, 404)

    def test_langchain(self):
        def model(name, **more):
            return ChatOpenAI(model=name, base_url=f"{self.base}/v1", api_key=KEY, temperature=0, max_retries=0, **more)

        quick = {"extra_body": {"enable_thinking": False}}
        self.assertIn("blue", model("demo", **quick).invoke("What colour is the sky?").content)
        text = "".join(chunk.text for chunk in model("demo", **quick).stream("What colour is the sky?"))
        self.assertIn("blue", text)
        called = model("caller").bind_tools([weather]).invoke("Oslo?")
        self.assertEqual(called.tool_calls[0]["args"], {"city": "Oslo"})
        self.assertIsInstance(model("demo", **quick).with_structured_output(Sky).invoke("What colour is the sky?"), Sky)
        embed = OpenAIEmbeddings(model="demo", base_url=f"{self.base}/v1", api_key=KEY, check_embedding_ctx_length=False)
        self.assertGreater(len(embed.embed_query("sky")), 0)


if __name__ == "__main__":
    os.chdir(ROOT)
    unittest.main()
