#!/usr/bin/env python3
"""Writes blocks.safetensors and metadata.gguf: block formats and a GGUF header as gguf-py sees them.

    python3.11 -m venv v
    v/bin/pip install gguf==0.19.0 numpy==2.4.6 safetensors==0.8.0
    v/bin/python make_blocks.py PATH/TO/quantize_q4_k     # built from quantize_q4_k.c

blocks.safetensors, for every type T that gguf-py dequantises:
    raw.T           U8   [3, bytes]     random blocks whose scale fields are ordinary numbers
    values.T        F32  [3, elements]  the same, dequantised
and for every type Q that gguf-py quantises:
    quantize        F32  [n, 256]       rows of several kinds (normal, one-sided, spikes, ties, zeros)
    quantized.Q     U8   [n, bytes]
and quantized.Q4_K by ggml's own quantiser, as gguf-py has none.
"""

import pathlib
import subprocess
import sys
import tempfile

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
# Byte offsets of the f16 fields.
F16_FIELDS = {
    T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0],
    T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208],
    T.IQ4_NL: [0], T.IQ4_XS: [0], T.TQ1_0: [52], T.TQ2_0: [64], T.MXFP4: [], T.NVFP4: [],
}  # fmt: skip
QUANTIZED = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.BF16]


def raw_blocks(rng, kind):
    size = gguf.GGML_QUANT_SIZES[kind][1]
    raw = rng.integers(0, 256, (3, size), dtype=np.uint8)
    for at in F16_FIELDS[kind]:
        scale = (rng.standard_normal(3) * 0.01).astype(np.float16)
        raw[:, at : at + 2] = scale.view(np.uint8).reshape(3, 2)
    if kind == T.MXFP4:
        raw[:, 0] = [0, 1, 120]
    return raw


def rows(rng):
    normal = rng.standard_normal((6, 256)) * 0.03
    positive = np.abs(rng.standard_normal((2, 256))) + 0.5
    spikes = np.where(rng.random((2, 256)) < 0.03, 40.0, 0.01) * rng.standard_normal((2, 256))
    ties = rng.integers(-8, 9, (3, 256)) / 2.0
    zeros = np.zeros((1, 256))
    tiny = rng.standard_normal((1, 256)) * 1e-6
    return np.concatenate([normal, positive, spikes, ties, zeros, tiny]).astype(np.float32)


def q4_k(x, program):
    with tempfile.TemporaryDirectory() as d:
        source, target = pathlib.Path(d) / "x", pathlib.Path(d) / "y"
        x.tofile(source)
        subprocess.run([program, source, target], check=True)
        return np.fromfile(target, np.uint8).reshape(len(x), -1)


def main():
    rng = np.random.default_rng(20261120)
    out = {}
    for kind in F16_FIELDS:
        raw = raw_blocks(rng, kind)
        out[f"raw.{kind.name}"] = raw
        out[f"values.{kind.name}"] = gguf.dequantize(raw, kind).astype(np.float32)
    x = rows(rng)
    out["quantize"] = x
    for kind in QUANTIZED:
        out[f"quantized.{kind.name}"] = gguf.quantize(x, kind).view(np.uint8)
    out["quantized.Q4_K"] = q4_k(x, sys.argv[1])
    save_file(out, HERE / "blocks.safetensors")

    w = gguf.GGUFWriter(HERE / "metadata.gguf", "qwen3")
    w.add_uint32("qwen3.block_count", 28)
    w.add_float32("qwen3.attention.layer_norm_rms_epsilon", 1e-6)
    w.add_bool("tokenizer.ggml.add_bos_token", False)
    w.add_array("tokenizer.ggml.tokens", ["a", "", "Ġé", "<|im_end|>"])
    w.add_array("tokenizer.ggml.token_type", [1, 1, 1, 3])
    w.add_array("flags", [True, False])
    w.add_int64("negative", -5)
    w.add_float64("double", 0.1)
    w.add_tensor("norm", np.array([1.0, 2.0, 3.0], np.float32))
    w.add_tensor("matrix", np.arange(6, dtype=np.float16).reshape(2, 3))
    w.add_tensor("quants", gguf.quantize(x[:3, :64], T.Q8_0), raw_dtype=T.Q8_0)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
