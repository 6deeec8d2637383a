"""The house model's architecture, exactly Qwen3 (so every tool that loads Qwen3 loads it), small enough to read at once.

Why our own sixty lines and not transformers: packed batches and a sparse output head (logits only where a loss is
taken) make it about twice as fast on two cores. `verify.py` proves that transformers computes the same logits.
Reference: the Qwen3 technical report, arXiv 2505.09388 (RMSNorm before each part, per-head norm of queries and keys,
grouped-query attention, rotary positions in half-split form, SwiGLU, tied embeddings).
"""

from dataclasses import dataclass, asdict

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Config:
    """Sizes; every width is a multiple of 256 where a K-quant block must fit."""

    vocab: int = 4096
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 768
    context: int = 1024
    rope_theta: float = 10000.0
    eps: float = 1e-6

    def hf(self):
        """The same sizes as a transformers `config.json`."""
        return {
            "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": self.vocab,
            "hidden_size": self.hidden, "intermediate_size": self.ffn, "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads, "num_key_value_heads": self.kv_heads, "head_dim": self.head_dim,
            "hidden_act": "silu", "max_position_embeddings": self.context, "rope_theta": self.rope_theta,
            "rms_norm_eps": self.eps, "tie_word_embeddings": True, "attention_bias": False,
            "attention_dropout": 0.0, "initializer_range": 0.02, "use_cache": True,
        }


def rms_norm(x, weight, eps):
    """Scale `x` to unit root mean square over its last axis, in f32."""
    y = x.float()
    y = y * torch.rsqrt(y.pow(2).mean(-1, keepdim=True) + eps)
    return (y * weight).to(x.dtype)


def rotate(x, cos, sin):
    """Turn each pair (i, i + head_dim/2) of `x` [batch, heads, tokens, head_dim] by its position's angle."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Block(nn.Module):
    """One decoder layer: attention, then the gated feed-forward network, each with its own residual."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.attn_norm = nn.Parameter(torch.ones(c.hidden))
        self.ffn_norm = nn.Parameter(torch.ones(c.hidden))
        self.q_norm = nn.Parameter(torch.ones(c.head_dim))
        self.k_norm = nn.Parameter(torch.ones(c.head_dim))
        self.q = nn.Linear(c.hidden, c.heads * c.head_dim, bias=False)
        self.k = nn.Linear(c.hidden, c.kv_heads * c.head_dim, bias=False)
        self.v = nn.Linear(c.hidden, c.kv_heads * c.head_dim, bias=False)
        self.o = nn.Linear(c.heads * c.head_dim, c.hidden, bias=False)
        self.gate = nn.Linear(c.hidden, c.ffn, bias=False)
        self.up = nn.Linear(c.hidden, c.ffn, bias=False)
        self.down = nn.Linear(c.ffn, c.hidden, bias=False)

    def forward(self, x, cos, sin, mask=None, cache=None):
        c, (b, t, _) = self.c, x.shape
        h = rms_norm(x, self.attn_norm, c.eps)
        q = self.q(h).view(b, t, c.heads, c.head_dim).transpose(1, 2)
        k = self.k(h).view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        v = self.v(h).view(b, t, c.kv_heads, c.head_dim).transpose(1, 2)
        q = rotate(rms_norm(q, self.q_norm, c.eps), cos, sin).to(v.dtype)
        k = rotate(rms_norm(k, self.k_norm, c.eps), cos, sin).to(v.dtype)
        if cache is not None:
            k, v, mask = cache.extend(self, k, v)
        groups = c.heads // c.kv_heads
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, -1))
        h = rms_norm(x, self.ffn_norm, c.eps)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class House(nn.Module):
    """The whole decoder. `hidden` gives the last hidden states; `logits` multiplies chosen ones with the embedding."""

    def __init__(self, c):
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(c.vocab, c.hidden)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.norm = nn.Parameter(torch.ones(c.hidden))
        angle = torch.outer(torch.arange(c.context).float(),
                            c.rope_theta ** (-torch.arange(0, c.head_dim, 2).float() / c.head_dim))
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)
        for name, p in self.named_parameters():
            if p.dim() == 2:
                std = 0.02 / (2 * c.layers) ** 0.5 if name.endswith(("o.weight", "down.weight")) else 0.02
                nn.init.normal_(p, std=std)

    def hidden(self, ids, start=0, mask=None, cache=None):
        """Last hidden states of `ids` [batch, tokens] whose first position is `start` (an int, or positions [batch, tokens]);
        `mask` [batch, 1, tokens, keys] says what may be seen, and without it everything earlier is."""
        if isinstance(start, int):
            cos, sin = self.cos[start:start + ids.shape[1]], self.sin[start:start + ids.shape[1]]
        else:
            cos, sin = self.cos[start][:, None], self.sin[start][:, None]
        x = self.embed(ids)
        for block in self.blocks:
            x = block(x, cos, sin, mask, cache)
        return rms_norm(x, self.norm, self.c.eps)

    def logits(self, hidden):
        return F.linear(hidden, self.embed.weight)


def config_dict(c):
    """Plain dict of a configuration, for checkpoints."""
    return asdict(c)
