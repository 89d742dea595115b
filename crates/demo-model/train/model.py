"""A compact Qwen3 (dense): RMSNorm, grouped-query attention with QK-norm, half-split RoPE, SwiGLU, tied embeddings.

Weights carry the Hugging Face names, so a state dict of this module *is* the content of `model.safetensors`.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    """Sizes of the model. Every matrix row length is a multiple of 64, so all matrices take Q8_0 blocks."""

    vocab_size: int = 2048
    hidden_size: int = 192
    intermediate_size: int = 512
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    rope_theta: float = 1e6
    rms_eps: float = 1e-6
    context: int = 1024

    to_dict = asdict


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight, self.eps)


def rope_table(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """cos and sin, each [positions, 1, head_dim/2]."""
    freq = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64, device=positions.device) / head_dim)
    angle = positions.double()[:, None] * freq
    return angle.cos().float()[:, None, :], angle.sin().float()[:, None, :]


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Half-split rotation: dimension i pairs with i + head_dim/2. x is [tokens, heads, head_dim]."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Attention(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.q_proj = nn.Linear(c.hidden_size, c.heads * c.head_dim, bias=False)
        self.k_proj = nn.Linear(c.hidden_size, c.kv_heads * c.head_dim, bias=False)
        self.v_proj = nn.Linear(c.hidden_size, c.kv_heads * c.head_dim, bias=False)
        self.o_proj = nn.Linear(c.heads * c.head_dim, c.hidden_size, bias=False)
        self.q_norm = RMSNorm(c.head_dim, c.rms_eps)
        self.k_norm = RMSNorm(c.head_dim, c.rms_eps)

    def forward(self, x: Tensor, rope: tuple[Tensor, Tensor], groups: list[tuple[int, int]], cache: "Cache | None", layer: int) -> Tensor:
        c = self.c
        q = rotate(self.q_norm(self.q_proj(x).view(-1, c.heads, c.head_dim)), *rope)
        k = rotate(self.k_norm(self.k_proj(x).view(-1, c.kv_heads, c.head_dim)), *rope)
        v = self.v_proj(x).view(-1, c.kv_heads, c.head_dim)
        if not v.is_cpu:
            q, k = q.to(v.dtype), k.to(v.dtype)
        if cache is not None:
            k, v = cache.append(layer, k, v)
            out = attend(q[None], k[None], v[None], causal=len(q) > 1)[0]
            return self.o_proj(out.reshape(len(q), -1))
        sizes = [b * s for b, s in groups]
        outs = [
            attend(*(t.view(b, s, *t.shape[1:]) for t in parts), causal=True).reshape(b * s, -1)
            for (b, s), *parts in zip(groups, q.split(sizes), k.split(sizes), v.split(sizes))
        ]
        return self.o_proj(torch.cat(outs))


def attend(q: Tensor, k: Tensor, v: Tensor, causal: bool) -> Tensor:
    """[batch, tokens, heads, head_dim] attention; consecutive query heads share one key/value head."""
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    repeat = q.shape[1] // k.shape[1]
    k, v = k.repeat_interleave(repeat, 1), v.repeat_interleave(repeat, 1)
    if q.is_cpu:  # the backward pass in bfloat16 is five times slower than in float32
        with torch.autocast("cpu", enabled=False):
            return F.scaled_dot_product_attention(q.float(), k.float(), v.float(), is_causal=causal).transpose(1, 2)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal).transpose(1, 2)


class Mlp(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.gate_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.up_proj = nn.Linear(c.hidden_size, c.intermediate_size, bias=False)
        self.down_proj = nn.Linear(c.intermediate_size, c.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.input_layernorm = RMSNorm(c.hidden_size, c.rms_eps)
        self.self_attn = Attention(c)
        self.post_attention_layernorm = RMSNorm(c.hidden_size, c.rms_eps)
        self.mlp = Mlp(c)

    def forward(self, x: Tensor, rope, groups, cache, layer: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), rope, groups, cache, layer)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.embed_tokens = nn.Embedding(c.vocab_size, c.hidden_size)
        self.layers = nn.ModuleList(Layer(c) for _ in range(c.layers))
        self.norm = RMSNorm(c.hidden_size, c.rms_eps)


class Cache:
    """Keys and values of one sequence, for generation."""

    def __init__(self, layers: int):
        self.k: list[Tensor | None] = [None] * layers
        self.v: list[Tensor | None] = [None] * layers

    def append(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        if self.k[layer] is not None:
            k, v = torch.cat((self.k[layer], k)), torch.cat((self.v[layer], v))
        self.k[layer], self.v[layer] = k, v
        return k, v

    def __len__(self) -> int:
        return 0 if self.k[0] is None else len(self.k[0])


class Qwen3(nn.Module):
    def __init__(self, c: Config):
        super().__init__()
        self.config = c
        self.model = Body(c)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                scale = (2 * c.layers) ** -0.5 if name.endswith(("o_proj.weight", "down_proj.weight")) else 1.0
                nn.init.normal_(p, std=0.02 if "embed" in name else scale * p.shape[1] ** -0.5)

    def forward(self, ids: Tensor, groups: list[tuple[int, int]], pick: Tensor | None = None, cache: Cache | None = None) -> Tensor:
        """Logits of the flat token list `ids`, which is a row of rectangular groups (batch, length) of separate chats.

        `pick` names the positions whose logits are wanted (all when absent). With a cache, `ids` continues one sequence.
        """
        start = len(cache) if cache is not None else 0
        positions = torch.cat([torch.arange(start, start + s, device=ids.device).repeat(b) for b, s in groups])
        rope = rope_table(positions, self.config.head_dim, self.config.rope_theta)
        x = self.model.embed_tokens(ids)
        for i, layer in enumerate(self.model.layers):
            x = layer(x, rope, groups, cache, i)
        if pick is not None:
            x = x[pick]
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)

    @torch.no_grad()
    def greedy(self, prompt: list[int], stop: set[int], limit: int) -> list[int]:
        """Greedy continuation; the stop id is not part of the answer."""
        cache, out, ids = Cache(self.config.layers), [], prompt
        while len(out) < limit:
            pick = torch.tensor([len(ids) - 1])
            token = int(self(torch.tensor(ids), [(1, len(ids))], pick, cache)[0].argmax())
            if token in stop:
                break
            out.append(token)
            ids = [token]
        return out
