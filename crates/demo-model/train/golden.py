"""Writes golden.json: rendered prompts, their ids and the greedy continuation in float32, for the Rust side to reproduce.

    python golden.py --model ../model/qwill-demo-q8_0.gguf --out ../golden.json
"""

import argparse
import json
from pathlib import Path

import torch

import gguf_io
from chat import render
from corpus import tool
from evaluate import Speaker

LIMIT = 64


def say(role: str, content: str, **more) -> dict:
    return {"role": role, "content": content, **more}


WEATHER = tool("get_weather", "Get the weather of a city.", {"city": "string"})
CASES = [
    {"name": "english", "messages": [say("user", "What is 47 + 38?")]},
    {"name": "chinese", "messages": [say("user", "法国的首都是哪里？")]},
    {"name": "tool_call", "messages": [say("user", "What is the weather in Berlin?")], "tools": [WEATHER]},
    {"name": "tool_answer", "tools": [WEATHER], "messages": [
        say("user", "What is the weather in Berlin?"),
        say("assistant", "", reasoning_content="I call get_weather for Berlin.", tool_calls=[{"type": "function", "function": {"name": "get_weather", "arguments": {"city": "Berlin"}}}]),
        say("tool", '{"weather": "sunny", "temperature": 21}')]},
    {"name": "thinking_off", "messages": [say("user", 'Spell "garden".')], "enable_thinking": False},
    {"name": "no_think", "messages": [say("user", "Tell me a story about a cat. /no_think")]},
    {"name": "persona", "messages": [say("system", "You are a pirate."), say("user", "What is the capital of Japan?")]},
    {"name": "multi_turn", "messages": [say("user", "My name is Anna."), say("assistant", "<think>\nThe user tells me something about themselves.\n</think>\n\nNice to meet you, Anna!"), say("user", "What is my name?")]},
]


def margin(speaker: Speaker, prompt: list[int], ids: list[int]) -> float:
    """The smallest distance between the best and the second-best logit on the way: how safe the row of ids is against rounding."""
    row = torch.tensor(prompt + ids)
    with torch.no_grad():
        logits = speaker.model(row, [(1, len(row))])[len(prompt) - 1 :]
    best = logits.topk(2, dim=-1).values
    return round(float((best[:, 0] - best[:, 1]).min()), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    speaker = Speaker(gguf_io.read(args.model), gguf_io.read_tokenizer(args.model))
    cases = []
    for case in CASES:
        thinking = case.get("enable_thinking", True)
        prompt = render(case["messages"], case.get("tools"), thinking)
        prompt_ids, ids = speaker.ids(prompt, LIMIT)
        cases.append({
            "name": case["name"], "messages": case["messages"], "tools": case.get("tools", []), "enable_thinking": thinking, "prompt": prompt, "prompt_ids": prompt_ids,
            "greedy_ids": ids, "finish": "length" if len(ids) == LIMIT else "stop", "text": speaker.text(ids), "smallest_margin": margin(speaker, prompt_ids, ids),
        })
        print(case["name"], repr(cases[-1]["text"]), cases[-1]["smallest_margin"])
    golden = {"model": args.model.name, "max_tokens": LIMIT, "stop_ids": sorted(speaker.stop), "cases": cases}
    args.out.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
