"""What tests of quantising share: models to make quants of, a text, and runs whose events are gathered."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from qtui.core.quantise.gathering import Gathered, GatherEvent
from qtui.core.quantise.messages import Quantised, QuantisePlanned
from qtui.core.quantise.recipe import Recipe
from qtui.services.engine.gather import gather
from qtui.services.engine.quantise import predict, quantise

TEXT = " ".join(
    f"What is {n} + {n * 7 % 90}? {n} + {n * 7 % 90} = {n + n * 7 % 90}. The cat {n} sat." for n in range(120)
)
CTX = 64
"""Tokens of a chunk: tests need not read more."""


async def plan_of(source: Path, recipe: Recipe) -> QuantisePlanned:
    """Return what a recipe would make."""
    (planned,) = [planned async for planned in predict(source, [recipe])]
    return planned


async def made_of(source: Path, target: Path, recipe: Recipe) -> tuple[QuantisePlanned, Quantised]:
    """Make a quant; returns what was planned and what was made."""
    first, *_, last = [event async for event in quantise(source, target, recipe)]
    assert isinstance(first, QuantisePlanned) and isinstance(last, Quantised)
    return first, last


async def gathered(model: Path, folder: Path, chunks: int = 4, name: str = "matrix.gguf") -> tuple[Path, Gathered]:
    """Gather a matrix over a short text."""
    text = folder / "text.txt"
    text.write_text(TEXT)
    events: list[GatherEvent] = [
        event async for event in gather(model, text, folder / name, ctx_size=CTX, chunks=chunks, overwrite=True)
    ]
    assert isinstance(events[-1], Gathered)
    return folder / name, events[-1]


def write_llama(
    path: Path, width: int = 64, *, feed: int = 128, alignment: int = 32, spoil: str = "", layer: str = "blk.0"
) -> Path:
    """Write a random llama of one block whose rows K types do not divide, unless they are as wide as 256.

    `spoil` names a tensor that holds a NaN; `layer` begins the names of the block's tensors.
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.data_alignment = alignment
    if alignment != 32:
        writer.add_custom_alignment(alignment)
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(feed)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    random = np.random.default_rng(5)
    shapes = {"token_embd": (40, width), "output_norm": (width,), f"{layer}.attn_norm": (width,)}
    shapes |= {f"{layer}.attn_{one}": (width, width) for one in ("q", "k", "v", "output")}
    shapes |= {f"{layer}.ffn_norm": (width,), f"{layer}.ffn_down": (width, feed)}
    shapes |= {f"{layer}.ffn_{one}": (feed, width) for one in ("gate", "up")}
    for name, shape in shapes.items():
        values = random.normal(0, 0.1, shape).astype(np.float32)
        if name == spoil:
            values[0, 0] = np.nan
        writer.add_tensor(f"{name}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def split(source: Path, folder: Path, shards: int = 3) -> Path:
    """Write a file as shards; returns the first."""
    reader = gguf.GGUFReader(source)
    per = -(-len(reader.tensors) // shards)
    for number in range(shards):
        writer = gguf.GGUFWriter(folder / f"m-{number + 1:05d}-of-{shards:05d}.gguf", "llama")
        for field in reader.fields.values() if number == 0 else ():
            if not field.name.startswith("GGUF.") and field.name != "general.architecture":
                inner = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
                writer.add_key_value(field.name, field.contents(), field.types[0], inner)
        writer.add_uint16("split.no", number)
        writer.add_uint16("split.count", shards)
        writer.add_int32("split.tensors.count", len(reader.tensors))
        for tensor in reader.tensors[number * per : (number + 1) * per]:
            writer.add_tensor(tensor.name, tensor.data)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return folder / f"m-00001-of-{shards:05d}.gguf"
