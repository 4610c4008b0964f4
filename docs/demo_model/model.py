"""The model: llama's architecture, small, with tied embeddings."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """The sizes of a model."""

    vocab: int = 1024
    width: int = 256
    ffn: int = 768
    layers: int = 5
    heads: int = 4
    kv_heads: int = 2
    context: int = 1024
    rope_base: float = 10000.0
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        """Return the width of a head."""
        return self.width // self.heads

    def as_dict(self) -> dict[str, int | float]:
        """Return the sizes for a checkpoint."""
        return asdict(self)


def rope(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn pairs (i, i + half): contiguous, which is fast; the export brings the pairs side by side, as llama.cpp has them."""
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), -1)


class Norm(nn.Module):
    """RMS norm with a gain."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight.to(x.dtype), self.epsilon)


class Block(nn.Module):
    """Attention and a SwiGLU feed-forward."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        wide, narrow = shape.heads * shape.head, shape.kv_heads * shape.head
        self.attn_norm = Norm(shape.width, shape.epsilon)
        self.attn_q = nn.Linear(shape.width, wide, bias=False)
        self.attn_k = nn.Linear(shape.width, narrow, bias=False)
        self.attn_v = nn.Linear(shape.width, narrow, bias=False)
        self.attn_output = nn.Linear(wide, shape.width, bias=False)
        self.ffn_norm = Norm(shape.width, shape.epsilon)
        self.ffn_gate = nn.Linear(shape.width, shape.ffn, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.ffn, bias=False)
        self.ffn_down = nn.Linear(shape.ffn, shape.width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor) -> Tensor:
        shape, (batch, length, _) = self.shape, x.shape
        h = self.attn_norm(x).to(mask.dtype)  # once, not in each product
        q = rope(self.attn_q(h).view(batch, length, shape.heads, shape.head).transpose(1, 2), cos, sin)
        k = rope(self.attn_k(h).view(batch, length, shape.kv_heads, shape.head).transpose(1, 2), cos, sin)
        v = self.attn_v(h).view(batch, length, shape.kv_heads, shape.head).transpose(1, 2)
        # Query head h reads kv head h // group. Plain products: in bfloat16 on a CPU twice as fast as torch's own.
        group = shape.heads // shape.kv_heads
        q = q.reshape(batch, shape.kv_heads, group * length, shape.head) * shape.head**-0.5
        scores = torch.matmul(q, k.transpose(-1, -2)).view(batch, shape.kv_heads, group, length, length) + mask
        weights = scores.softmax(-1).view(batch, shape.kv_heads, group * length, length)
        mixed = torch.matmul(weights.to(v.dtype), v).view(batch, shape.heads, length, shape.head)
        x = x + self.attn_output(mixed.transpose(1, 2).reshape(batch, length, -1))
        h = self.ffn_norm(x).to(mask.dtype)
        return x + self.ffn_down(F.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Model(nn.Module):
    """The language model."""

    cos: Tensor
    sin: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token_embd = nn.Embedding(shape.vocab, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = Norm(shape.width, shape.epsilon)
        turns = 1.0 / shape.rope_base ** (torch.arange(0, shape.head, 2).float() / shape.head)
        angles = torch.outer(torch.arange(shape.context).float(), turns)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02 if name.startswith("token_embd") else 0.6 / math.sqrt(weight.shape[1]))
            if name.endswith(("attn_output.weight", "ffn_down.weight")):
                weight.data.mul_(1 / math.sqrt(2 * shape.layers))

    def hidden(self, tokens: Tensor, documents: Tensor | None = None) -> Tensor:
        """Return the last hidden states; a token sees only what is before it in its own document."""
        length = tokens.shape[1]
        seen = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()
        if documents is not None:
            seen = seen & (documents[:, :, None] == documents[:, None, :])
            seen = seen[:, None, None]
        x = self.token_embd(tokens)
        dtype = torch.bfloat16 if torch.is_autocast_enabled("cpu") else x.dtype
        mask = torch.zeros(seen.shape, dtype=dtype).masked_fill_(~seen, float("-inf"))
        cos, sin = self.cos[:length].to(dtype), self.sin[:length].to(dtype)
        for block in self.blk:
            x = block(x, cos, sin, mask)
        return self.output_norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return the logits of hidden states."""
        return F.linear(hidden, self.token_embd.weight)
