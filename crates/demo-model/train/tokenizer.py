"""Trains the byte-level BPE on the corpus, with Qwen's pre-tokenizer and Qwen3's added tokens.

    python tokenizer.py --corpus train.jsonl --out tokenizer.json
"""

import argparse
import json
from collections.abc import Iterator

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from chat import Chat, prompt_and_target

PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"

# (text, special). Tokens that are not special are parsed in the input but kept when specials are skipped.
ADDED = [
    ("<|endoftext|>", True), ("<|im_start|>", True), ("<|im_end|>", True), ("<|object_ref_start|>", True), ("<|object_ref_end|>", True), ("<|box_start|>", True),
    ("<|box_end|>", True), ("<|quad_start|>", True), ("<|quad_end|>", True), ("<|vision_start|>", True), ("<|vision_end|>", True), ("<|vision_pad|>", True),
    ("<|image_pad|>", True), ("<|video_pad|>", True), ("<tool_call>", False), ("</tool_call>", False), ("<|fim_prefix|>", False), ("<|fim_middle|>", False),
    ("<|fim_suffix|>", False), ("<|fim_pad|>", False), ("<|repo_name|>", False), ("<|file_sep|>", False), ("<tool_response>", False), ("</tool_response>", False),
    ("<think>", False), ("</think>", False),
]
END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|im_end|>"


def texts(corpus: str, limit: int) -> Iterator[str]:
    """The corpus as plain text. Tool chats come in full; the added tokens are cut out, as they never reach the BPE."""
    with open(corpus, encoding="utf-8") as lines:
        for line, _ in zip(lines, range(limit)):
            text = "".join(prompt_and_target(Chat(**json.loads(line))))
            for token, _ in ADDED:
                text = text.replace(token, "\0")
            yield from text.split("\0")


def assemble(model: models.BPE) -> Tokenizer:
    """The pipeline around a BPE model; the added tokens are still missing."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(PATTERN), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train(corpus: str, size: int, limit: int) -> Tokenizer:
    tokenizer = assemble(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=size - len(ADDED), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator(texts(corpus, limit), trainer)
    return with_added_tokens(tokenizer)


def with_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_tokens([AddedToken(text, special=special, normalized=False) for text, special in ADDED])
    return tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--size", type=int, default=2048, help="number of tokens, the added ones included")
    parser.add_argument("--limit", type=int, default=60_000, help="chats to learn from")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()
    tokenizer = train(args.corpus, args.size, args.limit)
    tokenizer.save(args.out)
    print(f"{tokenizer.get_vocab_size()} tokens")


if __name__ == "__main__":
    main()
