from __future__ import annotations

import pytest

from qtui.core.memory.extras import Tokenizer, computed_extras, output_rows, process_base, tokenizer_objects
from qtui.core.memory.footprint import DeviceBytes, ExtraItem, Pools
from qtui.core.memory.layout import FileLayout
from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.memory.pools import resident
from qtui.core.origin import Origin
from qtui.core.text import MIB


def on_cpu(name: str, weights: int, context: int = 0, compute: int = 0) -> DeviceBytes:
    return DeviceBytes(name, weights * MIB, context * MIB, compute * MIB, Origin.DRY_RUN)


def on_gpu(index: int | None, weights: int, context: int = 0, compute: int = 0) -> DeviceBytes:
    return DeviceBytes(
        f"CUDA{index}", weights * MIB, context * MIB, compute * MIB, Origin.DRY_RUN, host=False, gpu=index
    )


# The 1B model of 939 MiB, of which 369 are repacked; the largest tensor is 100.
ONE_B = (on_cpu("CPU", 570, 20, 5), on_cpu("CPU_REPACK", 369))
LAYOUT = FileLayout(940 * MIB, 939 * MIB, 940 * MIB, 100 * MIB)


@pytest.mark.parametrize(
    ("mode", "pools", "peak", "reclaimable", "locked"),
    [
        # Measured for this model: none 976/11, mmap 397/950, mlock 976/11 and 570 locked, mmap+mlock 397/950 and 939
        # locked, dio 992/12, each with some 30 MiB of process.
        (LoadMode.NONE, (964, 0), 1064, 0, 0),
        (LoadMode.MMAP, (394, 570), 1334, 369, 0),
        (LoadMode.AUTO, (394, 570), 1334, 369, 0),
        (LoadMode.MLOCK, (964, 0), 1064, 0, 570),
        (LoadMode.MMAP_MLOCK, (394, 940), 1334, 0, 940),
        (LoadMode.DIO, (964, 0), 1164, 0, 0),
    ],
)
def test_what_each_load_mode_does(
    mode: LoadMode, pools: tuple[int, int], peak: int, reclaimable: int, locked: int
) -> None:
    held = resident(ONE_B, (), mode, LAYOUT)
    assert held.pools == Pools(pools[0] * MIB, pools[1] * MIB)
    assert (held.peak, held.reclaimable, held.locked) == (peak * MIB, reclaimable * MIB, locked * MIB)
    assert held.locked <= held.pools.ram


def test_without_repacked_weights_nothing_is_staged_or_reclaimed() -> None:
    plain = (on_cpu("CPU", 939),)
    assert resident(plain, (), LoadMode.NONE, LAYOUT).peak == 939 * MIB
    assert resident(plain, (), LoadMode.MMAP, LAYOUT).reclaimable == 0


@pytest.mark.parametrize("mode", [LoadMode.MMAP, LoadMode.NONE])
def test_a_table_that_is_read_by_row_need_not_be_resident(mode: LoadMode) -> None:
    layout = FileLayout(1000 * MIB, 1000 * MIB, 1000 * MIB, 600 * MIB, lazy=600 * MIB)
    held = resident((on_cpu("CPU", 1000),), (), mode, layout)
    assert held.pools.ram == 400 * MIB
    assert held.reclaimable == (600 * MIB if mode is LoadMode.MMAP else 0)


def test_cards_keep_their_own_pools() -> None:
    devices = (on_gpu(1, 300, 30, 3), on_cpu("CPU", 100), on_cpu("CUDA_Host", 50, 0, 7))
    held = resident(devices, (), LoadMode.MMAP, LAYOUT, gpu_count=3)
    assert held.pools == Pools(7 * MIB, 150 * MIB, (0, 333 * MIB, 0))
    unnumbered = resident((on_gpu(None, 1), on_gpu(None, 2)), (), LoadMode.NONE, LAYOUT)
    assert unnumbered.pools.vram == (1 * MIB, 2 * MIB)


def test_extra_items_go_to_the_pool_that_they_name() -> None:
    extra = (
        ExtraItem("process", "ram_anonymous", 5, Origin.COMPUTED),
        ExtraItem("mapped", "ram_file_backed", 6, Origin.COMPUTED),
        ExtraItem("driver", "vram1", 7, Origin.COMPUTED),
    )
    assert resident((), extra, LoadMode.MMAP, FileLayout(0, 0, 0, 0)).pools == Pools(5, 6, (0, 7))


def test_the_output_rows_are_four_bytes_a_token() -> None:
    assert output_rows(128_256, 1).bytes == 513_024  # 0.49 MiB, as llama.cpp logs for Llama 3
    assert output_rows(1000, 4).bytes == 16_000


@pytest.mark.parametrize(
    ("model", "tokens", "measured"),
    [
        ("llama", 32_000, 5),
        ("gpt2", 128_256, 53),
        ("gpt2", 152_064, 47),
        ("gpt2", 256_000, 81),
        ("gemma4", 262_144, 96),
    ],
)
def test_tokenizers_that_were_measured_lie_in_the_band(model: str, tokens: int, measured: int) -> None:
    item = tokenizer_objects(Tokenizer(model, tokens))
    assert abs(item.bytes - measured * MIB) <= item.band + MIB
    assert item.origin is Origin.COMPUTED


def test_an_unknown_tokenizer_has_a_wide_band_and_none_takes_nothing() -> None:
    item = tokenizer_objects(Tokenizer("rwkv", 65_536))
    assert item.band > item.bytes // 3
    assert computed_extras(None, Tokenizer("none", 5), LoadPlan()) == (process_base(),)
    items = computed_extras(10, Tokenizer("gpt2", 10), LoadPlan())
    assert [item.item for item in items] == ["process", "output rows", "tokenizer"]
