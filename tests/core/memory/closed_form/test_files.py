from __future__ import annotations

from collections.abc import Sequence

import pytest

from qtui.core.gguf.reader import Header, read_header
from qtui.core.memory.closed_form.backends import Card, Devices, backend_of
from qtui.core.memory.closed_form.placement import placement
from qtui.core.memory.closed_form.table import model_table
from qtui.core.memory.closed_form.weights import place_weights
from qtui.core.memory.layout import FileLayout
from qtui.core.memory.plan import ALL_LAYERS, LoadPlan
from tests.builders.gguf import MemorySource, Tensor, build

EMBEDDING, NORM, ATTENTION, EXPERTS = "token_embd.weight", "output_norm.weight", "attn_q.weight", "ffn_up_exps.weight"


def file_of(names: Sequence[str], blocks: int = 2) -> Header:
    """A file of 1 KiB tensors in this order."""
    tensors = [Tensor(name, (256,)) for name in names]
    image = build({"general.architecture": "llama", "llama.block_count": blocks}, tensors)
    return read_header(image.source())


def file_layout(headers: Sequence[Header], plan: LoadPlan) -> FileLayout:
    """The layout on a machine with one card."""
    table = model_table(headers, None)
    cards = (Card("CUDA0", backend_of("CUDA0")),)
    return place_weights(table, placement(plan, table.layers, cards), Devices(cards)).layout


def kib(layout: FileLayout, header: Header) -> tuple[int, int]:
    """The span, and the end counted from the data's begin."""
    return layout.host_span // 1024, (layout.host_end - header.data_offset) // 1024


NAMES = (EMBEDDING, f"blk.0.{ATTENTION}", f"blk.0.{EXPERTS}", f"blk.1.{ATTENTION}", f"blk.1.{EXPERTS}", NORM)


def test_without_a_card_everything_stays() -> None:
    header = file_of(NAMES)
    layout = file_layout([header], LoadPlan(n_gpu_layers=0))
    assert kib(layout, header) == (6, 6)
    assert (layout.file_bytes, layout.largest_plain) == (header.file_size, 1024)


def test_the_output_is_offloaded_first_then_the_last_blocks_and_the_embedding_never() -> None:
    header = file_of(NAMES)
    spans = [kib(file_layout([header], LoadPlan(n_gpu_layers=n)), header) for n in (1, 2, 3, 99, ALL_LAYERS)]
    assert spans == [(5, 5), (3, 3), (1, 1), (1, 1), (1, 1)]


def test_overrides_come_before_layers() -> None:
    header = file_of(NAMES)
    everything = {"n_gpu_layers": ALL_LAYERS}
    plans = (
        LoadPlan(n_cpu_moe=1, **everything),  # type: ignore[arg-type]
        LoadPlan(cpu_moe=True, **everything),  # type: ignore[arg-type]
        LoadPlan(override_tensor=(("attn", "CPU"),), **everything),  # type: ignore[arg-type]
        LoadPlan(override_tensor=(("token_embd", "CUDA0"), (r"blk\.1", "CPU"), ("(", "CPU")), **everything),  # type: ignore[arg-type]
    )
    assert [kib(file_layout([header], plan), header) for plan in plans] == [(3, 3), (5, 5), (4, 4), (2, 5)]


def test_shards_are_added_up() -> None:
    first, second = file_of(NAMES[:2]), file_of(NAMES[2:])
    layout = file_layout([first, second], LoadPlan(n_gpu_layers=0))
    assert layout.host_span == 6 * 1024
    assert layout.host_end == first.data_offset + second.data_offset + 6 * 1024
    assert layout.file_bytes == first.file_size + second.file_size


@pytest.mark.parametrize(("architecture", "rows", "lazy"), [("gemma4", 5, 5), ("gemma4", 4, 0), ("gemma3n", 5, 0)])
def test_a_large_table_is_read_by_row_where_llama_cpp_does(architecture: str, rows: int, lazy: int) -> None:
    table = Tensor("per_layer_token_embd.weight", (1 << 18, rows << 10))  # rows GiB of F32
    image = build({"general.architecture": architecture, f"{architecture}.block_count": 1}, [table])
    header = read_header(MemorySource(image.header, virtual_size=image.size))
    assert file_layout([header], LoadPlan(n_gpu_layers=0)).lazy == lazy << 30
