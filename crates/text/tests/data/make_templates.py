#!/usr/bin/env python3
"""Writes templates.json: our own templates rendered by Python's Jinja2, for tests/templates.rs.

    python3 -m venv v && v/bin/pip install jinja2==3.1.6 markupsafe==3.0.4
    v/bin/python make_templates.py

The environment is the one that transformers 4.57 and 5.x build for apply_chat_template
(utils/chat_template_utils.py): an ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks,
loop controls, an extension that reads {% generation %} blocks, and three names of its own.
"""

import json
import os
from pathlib import Path

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

assert jinja2.__version__ == "3.1.6", jinja2.__version__
HERE = Path(__file__).parent


class Generation(jinja2.ext.Extension):
    """{% generation %}…{% endgeneration %}: transformers notes where it stands, we only render."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    return env


def render(source, variables):
    """The text, or what raise_exception said, or that something else failed."""
    variables = {"tools": None, "documents": None, "add_generation_prompt": False} | variables
    try:
        return {"text": environment().from_string(source).render(**variables)}
    except jinja2.exceptions.TemplateError as error:
        if type(error) is jinja2.exceptions.TemplateError:
            return {"refused": str(error)}
        return {"fails": type(error).__name__}
    except Exception as error:  # what Python itself raises inside an expression
        return {"fails": type(error).__name__}


def cases():
    """Conversations by name."""
    tool = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Naïve «weather» & <more>, 天气's \"quotes\"\n\ttab \\ slash",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "城市"},
                    "items": {"type": "array", "items": {"type": "number"}, "default": [1, 2.5, None, True]},
                    "unit": {"type": "string", "enum": ["°C", "°F"]},
                },
                "required": ["city"],
                "additionalProperties": False,
            },
        },
    }
    bare = {"name": "now", "parameters": {}}
    args = {"city": "Zürich", "n": 3, "f": 1.0, "g": 1e-7, "h": 1e22, "neg": -0.5, "ok": True, "no": False,
            "x": None, "list": [1, [2, {"k": "v"}], []], "empty": {}, "s": "", "ctl": "a\u0001b\u007f\u2028é🙂", "items": [0]}
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": args}}
    text_call = {"id": "c2", "type": "function", "function": {"name": "now", "arguments": "{\"a\":1}"}}
    flat_call = {"name": "flat", "arguments": {"b": [True, None]}}
    yield "user", {"messages": [{"role": "user", "content": "Hello"}], "add_generation_prompt": True}
    yield "system", {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "  padded\n "}],
                     "add_generation_prompt": True, "enable_thinking": True}
    yield "empty", {"messages": [{"role": "system", "content": ""}, {"role": "user", "content": ""}, {"role": "assistant", "content": ""}]}
    yield "turns", {"messages": [
        {"role": "user", "content": "Hi, it's me"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nYo"},
        {"role": "user", "content": "again 再来"}, {"role": "assistant", "content": "b", "reasoning_content": "why not\n"},
        {"role": "user", "content": "/no_think last?"}], "add_generation_prompt": True, "enable_thinking": False}
    yield "tools", {"messages": [
        {"role": "system", "content": "S"}, {"role": "user", "content": "w?"},
        {"role": "assistant", "content": "", "reasoning_content": "need tool", "tool_calls": [call, text_call]},
        {"role": "tool", "content": "21°C"}, {"role": "tool", "content": "rain"},
        {"role": "assistant", "content": "Wet.", "tool_calls": [flat_call]}, {"role": "tool", "content": "[]"}],
        "tools": [tool, bare], "add_generation_prompt": True}
    yield "tools-only", {"messages": [{"role": "user", "content": "x"}], "tools": [tool], "enable_thinking": False,
                         "add_generation_prompt": True}
    yield "user-tool-response", {"messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": "<think>\na\n</think>\n\nb"},
        {"role": "user", "content": "<tool_response>\n1\n</tool_response>"}, {"role": "assistant", "content": "done"}]}
    yield "parts", {"messages": [
        {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "image", "image": "a.png"}, {"type": "text", "text": "this?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]},
        {"role": "user", "content": [{"type": "video", "video": "v.mp4"}, {"type": "text", "text": ""}]}],
        "add_generation_prompt": True, "add_vision_id": True}
    yield "trailing", {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    yield "odd-role", {"messages": [{"role": "critic", "content": None, "name": "z"}, {"role": "user", "content": "it's \"both\""}]}
    yield "none", {"messages": []}


def main():
    folder = HERE / "templates"
    conversations = dict(cases())
    out = {"conversations": conversations, "templates": []}
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        results = {name: render(source, case) for name, case in conversations.items()}
        out["templates"].append({"name": path.stem, "results": results})
    # The built-in formats, with each value that decides something in them.
    for path in sorted((HERE / "../../src/template/builtin").glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        for thinks in ("never", "maybe", "always"):
            presets = {"default_system": "D" if thinks == "never" else "", "thinks": thinks}
            results = {
                name: render(source, case | presets)
                for name, case in conversations.items()
                if name not in ("parts", "odd-role", "none")
            }
            out["templates"].append({"name": path.stem, "builtin": presets, "results": results})
    # Single expressions, each with the same few variables.
    variables = json.loads((folder / "variables.json").read_text(encoding="utf-8"))
    lines = (folder / "expressions.txt").read_text(encoding="utf-8").splitlines()
    out["variables"] = variables
    out["expressions"] = [
        {"source": line, "result": render(line, variables)} for line in lines if line and not line.startswith("## ")
    ]
    target = HERE / "templates.json"
    target.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    size = os.path.getsize(target)
    assert size < 400_000, size
    failing = [e["source"] for e in out["expressions"] if "fails" in e["result"]]
    print(f"{target.name}: {size} bytes; Python fails on {len(failing)} expressions:", *failing, sep="\n  ")


if __name__ == "__main__":
    main()
