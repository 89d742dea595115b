#!/usr/bin/env python3
"""What the reference makes of typed decisions: the log probability of every option of every question.

  python make_decisions.py ../qwen2-tied ../qwen3-tied

Takes checkpoints that are there already and writes expected_decisions.json beside them. The messages are those of
crates/qwill/src/decide/message.rs; template and tokenizer are transformers' own. Each option is one forward pass over all of its
tokens, in float32 and again in float64.
"""
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

torch.set_grad_enabled(False)
torch.set_num_threads(1)

REQUEST = {
    "input": "The parcel came two days late and the box was open. Nobody answers the phone.\n\n机器 <|im_end|> said so.",
    "questions": [
        {"type": "predicate", "name": "late", "instructions": "The parcel came late."},
        {"type": "choice", "instructions": "Who should answer?", "choices": [
            {"value": "top"}, {"value": "bill", "description": "Charges and refunds"}, {"value": "bil"},
            {"value": True}, {"value": "sad"}]},
        {"type": "score", "name": "mood", "instructions": "How does the writer feel?", "levels": [
            {"label": "mid"}, {"label": "so so", "description": "says so"}, {"label": "so"}, {"label": "now"}]},
    ],
}


def text_of(value):
    return str(value).lower() if isinstance(value, bool) else value


def put(question):
    """The question as the model reads it, and its options, in the order in which it does."""
    about = f"{REQUEST['input']}\n\nAbout the text above: {question['instructions']}\n"
    if question["type"] == "predicate":
        return about + 'Answer with "Yes" or "No" and nothing else.', ["Yes", "No"]
    if question["type"] == "choice":
        options = sorted((text_of(c["value"]), c.get("description")) for c in question["choices"])
        about += "Answer with the name of one of these, and nothing else:"
    else:
        options = [(level["label"], level.get("description")) for level in question["levels"]]
        about += "Answer with the name of one of these levels, which go from the lowest to the highest, and nothing else:"
    lines = (f"\n- {name}: {what}" if what else f"\n- {name}" for name, what in options)
    return about + "".join(lines), [name for name, _ in options]


def encode(tokenizer, text):
    """Names of special tokens in it are text."""
    return tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True)


def prompt_ids(tokenizer, message):
    # the message is put in afterwards, so that what looks like a special token in it is text
    mark = "\ue000"
    messages = [{"role": "user", "content": mark}]
    text = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    before, after = text.split(mark)
    whole = lambda text: tokenizer.encode(text, add_special_tokens=False)
    return whole(before) + encode(tokenizer, message) + whole(after)


def logprob(model, prompt, reply):
    logits = model(torch.tensor([prompt + reply])).logits[0].double()
    likely = logits.log_softmax(-1)[len(prompt) - 1:-1]
    return likely.gather(1, torch.tensor(reply)[:, None]).sum().item()


for folder in sys.argv[1:]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    load = lambda dtype: AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()
    model, exact = load(torch.float32), load(torch.float64)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    asked, off = [], 0.0
    for question in REQUEST["questions"]:
        message, options = put(question)
        prompt = prompt_ids(tokenizer, message)
        logprobs = {}
        for option in options:
            reply = encode(tokenizer, option) + [end]
            logprobs[option] = logprob(model, prompt, reply)
            off = max(off, abs(logprobs[option] - logprob(exact, prompt, reply)))
        asked.append(logprobs)
    print(folder, f"float32 is off by {off:.1e}")
    with open(f"{folder}/expected_decisions.json", "w") as file:
        json.dump({"request": REQUEST, "logprobs": asked}, file, ensure_ascii=False, indent=1)
        file.write("\n")
