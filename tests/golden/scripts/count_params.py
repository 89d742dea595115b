#!/usr/bin/env python3
"""Counts the parameters of every published Qwen1 ... Qwen3 configuration and writes ../param_counts.json.

  v/bin/python count_params.py          # torch 2.15.0, transformers 5.23.0; needs no weights and little memory

Each model is built on the meta device with transformers' own class and its parameters are counted, tied weights once.
Two kinds of model are not in transformers and are built here from torch modules instead:
  - Qwen1 (QWenLMHeadModel): fused c_attn with bias, w1, w2, c_proj, RMSNorms, untied lm_head;
  - the reward and process reward models: transformers' Qwen2Model with Linear, ReLU, Linear (biases) on top.
Embedding repositories hold the base model without lm_head: they are counted, and named in `architectures`, as
Qwen3Model, although their config.json says Qwen3ForCausalLM.

The output maps a name to {config, params}: config has the keys of the official config.json that shape the computation.
Sizes are those of the model cards and configurations; parts that a release does not use (such as intermediate_size
where every layer is sparse) are there because its config.json has them.
"""
import json, os
import torch
from torch import nn
import transformers
from transformers import AutoConfig


# =================================================================== configurations
def qwen1(layers, hidden, heads, inter, vocab, seq_length, max_pos, base=10000, scaled=True):
    return {"architectures": ["QWenLMHeadModel"], "model_type": "qwen", "num_hidden_layers": layers, "hidden_size": hidden,
            "num_attention_heads": heads, "kv_channels": 128, "intermediate_size": inter, "vocab_size": vocab, "layer_norm_epsilon": 1e-6,
            "rotary_emb_base": base, "rotary_pct": 1.0, "seq_length": seq_length, "max_position_embeddings": max_pos,
            "use_dynamic_ntk": scaled, "use_logn_attn": scaled, "no_bias": True, "tie_word_embeddings": False}


def old_names(c):
    """The key names of the first Qwen-7B release."""
    new = {"hidden_size": "n_embd", "num_hidden_layers": "n_layer", "num_attention_heads": "n_head", "intermediate_size": "ffn_hidden_size",
           "vocab_size": "padded_vocab_size", "max_position_embeddings": "n_positions"}
    return {new.get(k, k): v for k, v in c.items()}


def qwen2(layers, hidden, heads, kv, inter, vocab, max_pos, tied=False, eps=1e-6, theta=1e6):
    return {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "num_hidden_layers": layers, "hidden_size": hidden,
            "num_attention_heads": heads, "num_key_value_heads": kv, "intermediate_size": inter, "vocab_size": vocab,
            "max_position_embeddings": max_pos, "tie_word_embeddings": tied, "rms_norm_eps": eps, "rope_theta": theta,
            "use_sliding_window": False}


def qwen2_moe(experts, top_k, moe_inter, shared, *args):
    return {**qwen2(*args), "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "num_experts": experts,
            "num_experts_per_tok": top_k, "moe_intermediate_size": moe_inter, "shared_expert_intermediate_size": shared,
            "norm_topk_prob": False, "decoder_sparse_step": 1, "mlp_only_layers": []}


def qwen3(*args, **kw):
    return {**qwen2(*args, **kw), "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "head_dim": 128, "attention_bias": False}


def qwen3_moe(experts, top_k, moe_inter, *args):
    return {**qwen3(*args), "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": experts,
            "num_experts_per_tok": top_k, "moe_intermediate_size": moe_inter, "norm_topk_prob": True, "decoder_sparse_step": 1,
            "mlp_only_layers": []}


def published():
    m = {
        "qwen-1.8b": qwen1(24, 2048, 16, 11008, 151936, 8192, 8192),
        "qwen-7b": qwen1(32, 4096, 32, 22016, 151936, 8192, 32768),
        "qwen-7b-v1.0": old_names(qwen1(32, 4096, 32, 22016, 151936, 2048, 6144)),
        "qwen-14b": qwen1(40, 5120, 40, 27392, 152064, 2048, 8192),
        "qwen-72b": qwen1(80, 8192, 64, 49152, 152064, 32768, 32768, 1000000, False),

        "qwen1.5-0.5b": qwen2(24, 1024, 16, 16, 2816, 151936, 32768, True),
        "qwen1.5-1.8b": qwen2(24, 2048, 16, 16, 5504, 151936, 32768),
        "qwen1.5-4b": qwen2(40, 2560, 20, 20, 6912, 151936, 32768),
        "qwen1.5-4b-chat": qwen2(40, 2560, 20, 20, 6912, 151936, 32768, theta=5e6),
        "qwen1.5-7b": qwen2(32, 4096, 32, 32, 11008, 151936, 32768),
        "qwen1.5-14b": qwen2(40, 5120, 40, 40, 13696, 152064, 32768),
        "qwen1.5-32b": qwen2(64, 5120, 40, 8, 27392, 152064, 32768),
        "qwen1.5-72b": qwen2(80, 8192, 64, 64, 24576, 152064, 32768),
        "qwen1.5-110b": qwen2(80, 8192, 64, 8, 49152, 152064, 32768),
        "codeqwen1.5-7b": qwen2(32, 4096, 32, 4, 13440, 92416, 65536, eps=1e-5),
        "qwen1.5-moe-a2.7b": qwen2_moe(60, 4, 1408, 5632, 24, 2048, 16, 16, 5632, 151936, 8192),

        "qwen2-57b-a14b": qwen2_moe(64, 8, 2560, 20480, 28, 3584, 28, 4, 18944, 151936, 131072),
        "qwen2-57b-a14b-instruct": qwen2_moe(64, 8, 2560, 20480, 28, 3584, 28, 4, 18944, 151936, 32768),
    }
    # Dense sizes of Qwen2 and Qwen2.5: layers, hidden, heads, kv heads, inner width, vocabulary.
    half = 24, 896, 14, 2, 4864, 151936
    one5 = 28, 1536, 12, 2, 8960, 151936
    three = 36, 2048, 16, 2, 11008, 151936
    seven = 28, 3584, 28, 4, 18944, 152064
    fourteen = 48, 5120, 40, 8, 13824, 152064
    thirty2 = 64, 5120, 40, 8, 27648, 152064
    seventy2 = 80, 8192, 64, 8, 29568, 152064
    long, short = 131072, 32768
    for name, size, tied in (("0.5b", half, True), ("1.5b", one5, True), ("7b", seven, False), ("72b", seventy2, False)):
        m["qwen2-" + name] = qwen2(*size, long, tied)
        m[f"qwen2-{name}-instruct"] = qwen2(*size, short, tied)
    for name, size, tied, eps, base_pos in (("0.5b", half, True, 1e-6, short), ("1.5b", one5, True, 1e-6, long), ("3b", three, True, 1e-6, short),
                                            ("7b", seven, False, 1e-6, long), ("14b", fourteen, False, 1e-5, long),
                                            ("32b", thirty2, False, 1e-5, long), ("72b", seventy2, False, 1e-5, long)):
        m["qwen2.5-" + name] = qwen2(*size, base_pos, tied, eps)
        m[f"qwen2.5-{name}-instruct"] = qwen2(*size, short, tied)
        if name != "72b":
            m["qwen2.5-coder-" + name] = qwen2(*size, short, tied, eps)
        if name in ("1.5b", "7b", "72b"):
            m["qwen2.5-math-" + name] = qwen2(*size, 4096, tied, eps, 1e4)
    for name, size in (("7b", seven), ("14b", fourteen)):
        m[f"qwen2.5-{name}-instruct-1m"] = {**qwen2(*size, 1010000, False, 1e-5, 1e7), "dual_chunk_attention_config": {
            "chunk_size": 262144, "local_size": 8192, "original_max_position_embeddings": 262144}}
    m["qwen2.5-math-rm-72b"] = {**m["qwen2.5-math-72b"], "architectures": ["Qwen2ForRewardModel"], "num_labels": 1}
    for name in ("7b", "72b"):
        m["qwen2.5-math-prm-" + name] = {**m["qwen2.5-math-" + name], "architectures": ["Qwen2ForProcessRewardModel"], "num_labels": 2}
    m["qwq-32b"] = qwen2(*thirty2, long, eps=1e-5)
    m["qwq-32b-preview"] = qwen2(*thirty2, short, eps=1e-5)

    for name, size, tied in (("0.6b", (28, 1024, 16, 8, 3072), True), ("1.7b", (28, 2048, 16, 8, 6144), True), ("4b", (36, 2560, 32, 8, 9728), True),
                             ("8b", (36, 4096, 32, 8, 12288), False), ("14b", (40, 5120, 40, 8, 17408), False), ("32b", (64, 5120, 64, 8, 25600), False)):
        m["qwen3-" + name] = qwen3(*size, 151936, 40960, tied)
        if name != "32b":
            m[f"qwen3-{name}-base"] = qwen3(*size, 151936, 32768, tied)
        if name == "4b":
            for kind in ("instruct", "thinking"):
                m[f"qwen3-4b-{kind}-2507"] = qwen3(*size, 151936, 262144, tied, theta=5e6)
        if name in ("0.6b", "4b", "8b"):
            rows, pos = (151669, 32768) if name == "0.6b" else (151665, 40960)
            m["qwen3-embedding-" + name] = {**qwen3(*size, rows, pos, tied), "architectures": ["Qwen3Model"]}
            m["qwen3-reranker-" + name] = qwen3(*size, 151669, 40960, tied)

    thirty, big = (128, 8, 768, 48, 2048, 32, 4, 6144, 151936), (128, 8, 1536, 94, 4096, 64, 4, 12288, 151936)
    moe = lambda size, pos, theta=1e6: {**qwen3_moe(*size, pos), "rope_theta": theta}
    m["qwen3-30b-a3b"], m["qwen3-30b-a3b-base"], m["qwen3-235b-a22b"] = moe(thirty, 40960), moe(thirty, 32768), moe(big, 40960)
    for kind in ("instruct", "thinking"):
        m[f"qwen3-30b-a3b-{kind}-2507"] = moe(thirty, 262144, 1e7)
        m[f"qwen3-235b-a22b-{kind}-2507"] = moe(big, 262144, 5e6)
    # config_1m.json of that repository, less its table of sparse lines: dense dual chunk attention is the exact method.
    m["qwen3-30b-a3b-instruct-2507-1m"] = {**moe(thirty, 1010000, 1e7), "dual_chunk_attention_config": {
        "chunk_size": 131072, "local_size": 4096, "original_max_position_embeddings": 131072}}
    m["qwen3-coder-30b-a3b"] = moe(thirty, 262144, 1e7)
    m["qwen3-coder-480b-a35b"] = moe((160, 8, 2560, 62, 6144, 96, 8, 8192, 151936), 262144, 1e7)
    return m


# =================================================================== models that transformers lacks
class Qwen1Layer(nn.Module):
    def __init__(self, hidden, projected, inner, bias):
        super().__init__()
        self.ln_1, self.ln_2 = nn.RMSNorm(hidden), nn.RMSNorm(hidden)
        self.c_attn, self.attn_c_proj = nn.Linear(hidden, 3 * projected), nn.Linear(projected, hidden, bias=bias)
        self.w1, self.w2, self.mlp_c_proj = nn.Linear(hidden, inner, bias=bias), nn.Linear(hidden, inner, bias=bias), nn.Linear(inner, hidden, bias=bias)


class Qwen1(nn.Module):
    def __init__(self, c):
        super().__init__()
        g = lambda new, old: c.get(new, c.get(old))
        hidden, rows = g("hidden_size", "n_embd"), g("vocab_size", "padded_vocab_size")
        inner = g("intermediate_size", "ffn_hidden_size") // 2
        projected, bias = c["kv_channels"] * g("num_attention_heads", "n_head"), not c["no_bias"]
        self.wte, self.ln_f, self.lm_head = nn.Embedding(rows, hidden), nn.RMSNorm(hidden), nn.Linear(hidden, rows, bias=False)
        self.h = nn.ModuleList(Qwen1Layer(hidden, projected, inner, bias) for _ in range(g("num_hidden_layers", "n_layer")))


class Reward(nn.Module):
    def __init__(self, config, num_labels):
        super().__init__()
        self.model = transformers.Qwen2Model(config)
        self.score = nn.Sequential(nn.Linear(config.hidden_size, config.hidden_size), nn.ReLU(), nn.Linear(config.hidden_size, num_labels))


def build(c):
    if c["model_type"] == "qwen":
        return Qwen1(c)
    config = AutoConfig.for_model(**c)
    name = c["architectures"][0]
    if name in ("Qwen2ForRewardModel", "Qwen2ForProcessRewardModel"):
        return Reward(config, c["num_labels"])
    return getattr(transformers, name)(config)


def main():
    out = {}
    for name, c in sorted(published().items()):
        with torch.device("meta"):
            model = build(c)
        if hasattr(model, "tie_weights"):
            model.tie_weights()
        out[name] = {"config": c, "params": sum(p.numel() for p in model.parameters())}
        print(f"{name:32s} {out[name]['params']:>15,d}", flush=True)
    rows = [f" {json.dumps(n)}: {json.dumps(v)}" for n, v in out.items()]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "param_counts.json")
    with open(path, "w") as f:
        f.write("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main()
