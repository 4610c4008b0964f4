from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qtui.core.hardware import EngineInfo, Hardware
from qtui.core.memory.builds import HOLES, build_number, holes, missing_architecture
from qtui.core.memory.footprint import DeviceBytes, Footprint, Pools
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.verdict import Headroom
from qtui.core.memory.warnings import RULES, Circumstances, plan_warnings
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from tests.fakes import make_variant

PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=0, load_mode=LoadMode.MMAP, threads=8, threads_batch=8)
MACHINE = Hardware("a CPU", 8, 16, 16 * GIB, memlock_limit=None)
WELL = Circumstances(make_variant(context_length=4096), PLAN, MACHINE, room=Headroom(12 * GIB))


def weights(plain: int, repacked: int = 0, *, locked: int = 0, mode: LoadMode = LoadMode.MMAP) -> Footprint:
    """Return a footprint of so many GiB of weights."""
    rows = [("CPU", plain), ("CPU_REPACK", repacked)]
    devices = tuple(DeviceBytes(name, size * GIB, 0, 0, Origin.DRY_RUN) for name, size in rows if size)
    return Footprint(replace(PLAN, load_mode=mode), devices, (), Pools(), 0, 0, locked * GIB, Origin.DRY_RUN)


def said(around: Circumstances, **plan: Any) -> dict[str, str]:
    """Return the warnings of a changed plan: texts by id."""
    found = plan_warnings(replace(around, plan=replace(around.plan, **plan)))
    assert all(warning.hint and warning.options for warning in found)
    return {warning.id: warning.text for warning in found}


def test_a_good_plan_has_none() -> None:
    assert said(replace(WELL, footprint=weights(4), engine=EngineInfo("built-in", build="0.5.0 (abc)"))) == {}
    assert said(Circumstances(make_variant(), PLAN, replace(MACHINE, ram_total=None))) == {}


@pytest.mark.parametrize(
    ("mode", "limit", "words"),
    [
        (LoadMode.MLOCK, 8 * MIB, "nothing of it is locked"), (LoadMode.MMAP_MLOCK, 8 * MIB, "at most 8.00 MiB of it"),
        (LoadMode.MLOCK, 4 * GIB, ""), (LoadMode.MLOCK, None, ""),
    ],
)  # fmt: skip
def test_locking_above_the_limit(mode: LoadMode, limit: int | None, words: str) -> None:
    """None: no limit, or CAP_IPC_LOCK lifts it."""
    around = replace(WELL, footprint=weights(4, locked=4, mode=mode), hardware=replace(MACHINE, memlock_limit=limit))
    text = said(around, load_mode=mode).get("lock-limit", "")
    assert words in text
    assert bool(text) is bool(words)
    assert not words or ("4.00 GiB would be locked, RLIMIT_MEMLOCK allows 8.00 MiB" in text and "ulimit -l" in text)


def test_locking_above_what_is_free() -> None:
    around = replace(WELL, footprint=weights(6, locked=6, mode=LoadMode.MLOCK))
    assert "lock-free" not in said(around, load_mode=LoadMode.MLOCK)
    tight = said(replace(around, room=Headroom(5 * GIB)), load_mode=LoadMode.MLOCK)
    assert "6.00 GiB would be locked, 5.00 GiB of RAM are free" in tight["lock-free"]


def test_repacked_weights_are_never_locked() -> None:
    around = replace(WELL, footprint=weights(2, 3, locked=2, mode=LoadMode.MLOCK))
    assert "3.00 GiB of 5.00 GiB of weights are repacked" in said(around, load_mode=LoadMode.MLOCK)["lock-repacked"]
    assert said(around) == {}


@pytest.mark.parametrize("mode", list(LoadMode))
def test_weights_larger_than_ram_that_are_not_mapped(mode: LoadMode) -> None:
    around = replace(WELL, footprint=weights(20))
    assert ("not-mapped" in said(around, load_mode=mode)) is not mode.mapped
    assert "not-mapped" not in said(replace(WELL, footprint=weights(15)), load_mode=mode)


def test_a_quantised_v_cache_without_flash_attention() -> None:
    assert "needs flash attention" in said(WELL, cache_type_v="q8_0", flash_attn=FlashAttention.OFF)["quantised-v"]
    assert said(WELL, cache_type_v="q8_0") == said(WELL, flash_attn=FlashAttention.OFF) == {}


def test_a_context_beyond_training() -> None:
    assert "8192 tokens of context are more than the 4096" in said(WELL, ctx_size=8192)["beyond-training"]
    assert "gives a slot no more" in said(WELL, ctx_size=8192, engine="llama-server")["beyond-training"]
    assert said(replace(WELL, variant=make_variant(context_length=None)), ctx_size=8192) == {}


def test_more_threads_than_cores() -> None:
    assert "9 threads on 8 physical cores" in said(WELL, threads=9)["many-threads"]
    assert said(WELL, threads_batch=16) == {}
    assert "17 threads for prompts" in said(WELL, threads_batch=17)["many-threads-batch"]


def test_a_ubatch_above_the_batch() -> None:
    assert "a ubatch of 512 above the batch of 256" in said(WELL, batch_size=256)["ubatch-above-batch"]


def test_further_options_and_a_projector_need_an_engine_that_takes_them() -> None:
    assert set(said(WELL, extra="--x", mmproj="/m.gguf")) == {"extra-ignored", "projector-unused"}
    assert set(said(WELL, extra="--x", mmproj="/m.gguf", engine="/opt/llama-server")) == {"extra-unknown"}


def test_a_build_that_is_too_old_for_the_architecture() -> None:
    around = replace(WELL, variant=make_variant(architecture="qwen3next"), engine=EngineInfo("x", build="7185 (abc)"))
    assert "does not know the architecture qwen3next: b7186" in said(around)["old-build"]
    assert "old-build" not in said(replace(around, engine=EngineInfo("x", build="7186 (abc)")))


def test_a_build_with_a_known_hole() -> None:
    old = replace(WELL, engine=EngineInfo("x", build="5000 (abc)"))
    assert "CVE-2026-27940, and 3 more" in said(old)["known-hole"]
    server = said(old, engine="llama-server")["known-hole"]
    assert "CVE-2026-21869, and 4 more" in server and "b8865" in server
    assert "known-hole" not in said(replace(WELL, engine=EngineInfo("x", build="8146 (abc)")))


@pytest.mark.parametrize(
    ("build", "number"),
    [
        ("5092 (d3bd719)", 5092), ("b5092", 5092), ("10864 (abc)", 10864),
        ("0.5.0-dev (build 1, commit 0c1e570)", None),
        ("", None), ("5.0", None), ("1 (abc)", None), ("unknown", None), ("99999999", None),
    ],
)  # fmt: skip
def test_only_a_number_of_a_release_is_one(build: str, number: int | None) -> None:
    assert build_number(build) == number
    if number is None:
        assert holes(build, server=True) == ()
        assert missing_architecture(build, "qwen3next") is None


def test_the_tables_are_in_order() -> None:
    assert [hole.fixed for hole in HOLES] == sorted(hole.fixed for hole in HOLES)
    assert len(RULES) == len(set(RULES))
