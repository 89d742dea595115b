"""Chats as text: rendering with the model's own template, and the text that the model is to write."""

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

TEMPLATE = Path(__file__).with_name("chat_template.jinja")


@dataclass
class Chat:
    """A conversation whose last message, by the assistant, is what the model has to produce.

    `check` tells the evaluation how to judge another answer, see `evaluate.judge`.
    """

    skill: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list)
    enable_thinking: bool = True
    check: dict[str, Any] = field(default_factory=dict)


@cache
def _template() -> jinja2.Template:
    env = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
    env.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return env.from_string(TEMPLATE.read_text(encoding="utf-8"))


def render(messages: list[dict], tools: list[dict] | None = None, enable_thinking: bool = True, generate: bool = True) -> str:
    return _template().render(messages=messages, tools=tools or None, enable_thinking=enable_thinking, add_generation_prompt=generate)


def prompt_and_target(chat: Chat) -> tuple[str, str]:
    """What the model reads, and what it has to write after it (with the end mark)."""
    prompt = render(chat.messages[:-1], chat.tools, chat.enable_thinking)
    last = chat.messages[-1]
    thought = last.get("reasoning_content", "")
    target = ""
    if chat.enable_thinking:
        target = f"<think>\n{thought}\n</think>\n\n"
    target += last["content"]
    calls = [json.dumps(call["function"], ensure_ascii=False) for call in last.get("tool_calls", [])]
    target += "\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in calls)
    return prompt, target + "<|im_end|>"
