"""Start a run from the weights of an earlier demo model whose tokenizer may be another.

    python warm_start.py earlier-F16.gguf tokenizer.json run/last.pt

Tokens of both keep their embedding; a new token starts as the mean of those that the earlier tokenizer makes of it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gguf
import torch
from model import Model, Shape
from packing import Encoder
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor


def apart(weight: Tensor, heads: int) -> Tensor:
    """Undo `export.side_by_side`."""
    rows, columns = weight.shape
    return weight.view(heads, rows // heads // 2, 2, columns).transpose(1, 2).reshape(rows, columns)


def earlier_tokenizer(reader: gguf.GGUFReader) -> Tokenizer:
    """Return the tokenizer that a GGUF file describes."""
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in reader.fields["tokenizer.ggml.merges"].contents()]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def embeddings(earlier: Tokenizer, table: Tensor, encoder: Encoder) -> Tensor:
    """Return the embeddings of our tokens."""
    known, rows = earlier.get_vocab(), []
    for token, _ in sorted(encoder.tokenizer.get_vocab().items(), key=lambda item: item[1]):
        parts = (
            [known[token]]
            if token in known
            else [known[piece] for piece in earlier.encode(decoders.ByteLevel().decode([token])).tokens]
        )
        rows.append(table[parts].mean(0))
    return torch.stack(rows)


def main() -> None:
    source, tokenizer, target = map(Path, sys.argv[1:4])
    reader = gguf.GGUFReader(source)
    shape = Shape()
    weights = {
        tensor.name: torch.from_numpy(tensor.data.astype("float32")).reshape(*reversed(tensor.shape.tolist()))
        for tensor in reader.tensors
    }
    for name in weights:
        if name.endswith("attn_q.weight"):
            weights[name] = apart(weights[name], shape.heads)
        elif name.endswith("attn_k.weight"):
            weights[name] = apart(weights[name], shape.kv_heads)
    weights["token_embd.weight"] = embeddings(
        earlier_tokenizer(reader), weights["token_embd.weight"], Encoder(tokenizer)
    )
    model = Model(shape)
    model.load_state_dict(weights)
    target.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"shape": shape.as_dict(), "model": model.state_dict()}, target)


if __name__ == "__main__":
    main()
