#!/usr/bin/env python3
"""Embeddings of gte-Qwen2's kind: a causal checkpoint whose tokens see each other both ways (`is_causal: false`).

  python make_bidirectional.py ../qwen2-tied ../qwen2-tied/bidirectional.json

Takes the weights and prompts of a golden that is there already; the state of the last token, scaled to length 1.
"""
import json, sys
import torch
from transformers import Qwen2Model

checkpoint, out = sys.argv[1:]
torch.set_grad_enabled(False)
model = Qwen2Model.from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager").eval()
prompts = json.load(open(f"{checkpoint}/expected.json"))["prompts"]


def states(ids):
    n = len(ids)
    # a mask of four axes is added to the scores as it is
    return model(torch.tensor([ids]), attention_mask=torch.zeros(1, 1, n, n)).last_hidden_state[0]


probe = prompts["L7"]
changed = probe[:-1] + [(probe[-1] + 1) % model.config.vocab_size]
assert (states(probe)[0] - states(changed)[0]).abs().max() > 1e-3, "the first token does not see the last"
embeddings = {name: torch.nn.functional.normalize(states(ids)[-1], dim=0).tolist() for name, ids in prompts.items()}
json.dump({"embeddings": embeddings}, open(out, "w"))
