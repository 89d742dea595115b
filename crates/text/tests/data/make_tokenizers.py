#!/usr/bin/env python3
"""Writes tokenizers/*: small tokenizers in the official layouts and what the reference makes of text.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.3 tiktoken==0.14.0
    v/bin/python make_tokenizers.py FIXTURES

FIXTURES is the folder of tiny checkpoints made for the project (only their tokenizer files are
read: vocabularies of 420 random merges with the special tokens of the releases). The texts below,
the pieces, and the ids come from Hugging Face's tokenizers and from tiktoken.
"""

import base64
import json
import random
import sys
import unicodedata
from pathlib import Path

import tiktoken
import tokenizers

assert tokenizers.__version__ == "0.23.3", tokenizers.__version__
assert tiktoken.__version__ == "0.14.0", tiktoken.__version__
HERE = Path(__file__).parent / "tokenizers"

# Fixture -> files to copy as they are (chat templates and vocabularies included).
COPIES = {
    "qwen2": ("qwen2-tied", ["tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"]),
    "qwen3": ("qwen3-tied", ["tokenizer.json", "tokenizer_config.json"]),
    "qwen35": ("qwen35", ["tokenizer.json"]),
    "embed": ("qwen3-embed", ["tokenizer.json"]),
    "qwen1": ("qwen1-plain", ["qwen.tiktoken"]),
}
# What random texts are made of: characters of every class that the expression tells apart.
ALPHABET = (
    list("abzABZ '\"sStTrReEvVmMlLdD019.,;:!?_-<>|/\\=()\t\n\r\v\f")
    + list("éßſİ中文字。，かなカ한글ابपत्तिे०५Ⅷ½²①")
    + ["\u00a0", "\u1680", "\u2003", "\u2028", "\u3000", "\u0085", "\u200b", "\ufeff", "\u0301", "e\u0301", "\u1100\u1161", "\u0e33",
       "🙂", "👩\u200d👧", "\U0001e900", "\U00010fff", "\ue000", "'s", "'LL", " \n", "  ", "\r\n", "\n\n", "\x00", "\x1c", "\x7f"]
)


def texts():
    rng = random.Random(20261120)
    for _ in range(220):
        yield "".join(rng.choice(ALPHABET) for _ in range(rng.randrange(1, 24)))


def main():
    fixtures = Path(sys.argv[1])
    for name, (fixture, files) in COPIES.items():
        (HERE / name).mkdir(parents=True, exist_ok=True)
        for file in files:
            data = (fixtures / fixture / file).read_bytes()
            if file.endswith(".json"):  # the same, without the white space
                data = json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            (HERE / name / file).write_bytes(data)
        expected = json.loads((fixtures / fixture / "tokenizer_expected.json").read_text())
        (HERE / name / "expected.json").write_text(dump(expected), encoding="utf-8")
    sample = list(texts())
    out = {"texts": sample}
    for name in ("qwen2", "qwen35"):
        tokenizer = tokenizers.Tokenizer.from_file(str(HERE / name / "tokenizer.json"))
        split = tokenizer.pre_tokenizer[0]
        out[f"pieces_{name}"] = [[piece for piece, _ in split.pre_tokenize_str(text)] for text in sample]
        out[f"ids_{name}"] = [tokenizer.encode(text, add_special_tokens=False).ids for text in sample]
    ranks = {}
    for line in (HERE / "qwen1" / "qwen.tiktoken").read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    pattern = json.loads((HERE / "qwen2" / "tokenizer.json").read_text())["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    encoding = tiktoken.Encoding("qwen1", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    out["ids_qwen1"] = [encoding.encode(unicodedata.normalize("NFC", text)) for text in sample]
    (HERE / "texts.json").write_text(dump(out), encoding="utf-8")


def dump(value):
    """JSON with one line per item of a list, so that changes can be read."""
    lines = []
    for key, items in value.items():
        rows = ",\n ".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
        lines.append(f"{json.dumps(key)}: [\n {rows}\n]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    main()
