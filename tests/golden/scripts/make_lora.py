#!/usr/bin/env python3
"""Low-rank adapters for the checkpoints beside this folder, as PEFT stores them, with the logits of W + s B A in float32.

  python make_lora.py --out ..

The reference is refmodel.py with changed weights: nothing here knows how the runtime adds the change. For GGUF bases the
weights are those that gguf-py dequantises. A tied head is untied first: an adapter changes the embedding or the head.
"""
import argparse, json, math, os
import numpy as np
import torch
from safetensors.torch import save_file
from oracle_lib import rng_for
from refmodel import Ref, load_tensors
for key in ("LLAMA_SRC", "LLAMA_BIN", "LLAMA_PY"):   # make_gguf runs llama.cpp; only its reader is used here
    os.environ.setdefault(key, "/nowhere")
import make_gguf

SEED = 20261121
ATTN = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"]
MLP = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
F32, F16, BF16 = torch.float32, torch.float16, torch.bfloat16


class Adapter:
    """modules: {module path: (rank, alpha)}; `wrap` goes between base_model.model. and the path."""
    def __init__(self, name, tensors, modules, config, dtype=F32, wrap="base_model.model.", rslora=False):
        self.config, self.files, self.delta = config, {}, {}
        for path, (r, alpha) in modules.items():
            g = rng_for(SEED, name, path)
            s = alpha / (math.sqrt(r) if rslora else r)
            w = tensors[("model.embed_tokens" if path == "model.embed_tokens" else path) + ".weight"]
            n_out, n_in = w.shape
            draw = lambda shape, std: torch.from_numpy(g.standard_normal(shape, dtype=np.float32) * np.float32(std)).to(dtype)
            if path == "model.embed_tokens":     # delta = s (B A)^T, A [r, V], B [h, r]
                a, b = draw((r, n_out), 1.0), draw((n_in, r), 0.3 / (s * math.sqrt(r)))
                self.files[f"{wrap}{path}.lora_embedding_A"], self.files[f"{wrap}{path}.lora_embedding_B"] = a, b
                self.delta[path + ".weight"] = s * (b.float() @ a.float()).T
            else:
                a, b = draw((r, n_in), 1 / math.sqrt(n_in)), draw((n_out, r), 0.4 / (s * math.sqrt(r)))
                self.files[f"{wrap}{path}.lora_A.weight"], self.files[f"{wrap}{path}.lora_B.weight"] = a, b
                self.delta[path + ".weight"] = s * (b.float() @ a.float())

    def save(self, d):
        os.makedirs(d, exist_ok=True)
        save_file({k: v.contiguous() for k, v in self.files.items()}, f"{d}/adapter_model.safetensors", metadata={"format": "pt"})
        json.dump(self.config, open(f"{d}/adapter_config.json", "w"), indent=1)


def config(r, alpha, **kw):
    c = {"alpha_pattern": {}, "auto_mapping": None, "base_model_name_or_path": "tiny", "bias": "none", "fan_in_fan_out": False,
         "inference_mode": True, "init_lora_weights": True, "layers_to_transform": None, "lora_alpha": alpha, "lora_dropout": 0.0,
         "modules_to_save": None, "peft_type": "LORA", "r": r, "rank_pattern": {}, "target_modules": "all-linear",
         "task_type": "CAUSAL_LM", "use_dora": False, "use_rslora": False}
    c.update(kw)
    return c


def layers(n, modules, r, alpha, prefix="model.layers."):
    return {f"{prefix}{i}.{m}": (r, alpha) for i in range(n) for m in modules}


def changed(tensors, tied, uses):
    t = {k: v.float() for k, v in tensors.items()}
    if tied:
        t["lm_head.weight"] = t["model.embed_tokens.weight"].clone()
    for adapter, scale in uses:
        for k, d in adapter.delta.items():
            assert t[k].shape == d.shape, k
            t[k] = t[k] + scale * d
    return t


def expect(d, base, config_dir, tensors, tied, uses, prompts):
    """uses: [(folder, adapter, scale)]"""
    c = json.load(open(f"{config_dir}/config.json")) if isinstance(config_dir, str) else config_dir
    t = changed(tensors, tied, [(a, s) for _, a, s in uses])
    ref = Ref(None, tensors=t, config={**c, "tie_word_embeddings": False})
    plain = Ref(None, tensors=changed(tensors, tied, []), config={**c, "tie_word_embeddings": False})
    J = {"base": base, "adapters": [{"folder": f, "scale": s} for f, _, s in uses], "prompts": prompts, "greedy": {}}
    out = {}
    for k, ids in prompts.items():
        lg = ref.logits(ids)
        moved = (lg - plain.logits(ids)).abs().max()
        assert moved > 0.3, f"{d} {k}: the adapter moves logits by {moved} only"
        out[f"logits.{k}." + ("all" if len(ids) <= 33 else "last")] = (lg if len(ids) <= 33 else lg[-1:]).contiguous()
    ids, margins, _ = ref.greedy(prompts["L7"], 24)
    n = next((i for i, m in enumerate(margins) if m < 0.01), 24)   # up to the first close call
    J["greedy"]["L7"] = ids[:n]
    if ref.router_gap is not None:
        r64 = Ref(None, dtype=torch.float64, tensors=t, config={**c, "tie_word_embeddings": False})
        J["router_gap"] = {}
        for k, ids in prompts.items():
            r64.router_gap = []; r64.logits(ids)
            J["router_gap"][k] = [round(float(x), 5) for x in torch.stack(r64.router_gap).min(0).values]
    os.makedirs(d, exist_ok=True)
    save_file(out, f"{d}/expected.safetensors")
    json.dump(J, open(f"{d}/expected.json", "w"))
    print(d, "greedy", n, "params", sum(v.numel() for _, a, _ in uses for v in a.files.values()))


def gguf_adapter(path, adapter, architecture, alpha, names):
    import gguf
    w = gguf.GGUFWriter(path, architecture)
    w.add_type("adapter"); w.add_string("adapter.type", "lora"); w.add_float32("adapter.lora.alpha", alpha)
    for k, v in adapter.files.items():
        module, half = k.removeprefix("base_model.model.").rsplit(".lora_", 1)
        w.add_tensor(f"{names[module + '.weight']}.lora_{half[0].lower()}", v.numpy())
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()


def main(out):
    def base(name):
        d = f"{out}/{name}"
        p = json.load(open(f"{d}/expected.json"))["prompts"]
        c = json.load(open(f"{d}/config.json"))
        return d, load_tensors(d), c.get("tie_word_embeddings", False), {k: p[k] for k in ("L1", "L7", "L33", "L130")}

    d, t, tied, prompts = base("qwen2-untied")
    all_linear = Adapter("qwen2", t, {**layers(4, ATTN + MLP, 8, 16), "lm_head": (8, 16)}, config(8, 16))
    all_linear.save(f"{out}/lora-qwen2")
    expect(f"{out}/lora-qwen2", "qwen2-untied", d, t, tied, [("lora-qwen2", all_linear, 1.0)], prompts)
    second = Adapter("second", t, layers(4, ["self_attn.q_proj", "mlp.gate_proj"], 5, 10), config(5, 10), dtype=F16)
    second.save(f"{out}/lora-stacked")
    expect(f"{out}/lora-stacked", "qwen2-untied", d, t, tied,
           [("lora-qwen2", all_linear, 0.5), ("lora-stacked", second, -1.5)], prompts)

    d, t, tied, prompts = base("qwen3-tied")
    m = {}
    for i in range(2):
        m[f"model.layers.{i}.self_attn.q_proj"] = (12, 16)
        m[f"model.layers.{i}.self_attn.v_proj"] = (6, 5)
        m[f"model.layers.{i}.mlp.up_proj"] = (3 if i == 1 else 6, 16)
        m[f"model.layers.{i}.mlp.down_proj"] = (6, 16)
    m["lm_head"] = (6, 16)
    c = config(6, 16, use_rslora=True, rank_pattern={"layers.1.mlp.up_proj": 3, "q_proj": 12}, alpha_pattern={r".*\.v_proj": 5})
    a = Adapter("qwen3", t | {"lm_head.weight": t["model.embed_tokens.weight"]}, m, c, dtype=BF16, rslora=True)
    # as multimodal classes name their text model
    a.files = {k.replace("model.layers.1", "model.language_model.layers.1"): v for k, v in a.files.items()}
    a.save(f"{out}/lora-qwen3")
    expect(f"{out}/lora-qwen3", "qwen3-tied", d, t, tied, [("lora-qwen3", a, 1.0)], prompts)
    a = Adapter("embed", t, {"model.embed_tokens": (7, 14), "model.layers.0.self_attn.k_proj": (7, 14)}, config(7, 14))
    # PEFT stores the embeddings of the base beside their factors
    a.files["base_model.model.model.embed_tokens.base_layer.weight"] = t["model.embed_tokens.weight"]
    a.save(f"{out}/lora-embedding")
    expect(f"{out}/lora-embedding", "qwen3-tied", d, t, tied, [("lora-embedding", a, 1.0)], prompts)

    d, t, tied, prompts = base("qwen3moe-swa")
    m = {}
    for i in range(2):
        m[f"model.layers.{i}.mlp.gate"] = (4, 8)
        m[f"model.layers.{i}.self_attn.o_proj"] = (4, 8)
        for e in [0, 1, 2, 3, 5, 6, 7, 8]:
            for p in ["gate_proj", "up_proj", "down_proj"]:
                if not (i == 1 and e == 2 and p == "up_proj"):
                    m[f"model.layers.{i}.mlp.experts.{e}.{p}"] = (6 if e == 3 else 4, 8)
    a = Adapter("qwen3moe", t, m, config(4, 8, rank_pattern={r"experts\.3\..*": 6}))
    a.save(f"{out}/lora-qwen3moe")
    expect(f"{out}/lora-qwen3moe", "qwen3moe-swa", d, t, tied, [("lora-qwen3moe", a, 1.0)], prompts)

    d, t, tied, prompts = base("qwen2moe-mix")
    shared = ["mlp.shared_expert.gate_proj", "mlp.shared_expert.up_proj", "mlp.shared_expert.down_proj", "mlp.shared_expert_gate"]
    m = {f"model.layers.{i}.{p}": (3, 6) for i in (1,) for p in shared}
    m |= {f"model.layers.{i}.{p}": (3, 6) for i in (0, 2, 3) for p in MLP}
    m |= {f"model.layers.1.mlp.experts.{e}.down_proj": (3, 6) for e in range(16)}
    a = Adapter("qwen2moe", t, m, config(3, 6), dtype=BF16)
    a.save(f"{out}/lora-qwen2moe")
    expect(f"{out}/lora-qwen2moe", "qwen2moe-mix", d, t, tied, [("lora-qwen2moe", a, 1.0)], prompts)

    d, t, tied, prompts = base("qwen1-plain")
    a = Adapter("qwen1", t, layers(3, ["attn.c_attn", "attn.c_proj", "mlp.w1", "mlp.w2", "mlp.c_proj"], 4, 4, "transformer.h."),
                config(4, 4, target_modules=["c_attn", "c_proj", "w1", "w2"]))
    a.save(f"{out}/lora-qwen1")
    expect(f"{out}/lora-qwen1", "qwen1-plain", d, t, tied, [("lora-qwen1", a, 1.0)], prompts)

    path = f"{out}/g-qwen2/g-qwen2-Q8_0.gguf"
    t, _ = make_gguf.dequantised(path)
    J = json.load(open(path.replace(".gguf", ".expected.json")))
    prompts = {k: J["prompts"][k] for k in ("L1", "L7", "L33", "L130") if k in J["prompts"]}
    c = {"model_type": "qwen2", "hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2,
         "intermediate_size": 192, "rms_norm_eps": 1e-6, "rope_theta": 1e6}
    c.update(J.get("config", {}))
    a = Adapter("gguf", t, layers(2, ATTN + MLP, 16, 32), config(16, 32), dtype=F16)
    a.save(f"{out}/lora-gguf")
    expect(f"{out}/lora-gguf", "g-qwen2/g-qwen2-Q8_0.gguf", c, t, True, [("lora-gguf", a, 1.0)], prompts)
    back = {v: k for k, v in make_gguf.HF.items()}
    names = {f"model.layers.{i}.{m}.weight": f"blk.{i}.{back[m]}.weight" for i in range(2) for m in ATTN + MLP}
    os.makedirs(f"{out}/lora-gguf/gguf", exist_ok=True)
    gguf_adapter(f"{out}/lora-gguf/gguf/adapter.gguf", a, "qwen2", 32.0, names)


if __name__ == "__main__":
    p = argparse.ArgumentParser(); p.add_argument("--out", default="..")
    main(p.parse_args().out)
