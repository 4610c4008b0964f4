"""A small mixture of experts, made of the demo model: its feed-forward weights as experts that differ a little."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

EXPERTS, USED, BLOCKS = 8, 2, 2


def write_moe(source: Path, target: Path, experts: int = EXPERTS, used: int = USED, blocks: int = BLOCKS) -> Path:
    """Write a model of the `llama` architecture with experts, from the first blocks of a dense F16 one."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target, "llama")
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        value = blocks if field.name == "llama.block_count" else field.contents()
        inner = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, value, field.types[0], inner)
    writer.add_uint32("llama.expert_count", experts)
    writer.add_uint32("llama.expert_used_count", used)
    random = np.random.default_rng(11)
    for tensor in reader.tensors:
        name, data = tensor.name, tensor.data
        if name.startswith("blk.") and int(name.split(".")[1]) >= blocks:
            continue
        if ".ffn_" in name and "norm" not in name:
            block, kind = name.split(".")[1], name.split(".")[2]
            spread = random.normal(1, 0.05, (experts, *data.shape))
            writer.add_tensor(
                f"blk.{block}.{kind}_exps.weight", (data[None].astype(np.float32) * spread).astype(np.float16)
            )
            if kind == "ffn_gate":
                router = random.normal(0, 1, (experts, data.shape[1])).astype(np.float32)
                writer.add_tensor(f"blk.{block}.ffn_gate_inp.weight", router)
        else:
            writer.add_tensor(name, data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target
