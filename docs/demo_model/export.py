"""Write a checkpoint as a GGUF file.

python export.py checkpoint.pt tokenizer.json qtui-demo-F16.gguf
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import gguf
import numpy as np
import torch
from model import Shape
from torch import Tensor

TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
PROVENANCE = (
    "Trained for qtui, from nothing, on two corpora generated from templates, word lists and random "
    "numbers: docs/demo_model. No other text or model in it."
)


def side_by_side(weight: Tensor, heads: int) -> Tensor:
    """Return the rows of a query or key matrix with the pairs of RoPE beside each other, as llama.cpp turns them."""
    rows, columns = weight.shape
    return weight.view(heads, 2, rows // heads // 2, columns).transpose(1, 2).reshape(rows, columns)


def describe(writer: gguf.GGUFWriter, shape: Shape, parameters: int) -> None:
    """Write what the model is."""
    writer.add_name("qtui-demo")
    writer.add_description("The demo model of qtui: small enough to ship, trained so that its quants differ")
    writer.add_author("the qtui authors")
    writer.add_license("mit")
    writer.add_size_label(f"{parameters / 1e6:.1f}M")
    writer.add_languages(["en"])
    writer.add_string("qtui.demo.provenance", PROVENANCE)
    writer.add_vocab_size(shape.vocab)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.ffn)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)


def add_tokenizer(writer: gguf.GGUFWriter, path: Path) -> None:
    """Write the tokenizer and the chat template."""
    tokenizer = json.loads(path.read_text())
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in special else normal for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_bos_token_id(special["<|endoftext|>"])
    writer.add_pad_token_id(special["<|endoftext|>"])
    writer.add_eos_token_id(special["<|im_end|>"])
    writer.add_eot_token_id(special["<|im_end|>"])
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def export(checkpoint: Path, tokenizer: Path, target: Path) -> None:
    """Write the file: matrices in F16, norms in F32; the output shares the embedding."""
    kept = torch.load(checkpoint, map_location="cpu")
    shape, weights = Shape(**kept["shape"]), kept["model"]
    writer = gguf.GGUFWriter(target, "llama")
    describe(writer, shape, sum(weight.numel() for weight in weights.values()))
    add_tokenizer(writer, tokenizer)
    for name, weight in weights.items():
        if name.endswith("attn_q.weight"):
            weight = side_by_side(weight, shape.heads)
        elif name.endswith("attn_k.weight"):
            weight = side_by_side(weight, shape.kv_heads)
        writer.add_tensor(name, weight.numpy().astype(np.float16 if weight.dim() == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{target}: {target.stat().st_size} bytes")


if __name__ == "__main__":
    export(*map(Path, sys.argv[1:4]))
