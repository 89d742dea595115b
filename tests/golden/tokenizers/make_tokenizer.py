#!/usr/bin/env python3
"""Writes a byte-level BPE of 1500 tokens in both official layouts, and what the reference makes of texts in many languages.

    python3.11 -m venv v && v/bin/pip install tokenizers==0.23.3 tiktoken==0.14.0
    v/bin/python make_tokenizer.py

The vocabulary is trained on the sentences below, which are our own. tokenizer.json is read by Hugging Face's tokenizers,
qwen.tiktoken by tiktoken; both must give the ids in expected.json, and crates/text/tests/agreement.rs asks the same of
our tokenizer for either file.
"""

import base64
import json
import random
import unicodedata
from pathlib import Path

import tiktoken
import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

assert tokenizers.__version__.startswith("0.2"), tokenizers.__version__
assert tiktoken.__version__ == "0.14.0", tiktoken.__version__
HERE = Path(__file__).parent
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
N_TOKENS = 1500
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]

SENTENCES = {
    "English": "The river runs slowly past the old mill. They're sure we'll see what he's done, but I'd wait until morning. "
               "Every winter the children build a house of snow behind the school.",
    "German": "Über den Dächern der größten Straßen läutet die Glocke; währenddessen übt er Flöte.",
    "French": "L'été dernier, nous avons mangé des crêpes à côté du château où naquit ma grand-mère.",
    "Spanish": "¿Cuántos años tenía la niña cuando empezó a soñar con el océano? ¡Ninguno!",
    "Polish": "Zażółć gęślą jaźń, a potem wróć do domu źrebięcia.",
    "Turkish": "İstanbul'da ılık bir ışık, ığdır'da soğuk bir gün var.",
    "Russian": "Вечером старый рыбак чинил сети и рассказывал внукам длинные сказки.",
    "Greek": "Το παλιό καράβι έφυγε από το λιμάνι πριν ξημερώσει.",
    "Chinese": "清晨的湖面上有一层薄雾，老人慢慢地划着小船。孩子们在岸边放风筝，笑声传得很远。",
    "Traditional": "圖書館裡的學生們正在準備考試，窗外下著雨。",
    "Japanese": "朝早く起きて、駅までの道をゆっくり歩いた。カフェでコーヒーを飲みながら新聞を読むのが好きです。",
    "Korean": "오늘 아침에는 비가 와서 우산을 쓰고 학교에 갔습니다. 친구들과 점심을 먹었어요.",
    "Arabic": "في الصباح الباكر يذهب الصيادون إلى البحر، ثمّ يعودون قبل الظهر بالسمك الطازج.",
    "Hebrew": "בבוקר הילדים הולכים לבית הספר, ובערב הם משחקים בחצר.",
    "Persian": "امروز هوا آفتابی است و بچه‌ها در پارک بازی می‌کنند.",
    "Thai": "เช้าวันนี้อากาศเย็นสบาย ชาวนากำลังเก็บเกี่ยวข้าวอยู่ในทุ่ง",
    "Hindi": "सुबह बच्चे स्कूल जाते हैं और शाम को नदी के किनारे खेलते हैं।",
    "Tamil": "காலையில் பறவைகள் பாடுகின்றன.",
    "Vietnamese": "Buổi sáng, những người bán hàng bày trái cây trước cửa nhà.",
    "Georgian": "დილით ბავშვები სკოლაში მიდიან.",
    "code": "def add(a, b):\n    \"\"\"Sum.\"\"\"\n    return a + b\n\nfor (let i = 0; i < 10; i++) {\n\tconsole.log(`${i}: ${x[i]}`);\n}\n"
            "impl<T: Clone> Foo<T> { fn new() -> Self { Self { items: vec![] } } }\n#include <stdio.h>\n",
    "markup": "<p class=\"x\">&nbsp;</p>\n| a | b |\n|---|---|\n**bold** _it_ [link](https://example.org/a?b=c&d=%20)\n$$\\frac{1}{2}$$\n",
    "json": "{\"name\": \"get_t\", \"arguments\": {\"city\": \"Köln\", \"days\": [1, 2.5, null, true]}}",
    "digits": "3.14159 10_000 2026-11-21 0x1F 1,000,000 ٣٤٥ ५६७ Ⅷ ½ ² ① 12345678901234567890",
    "emoji": "🙂 👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪🇯🇵 ❤️ 🧑🏿‍🚀 ☕︎ 1️⃣",
}
EXTRA = [
    "", " ", "  ", "   ", "\n", "\n\n", "\n\n\n", " \n", "\n ", "\t", "\t\t", " \t \n\t ", "\r\n", "\r\n\r\n", "\r", "a \n b", "a  b   c    d", "x\n  y\n    z",
    "    indented\n\n\n", "trailing   ", "\u00a0nbsp\u00a0", "\u3000全角\u3000", "\u2028line\u2029paragraph", "\x0b\x0c\x1c\x1d\x85", "\u200b\u200d\ufeff",
    "e\u0301 é E\u0301 É", "A\u030a Å Å", "\uac00 \u1100\u1161 \u1100\u1161\u11a8", "ẛ̣ ẛ\u0323", "ﬁ ﬂ ½ ²", "क़ \u0915\u093c", "\u0327\u0301c \u0301\u0327c", "ﷺ Ω K",
    "I'LL they'Re 'S 'ſ it''s ' s don't'd", "CamelCaseHTTPServer2Go", "__init__ -> <= >= != :: ... ——", "?!?!?!\n\n!!", "日本語とEnglishとРусский混在123テスト",
    "\x00\x01\x7f", "\ue000\U0010ffff\ufffd\ufffe", "𝒳𝓎 𐍈 𠮷野家", "ก็ น้ำ กำ", "<|im_start|>user\nhi<|im_end|>", "<|im_start |><|endoftext", "<think>\n</think><tool_call>",
]


def corpus():
    """The sentences, and their words in random order, so that words are learned better than sentences."""
    rng = random.Random(20261121)
    for text in SENTENCES.values():
        yield text
        words = text.split(" ")
        for _ in range(12):
            yield " ".join(rng.choice(words) for _ in words)


def texts():
    rng = random.Random(7)
    yield from SENTENCES.values()
    yield from EXTRA
    pieces = [piece for text in SENTENCES.values() for piece in text.split(" ")] + EXTRA[1:]
    for _ in range(60):
        yield rng.choice(["", " "]).join(rng.choice(pieces) for _ in range(rng.randrange(2, 9)))


def train():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=N_TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def byte_of():
    """The bytes that the characters of byte-level tokens stand for, as GPT-2 spells them."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(256 + n): b for n, b in enumerate(rest)}


def main():
    tokenizer = train()
    bytes_of = byte_of()
    ranks = {bytes(bytes_of[c] for c in token): id for token, id in tokenizer.get_vocab(False).items()}
    assert len(ranks) == N_TOKENS and sorted(ranks.values()) == list(range(N_TOKENS))
    lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in sorted(ranks.items(), key=lambda item: item[1])]
    (HERE / "qwen.tiktoken").write_bytes(b"".join(lines))
    plain = json.loads(tokenizer.to_str())
    tokenizer.add_special_tokens([AddedToken(name, normalized=False, special=True) for name in SPECIALS])
    file = json.loads(tokenizer.to_str())
    assert file["model"] == plain["model"]
    (HERE / "tokenizer.json").write_text(json.dumps(file, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")

    special_ids = {name: N_TOKENS + n for n, name in enumerate(SPECIALS)}
    encoding = tiktoken.Encoding("test", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special_ids)
    ordinary = Tokenizer.from_str(json.dumps(plain))
    cases = []
    for text in texts():
        nfc = unicodedata.normalize("NFC", text)
        as_text = encoding.encode(nfc, disallowed_special=())
        parsed = encoding.encode(nfc, allowed_special="all")
        assert ordinary.encode(text).ids == as_text, text
        assert tokenizer.encode(text).ids == parsed, text
        cases.append({"text": text, "as_text": as_text, "parsed": parsed})
    # Ids whose bytes are no UTF-8: alone, cut, and out of order.
    rng = random.Random(11)
    broken = []
    for n in range(120):
        ids = [rng.randrange(N_TOKENS) for _ in range(rng.randrange(1, 7))] if n % 2 else [
            ranks[bytes([rng.choice(b"\x80\xbf\xc3\xe4\xe2\xf0\x9f\x99\xff\xc0\xed\xa0\xf4\x90 a")])] for _ in range(rng.randrange(1, 9))
        ]
        text = b"".join(encoding.decode_single_token_bytes(id) for id in ids).decode("utf-8", errors="replace")
        broken.append({"ids": ids, "text": text})
    rows = lambda items: ",\n ".join(json.dumps(item, ensure_ascii=False, separators=(",", ":")) for item in items)
    (HERE / "expected.json").write_text(f'{{"cases": [\n {rows(cases)}\n],\n"broken": [\n {rows(broken)}\n]}}\n', encoding="utf-8")
    print(len(cases), "texts,", sum(len(case["parsed"]) for case in cases), "ids")


if __name__ == "__main__":
    main()
