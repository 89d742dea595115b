"""Writes a checkpoint as GGUF (Q8_0) and, for other programs, as a Hugging Face directory.

    python export.py --model model.pt --tokenizer tokenizer.json --out ../model/qwill-demo-q8_0.gguf [--hf-out DIR]
"""

import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

import gguf_io
from chat import TEMPLATE
from model import Config, Qwen3
from tokenizer import END_OF_TEXT, END_OF_TURN

INFO = {
    "name": "qwill demo",
    "description": "A tiny bilingual demonstration model in the Qwen3 architecture, trained from scratch on generated chats.",
    "license": "MIT OR Apache-2.0",
    "sampling": {"temp": 0.6, "top_p": 0.95, "top_k": 20},
}


def write_hf(folder: Path, model: Qwen3, tokenizer_path: str, tokenizer: Tokenizer) -> None:
    c = model.config
    folder.mkdir(parents=True, exist_ok=True)
    end_of_text, end_of_turn = tokenizer.token_to_id(END_OF_TEXT), tokenizer.token_to_id(END_OF_TURN)
    config = {
        "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": c.vocab_size, "hidden_size": c.hidden_size, "intermediate_size": c.intermediate_size,
        "num_hidden_layers": c.layers, "num_attention_heads": c.heads, "num_key_value_heads": c.kv_heads, "head_dim": c.head_dim, "hidden_act": "silu",
        "max_position_embeddings": c.context, "rms_norm_eps": c.rms_eps, "rope_theta": c.rope_theta, "rope_scaling": None, "attention_bias": False,
        "use_sliding_window": False, "sliding_window": None, "tie_word_embeddings": True, "torch_dtype": "bfloat16", "eos_token_id": end_of_turn, "bos_token_id": end_of_text,
    }
    generation = {"do_sample": True, "temperature": INFO["sampling"]["temp"], "top_p": INFO["sampling"]["top_p"], "top_k": INFO["sampling"]["top_k"],
                  "eos_token_id": [end_of_turn, end_of_text], "pad_token_id": end_of_text, "bos_token_id": end_of_text}
    settings = {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "add_prefix_space": False, "bos_token": None, "unk_token": None, "eos_token": END_OF_TURN,
                "pad_token": END_OF_TEXT, "model_max_length": c.context, "chat_template": TEMPLATE.read_text(encoding="utf-8")}
    for name, content in (("config", config), ("generation_config", generation), ("tokenizer_config", settings)):
        (folder / f"{name}.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_bytes(Path(tokenizer_path).read_bytes())
    save_file({name: tensor.bfloat16().contiguous() for name, tensor in model.state_dict().items()}, folder / "model.safetensors", {"format": "pt"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--hf-out", type=Path)
    args = parser.parse_args()
    checkpoint = torch.load(args.model, map_location="cpu", weights_only=True)
    model = Qwen3(Config(**checkpoint["config"]))
    model.load_state_dict(checkpoint["weights"])
    tokenizer = Tokenizer.from_file(args.tokenizer)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    gguf_io.write(args.out, model, tokenizer, TEMPLATE.read_text(encoding="utf-8"), INFO)
    print(f"{args.out}: {args.out.stat().st_size} bytes, {sum(p.numel() for p in model.parameters())} parameters")
    if args.hf_out:
        write_hf(args.hf_out, model, args.tokenizer, tokenizer)


if __name__ == "__main__":
    main()
