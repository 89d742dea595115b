"""Reading and writing the model as GGUF, and naming its tensors."""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer, models

from model import Config, Qwen3
from tokenizer import ADDED, assemble, with_added_tokens

ARCH = "qwen3"
NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}


def tensor_name(hf: str) -> str:
    """`model.layers.3.mlp.up_proj.weight` → `blk.3.ffn_up.weight`"""
    base = hf.removesuffix(".weight")
    if base in NAMES:
        return f"{NAMES[base]}.weight"
    _, _, layer, rest = base.split(".", 3)
    return f"blk.{layer}.{NAMES[rest]}.weight"


def write(path: Path, model: Qwen3, tokenizer: Tokenizer, template: str, info: dict) -> None:
    c = model.config
    out = gguf.GGUFWriter(path, ARCH)
    out.add_type("model")
    out.add_name(info["name"])
    out.add_description(info["description"])
    out.add_license(info["license"])
    out.add_languages(["en", "zh"])
    out.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    out.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in info["sampling"].items():
        (out.add_int32 if isinstance(value, int) else out.add_float32)(f"general.sampling.{key}", value)
    out.add_context_length(c.context)
    out.add_block_count(c.layers)
    out.add_embedding_length(c.hidden_size)
    out.add_feed_forward_length(c.intermediate_size)
    out.add_head_count(c.heads)
    out.add_head_count_kv(c.kv_heads)
    out.add_key_length(c.head_dim)
    out.add_value_length(c.head_dim)
    out.add_layer_norm_rms_eps(c.rms_eps)
    out.add_rope_freq_base(c.rope_theta)
    write_tokenizer(out, tokenizer, c.vocab_size, template)
    for name, tensor in model.state_dict().items():
        data = tensor.detach().float().cpu().numpy()
        if data.ndim == 1:
            out.add_tensor(tensor_name(name), data)
        else:
            kind = gguf.GGMLQuantizationType.Q8_0
            out.add_tensor(tensor_name(name), gguf.quants.quantize(data, kind), raw_dtype=kind)
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def write_tokenizer(out: gguf.GGUFWriter, tokenizer: Tokenizer, rows: int, template: str) -> None:
    data = json.loads(tokenizer.to_str())
    tokens, types = [f"[PAD{i}]" for i in range(rows)], [gguf.TokenType.UNUSED] * rows
    for text, i in data["model"]["vocab"].items():
        tokens[i], types[i] = text, gguf.TokenType.NORMAL
    for token in data["added_tokens"]:
        tokens[token["id"]] = token["content"]
        types[token["id"]] = gguf.TokenType.CONTROL if token["special"] else gguf.TokenType.USER_DEFINED
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in data["model"]["merges"]]
    ids = {token["content"]: token["id"] for token in data["added_tokens"]}
    out.add_tokenizer_model("gpt2")
    out.add_tokenizer_pre("qwen2")
    out.add_token_list(tokens)
    out.add_token_types(types)
    out.add_token_merges(merges)
    out.add_eos_token_id(ids["<|im_end|>"])
    out.add_eot_token_id(ids["<|im_end|>"])
    out.add_pad_token_id(ids["<|endoftext|>"])
    out.add_bos_token_id(ids["<|endoftext|>"])
    out.add_add_bos_token(False)
    out.add_chat_template(template)


def read(path: Path) -> Qwen3:
    """The model with dequantised float32 weights: exactly what a GGUF runtime computes with."""
    file = gguf.GGUFReader(path)

    def field(key: str):
        return file.fields[f"{ARCH}.{key}"].contents()

    tensors = {t.name: t for t in file.tensors}
    config = Config(
        vocab_size=int(tensors["token_embd.weight"].shape[1]), hidden_size=field("embedding_length"), intermediate_size=field("feed_forward_length"),
        layers=field("block_count"), heads=field("attention.head_count"), kv_heads=field("attention.head_count_kv"), head_dim=field("attention.key_length"),
        rope_theta=field("rope.freq_base"), rms_eps=field("attention.layer_norm_rms_epsilon"), context=field("context_length"),
    )
    model = Qwen3(config)
    state = {}
    for name, old in model.state_dict().items():
        tensor = tensors[tensor_name(name)]
        data = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        state[name] = torch.from_numpy(np.array(data, dtype=np.float32)).view(old.shape)
    model.load_state_dict(state)
    return model.eval()


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer as the GGUF describes it."""
    fields = gguf.GGUFReader(path).fields
    tokens, merges = fields["tokenizer.ggml.tokens"].contents(), fields["tokenizer.ggml.merges"].contents()
    base = tokens.index(ADDED[0][0])
    model = models.BPE({text: i for i, text in enumerate(tokens[:base])}, [tuple(merge.split(" ")) for merge in merges])
    return with_added_tokens(assemble(model))
