#!/usr/bin/env python3
"""Writes shapes.json: conversations as OpenAI's clients send them, and what Python's Jinja2 makes of the same said as
transformers wants it, for tests/shapes.rs.

    python3 -m venv v && v/bin/pip install jinja2==3.1.6 markupsafe==3.0.4
    v/bin/python make_shapes.py

Whoever calls transformers brings messages into its shape by hand: texts instead of parts and nulls, arguments as values,
`system` for `developer`, results in the order of their calls. `sent` is what a client says, `meant` the same by hand.
"""

import json
from pathlib import Path

from make_templates import render

HERE = Path(__file__).parent
GOLDEN = HERE / "../../../../tests/golden/templates"

TOOL = {"type": "function", "function": {"name": "look", "description": "Looks «up» 天气", "strict": None,
        "parameters": {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}}}


def call(id, arguments):
    return {"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}


def parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


def message(role, content, **more):
    return {"role": role, "content": content, **more}


USER = message("user", "Look it up.")
A, B, C = ({"what": what} for what in ("a", "ü \"b\"", "c"))


def cases():
    """Name, what is sent, what is meant, and what else the template gets."""
    tools = {"tools": [TOOL], "add_generation_prompt": True}
    calls = [call("1", json.dumps(A)), call("2", json.dumps(B))]
    meant_calls = [call("1", A), call("2", B)]
    for name, content in [("null", {"content": None}), ("missing", {}), ("no-parts", {"content": []}), ("empty", {"content": ""})]:
        yield (f"{name}-beside-calls",
               [USER, {"role": "assistant", **content, "tool_calls": calls}, message("tool", "1", tool_call_id="1"),
                message("tool", "2", tool_call_id="2")],
               [USER, message("assistant", "", tool_calls=meant_calls), message("tool", "1"), message("tool", "2")], tools)
    yield ("results-by-id",
           [USER, message("assistant", None, tool_calls=[*calls, call("3", C)]), message("tool", "third", tool_call_id="3"),
            message("tool", parts("first"), tool_call_id="1"), message("tool", "second", tool_call_id="2"),
            message("assistant", "Once more.", tool_calls=[call("4", "{}")]), message("tool", None, tool_call_id="4")],
           [USER, message("assistant", "", tool_calls=[*meant_calls, call("3", C)]), message("tool", "first"),
            message("tool", "second"), message("tool", "third"), message("assistant", "Once more.", tool_calls=[call("4", {})]),
            message("tool", "")], tools)
    yield ("results-without-id",
           [USER, message("assistant", None, tool_calls=calls), message("tool", "1"), message("tool", "2", tool_call_id="?")],
           [USER, message("assistant", "", tool_calls=meant_calls), message("tool", "1"), message("tool", "2")], tools)
    yield ("older-calls",
           [USER, message("assistant", None, function_call={"name": "look", "arguments": json.dumps(A)}),
            message("function", "1", name="look")],
           [USER, message("assistant", "", tool_calls=[{"type": "function", "function": {"name": "look", "arguments": A}}]),
            message("tool", "1")], tools)
    yield ("no-arguments",
           [USER, message("assistant", None, tool_calls=[call("1", ""), call("2", None)]), message("tool", "1"), message("tool", "2")],
           [USER, message("assistant", "", tool_calls=[call("1", {}), call("2", {})]), message("tool", "1"), message("tool", "2")], tools)
    yield ("nulls-of-clients",
           [message("user", "x", name=None), message("assistant", "y", refusal=None, tool_calls=None, function_call=None,
            reasoning_content=None), USER],
           [message("user", "x"), message("assistant", "y"), USER], {"add_generation_prompt": True})
    add = {"add_generation_prompt": True}
    yield "developer", [message("developer", "Be brief."), USER], [message("system", "Be brief."), USER], add
    yield ("developer-with-tools", [message("developer", parts("Be", "brief.")), USER],
           [message("system", "Be\nbrief."), USER], tools)
    yield "developer-null", [message("developer", None), USER], [message("system", ""), USER], add
    yield ("developer-later", [USER, message("assistant", "No."), message("developer", "Do it."), USER],
           [USER, message("assistant", "No."), message("system", "Do it."), USER], add)
    yield ("developer-beside-system", [message("system", "S"), message("developer", "D"), USER],
           [message("system", "S"), message("system", "D"), USER], add)
    yield ("parts",
           [message("system", parts("a", "b")), message("user", parts("c", "", "d")), message("assistant", parts("e")),
            message("user", parts())],
           [message("system", "a\nb"), message("user", "c\n\nd"), message("assistant", "e"), message("user", "")], add)
    yield ("thoughts", [USER, message("assistant", None, reasoning="Hm.", tool_calls=calls[:1]), message("tool", "1", tool_call_id="1")],
           [USER, message("assistant", "", reasoning_content="Hm.", tool_calls=meant_calls[:1]), message("tool", "1")], tools)


# Where a template knows one system message only, all of them are meant as one.
JOINED = {
    "developer-later": [message("system", "Do it."), USER, message("assistant", "No."), USER],
    "developer-beside-system": [message("system", "S\n\nD"), USER],
}


def templates():
    """Name, file, presets of a built-in one, and whether it knows one system message only and whether it reads parts."""
    for path in sorted((HERE / "../../src/template/builtin").glob("*.jinja")):
        for thinks in ("never", "maybe", "always"):
            yield path, {"default_system": "D" if thinks == "never" else "", "thinks": thinks}
    for name in ("tools", "thinking", "xml"):
        yield GOLDEN / f"{name}.jinja", None
    for name in ("first", "latest"):
        yield HERE / f"templates/{name}.jinja", None


def main():
    out = {"cases": {name: {"sent": sent, **more} for name, sent, _, more in cases()}, "templates": []}
    for path, presets in templates():
        source = path.read_text(encoding="utf-8")
        knows_one = path.stem in ("first", "latest")
        texts = {}
        for name, _, meant, more in cases():
            if path.stem == "xml" and name in JOINED:
                continue  # it prints no contents
            meant = JOINED.get(name, meant) if knows_one else meant
            result = render(source, {"messages": meant} | more | (presets or {}))
            texts[name] = result["text"]
        out["templates"].append({"name": path.stem, "builtin": presets, "texts": texts})
    target = HERE / "shapes.json"
    target.write_text(json.dumps(out, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(f"{target.name}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    main()
