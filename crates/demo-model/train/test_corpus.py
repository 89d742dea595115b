"""python -m unittest (in this folder)"""

import json
import unittest
from itertools import islice

from chat import prompt_and_target, render
from corpus import chats
from evaluate import score

SAMPLE = 1500


def user(text: str) -> dict:
    return {"role": "user", "content": text}


class Corpus(unittest.TestCase):
    def test_same_seed_same_chats(self):
        self.assertEqual(list(islice(chats(3, False), 50)), list(islice(chats(3, False), 50)))

    def test_every_reference_answer_passes_its_own_check(self):
        for test in (False, True):
            for chat in islice(chats(4, test), SAMPLE):
                _, target = prompt_and_target(chat)
                good, formed = score(chat, target.removesuffix("<|im_end|>"))
                self.assertTrue(good and formed, (chat.skill, target, chat.check))

    def test_held_out_questions_are_not_trained(self):
        def questions(test: bool, amount: int) -> set[str]:
            exact = {"addition", "subtraction", "compare", "count"}  # skills whose question is the held-out content
            return {c.messages[-2]["content"] for c in islice(chats(5, test), amount) if c.skill in exact}

        self.assertFalse(questions(True, SAMPLE) & questions(False, 4 * SAMPLE))


class Template(unittest.TestCase):
    TOOL = {"type": "function", "function": {"name": "get_t"}}

    def test_history_loses_thoughts_and_open_tool_use_keeps_them(self):
        call = {"function": {"name": "get_t", "arguments": {"c": "柏林"}}}
        messages = [
            {"role": "system", "content": "S"}, user("hi"), {"role": "assistant", "content": "<think>\nold\n</think>\n\nHello"}, user("t?"),
            {"role": "assistant", "content": "", "reasoning_content": "need tool", "tool_calls": [call]}, {"role": "tool", "content": "5"}, {"role": "tool", "content": "6"},
        ]
        text = render(messages, [self.TOOL], enable_thinking=False)
        self.assertTrue(text.startswith("<|im_start|>system\nS\n\n# Tools\n\nYou may call"))
        self.assertIn(f"<tools>\n{json.dumps(self.TOOL)}\n</tools>", text)
        self.assertTrue(text.endswith(
            "</tool_call><|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\nHello<|im_end|>\n<|im_start|>user\nt?<|im_end|>\n"
            "<|im_start|>assistant\n<think>\nneed tool\n</think>\n\n<tool_call>\n" '{"name": "get_t", "arguments": {"c": "柏林"}}' "\n</tool_call><|im_end|>\n"
            "<|im_start|>user\n<tool_response>\n5\n</tool_response>\n<tool_response>\n6\n</tool_response><|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
        ))

    def test_trailing_assistant_gets_an_empty_block(self):
        text = render([user("a"), {"role": "assistant", "content": "b"}], generate=False)
        self.assertEqual(text, "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nb<|im_end|>\n")


if __name__ == "__main__":
    unittest.main()
