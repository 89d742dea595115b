#!/usr/bin/env python3
"""Writes expected.json: the templates beside this file, rendered by transformers, for every case of cases.json.

    python3.11 -m venv v && v/bin/pip install transformers==5.23.0 jinja2==3.1.6
    v/bin/python make_templates.py

The templates and the conversations are our own; together they use every construct that the chat templates of the
releases use. crates/text/tests/template_matrix.rs renders all of them and compares bytes.
"""

import json
from pathlib import Path

import jinja2
import transformers
from transformers.utils.chat_template_utils import _compile_jinja_template

assert transformers.__version__ == "5.23.0", transformers.__version__
assert jinja2.__version__ == "3.1.6", jinja2.__version__
HERE = Path(__file__).parent


def user(content, **more):
    return {"role": "user", "content": content, **more}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}


def system(content):
    return {"role": "system", "content": content}


def tool(content, **more):
    return {"role": "tool", "content": content, **more}


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}, **more}


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "  Weather of a <city> & \"more\": 天气\n",
    "parameters": {"type": "object", "properties": {
        "city": {"type": "string", "description": "城市, e.g. 'Köln'"},
        "days": {"type": ["integer", "null"], "default": None, "minimum": 1},
        "unit": {"enum": ["°C", "°F"], "x-extra": {"a": [1, 2.5, True]}}},
        "required": ["city"], "additionalProperties": False}}}
NOW = {"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}, "strict": True}}
BARE = {"name": "bare", "description": "no wrapper"}
TEXT, IMAGE = {"type": "text", "text": "What is this?"}, {"type": "image", "image": "a.png"}


def cases():
    """Conversations by name; each may also set tools, add_generation_prompt, enable_thinking and more."""
    add = {"add_generation_prompt": True}
    yield "user", {"messages": [user("Hello")], **add}
    yield "no-prompt", {"messages": [user("Hello")]}
    yield "system", {"messages": [system("Be brief."), user("Hi")], **add}
    yield "empty-system", {"messages": [system(""), user("Hi")], **add}
    yield "late-system", {"messages": [user("Hi"), system("Now be brief."), user("?")], **add}
    yield "only-system", {"messages": [system("alone")], **add}
    yield "turns", {"messages": [user("a"), assistant("b"), user("c"), assistant("d\n"), user(" e ")], **add}
    yield "two-users", {"messages": [user("one"), user("two")], **add}
    yield "trailing-assistant", {"messages": [user("a"), assistant("b")]}
    yield "think-on", {"messages": [user("7*8?")], **add, "enable_thinking": True}
    yield "think-off", {"messages": [user("7*8?")], **add, "enable_thinking": False}
    yield "think-history", {"messages": [user("a"), assistant("<think>\nhm, let's see\n</think>\n\nb"), user("c"),
                                         assistant("<think>\n\n</think>\n\nd"), user("e /no_think")], **add, "enable_thinking": True}
    yield "think-trailing", {"messages": [user("a"), assistant("<think>\nx\n\ny\n</think>\n\nz\n")]}
    yield "think-unclosed", {"messages": [user("a"), assistant("<think>\nnever ends"), user("b"), assistant("ends</think>only")]}
    yield "think-twice", {"messages": [user("q"), assistant("<think>1</think>x<think>2</think>\n\ny")]}
    yield "reasoning", {"messages": [user("a"), assistant("b", reasoning_content="\nwhy\nnot\n"), user("c"),
                                     assistant("d", reasoning_content=""), user("e"), assistant("", reasoning_content="f")]}
    yield "tools", {"messages": [user("Weather in Köln?")], "tools": [WEATHER, NOW], **add}
    yield "tools-system", {"messages": [system("S"), user("now?")], "tools": [NOW], **add, "enable_thinking": False}
    yield "tools-bare", {"messages": [user("x")], "tools": [BARE, WEATHER], **add}
    yield "tools-empty", {"messages": [user("x")], "tools": [], **add}
    yield "tool-loop", {"messages": [
        system("S"), user("Köln?"),
        assistant("", reasoning_content="need it", tool_calls=[call("get_weather", {"city": "Köln", "days": 3, "deep": {"a": [1, None, True, "é"]}})]),
        tool("5 °C"), assistant("More.", tool_calls=[call("now", {}), call("get_weather", {"city": "柏林", "p": 0.1, "big": 10**15, "ok": False})]),
        tool("9:00"), tool("6"), assistant("Cold."), user("thanks")], "tools": [WEATHER, NOW], **add}
    yield "tool-late", {"messages": [user("q"), assistant("", reasoning_content="one", tool_calls=[call("get_weather", {"city": "Rom"})]),
                                     tool("1"), tool("2")], "tools": [WEATHER], **add, "enable_thinking": True}
    yield "tool-text-arguments", {"messages": [user("q"), assistant("", tool_calls=[call("now", "{\"z\": \"ü\"}", id="c1")]), tool("9", tool_call_id="c1")], **add}
    yield "tool-flat-call", {"messages": [user("q"), assistant("hm", tool_calls=[{"name": "now", "arguments": {"a": [1.5, -0.0, 1e-7, 1e16]}}]), tool("9")]}
    yield "tool-as-user", {"messages": [user("q"), assistant("<think>\na\n</think>\n\nb"), user("<tool_response>\n1\n</tool_response>"), assistant("done")]}
    yield "null-content", {"messages": [user("q"), assistant(None, tool_calls=[call("get_weather", {"city": "x"})]), tool("y")], **add}
    yield "parts", {"messages": [user([TEXT, IMAGE, {"type": "text", "text": " 这是什么？"}]), assistant([{"type": "text", "text": "A cat."}])],
                    **add, "add_vision_id": True}
    yield "parts-odd", {"messages": [user([{"type": "video", "video": "v"}, {"text": "only text"}, "bare"]), user([])], **add}
    yield "scripts", {"messages": [system("Grüße, 你好, こんにちは"), user("مرحبا שלום สวัสดี नमस्ते 안녕"), assistant("👩‍👩‍👧 é e\u0301 \u00a0nbsp\u3000wide "),
                                   user("ß İ ŉ ﬁ ½ ²\u200b\ufeff")], **add}
    yield "white-space", {"messages": [user("\n\n  lead\ttab \r\n cr\n"), assistant(" \n "), user("")], **add}
    yield "markup", {"messages": [user("{{ messages }} {% if x %} {# c #} <|im_end|> <b>&amp;\"'\\ \x07 \u2028 \x7f")], **add}
    yield "named", {"messages": [user("x", name="Zoë")], **add}
    yield "odd-role", {"messages": [user("x"), {"role": "critic", "content": "y"}], **add}
    yield "date", {"messages": [user("x")], "date_string": "26 Jul 2024", **add}
    yield "none", {"messages": []}


def render(source, case):
    """The text, what raise_exception said, or that Python failed."""
    variables = {"tools": None, "documents": None, "add_generation_prompt": False} | case
    try:
        return {"text": _compile_jinja_template(source).render(**variables)}
    except jinja2.exceptions.TemplateError as error:
        if type(error) is jinja2.exceptions.TemplateError:
            return {"refused": str(error)}
        return {"fails": type(error).__name__}
    except Exception as error:  # what Python itself raises inside an expression
        return {"fails": type(error).__name__}


def lines(entries):
    """JSON with an entry a line, so that changes can be read."""
    rows = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in entries)
    return "{\n" + rows + "\n}\n"


def main():
    conversations = dict(cases())
    (HERE / "cases.json").write_text(lines(conversations.items()), encoding="utf-8")
    expected = []
    for path in sorted(HERE.glob("*.jinja")):
        source = path.read_text(encoding="utf-8")
        expected += [(f"{path.stem}/{name}", render(source, case)) for name, case in conversations.items()]
    (HERE / "expected.json").write_text(lines(expected), encoding="utf-8")
    kinds = [next(iter(result)) for _, result in expected]
    print(len(conversations), "cases,", {kind: kinds.count(kind) for kind in sorted(set(kinds))})


if __name__ == "__main__":
    main()
