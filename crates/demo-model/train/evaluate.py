"""Measures the finished GGUF on held-out chats: greedy decoding in float32 on its dequantised weights.

    python evaluate.py --model ../model/qwill-demo-q8_0.gguf --out ../eval.json
    python evaluate.py --model … --chat          # talk to it (--off: without thinking)
"""

import argparse
import json
import re
from collections import defaultdict
from itertools import islice
from pathlib import Path

import torch
from tokenizers import Tokenizer

import gguf_io
from chat import Chat, prompt_and_target, render
from corpus import chats
from model import Qwen3
from tokenizer import END_OF_TEXT, END_OF_TURN

SEED = 20261120
BLOCK = re.compile(r"<think>\n(.*?)\n?</think>\n\n(.*)", re.DOTALL)


class Speaker:
    def __init__(self, model: Qwen3, tokenizer: Tokenizer):
        self.model, self.tokenizer = model, tokenizer
        self.stop = {tokenizer.token_to_id(END_OF_TURN), tokenizer.token_to_id(END_OF_TEXT)}

    def ids(self, prompt: str, limit: int) -> tuple[list[int], list[int]]:
        prompt_ids = self.tokenizer.encode(prompt).ids
        return prompt_ids, self.model.greedy(prompt_ids, self.stop, limit)

    def text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    def reply(self, prompt: str, limit: int = 256) -> str:
        return self.text(self.ids(prompt, limit)[1])


def judge(check: dict, answer: str) -> bool:
    """Whether an answer (without its thinking block) is right."""
    match check["kind"]:
        case "contains":
            return all(text in answer for text in check["texts"])
        case "exact":
            return answer == check["text"]
        case "one_of":
            return answer in check["texts"]
        case "ends":
            return answer.endswith(check["text"])
        case "number":
            numbers = re.findall(r"-?\d+", answer)
            wanted = str(check["value"])
            return bool(numbers) and (numbers[-1] == wanted or numbers[0] == wanted and len(numbers) == 1)
        case "json":
            try:
                return json.loads(answer) == check["value"]
            except ValueError:
                return False
        case "call":
            found = re.fullmatch(r"<tool_call>\n(.*)\n</tool_call>", answer, re.DOTALL)
            try:
                return bool(found) and json.loads(found[1]) == {"name": check["name"], "arguments": check["arguments"]}
            except ValueError:
                return False
        case "all":
            return all(judge(part, answer) for part in check["checks"])
    raise ValueError(check["kind"])


def score(chat: Chat, reply: str) -> tuple[bool, bool]:
    """(the answer is right, the thinking block is as the mode demands)"""
    thinks = chat.check["thinks"]
    if not chat.enable_thinking:
        return judge(chat.check, reply), "<think>" not in reply
    block = BLOCK.fullmatch(reply)
    if block is None:
        return False, False
    return judge(chat.check, block[2]), bool(block[1].strip()) == thinks


def perplexity(model: Qwen3, tokenizer: Tokenizer, chat_list: list[Chat]) -> float:
    total, count = 0.0, 0
    with torch.no_grad():
        for chat in chat_list:
            prompt, target = (tokenizer.encode(text).ids for text in prompt_and_target(chat))
            ids = torch.tensor(prompt + target)
            logits = model(ids[:-1], [(1, len(ids) - 1)])[len(prompt) - 1 :]
            total += float(torch.nn.functional.cross_entropy(logits, ids[len(prompt) :], reduction="sum"))
            count += len(target)
    return float(torch.tensor(total / count).exp())


def evaluate(speaker: Speaker, amount: int, per_skill: int, show: int) -> dict:
    right, formed, modes, kept = defaultdict(list), [], defaultdict(list), []
    shown = 0
    for chat in islice(chats(SEED, test=True), amount):
        if len(right[chat.skill]) >= per_skill:
            continue
        prompt, target = prompt_and_target(chat)
        reply = speaker.reply(prompt)
        good, well_formed = score(chat, reply)
        right[chat.skill].append(good)
        formed.append(well_formed)
        modes["off" if not chat.enable_thinking else "think" if chat.check["thinks"] else "no_think"].append(good)
        kept.append(chat)
        if not good and shown < show:
            shown += 1
            print(f"--- {chat.skill}\n{prompt[-160:]!r}\n wanted {target!r}\n got    {reply!r}", flush=True)

    def mean(values: list[bool]) -> float:
        return round(sum(values) / len(values), 4)

    return {
        "chats": len(formed),
        "seed": SEED,
        "accuracy": mean([good for values in right.values() for good in values]),
        "thinking_block_as_asked": mean(formed),
        "accuracy_by_mode": {mode: mean(values) for mode, values in sorted(modes.items())},
        "accuracy_by_skill": {skill: mean(values) for skill, values in sorted(right.items())},
        "chats_by_skill": {skill: len(values) for skill, values in sorted(right.items())},
        "perplexity_of_reference_answers": round(perplexity(speaker.model, speaker.tokenizer, kept[:300]), 4),
    }


def talk(speaker: Speaker, thinking: bool) -> None:
    messages: list[dict] = []
    while text := input("> ").strip():
        messages.append({"role": "user", "content": text})
        messages.append({"role": "assistant", "content": speaker.reply(render(messages, enable_thinking=thinking))})
        print(messages[-1]["content"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--chats", type=int, default=4000, help="held-out chats to draw from")
    parser.add_argument("--per-skill", type=int, default=32, help="at most this many of one skill")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--show", type=int, default=0, help="print this many wrong answers")
    parser.add_argument("--chat", action="store_true", help="talk instead of measuring")
    parser.add_argument("--off", action="store_true", help="with --chat: thinking switched off")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    speaker = Speaker(gguf_io.read(args.model), gguf_io.read_tokenizer(args.model))
    if args.chat:
        return talk(speaker, not args.off)
    result = evaluate(speaker, args.chats, args.per_skill, args.show)
    text = json.dumps(result, indent=2, ensure_ascii=False) + "\n"
    print(text)
    if args.out:
        args.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
