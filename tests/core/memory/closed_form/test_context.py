from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.memory.closed_form.context import cells, context_bytes
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.closed_form.table import ModelTable
from qtui.core.memory.plan import LoadPlan
from tests.builders.gguf import Scalar, Typed
from tests.builders.models import PUBLISHED, attention, flags, table_of, whole
from tests.core.memory.closed_form.golden import GOLDEN
from tests.core.memory.closed_form.headers import header_table

PLAN = LoadPlan(ctx_size=32768, n_gpu_layers=0)


def table(name: str) -> ModelTable:
    return table_of(*PUBLISHED[name]) if name in PUBLISHED else header_table(name)


def hyper(name: str) -> Hyper:
    found = table(name).hyper
    assert found is not None
    return found


def of(found: Hyper, plan: LoadPlan, *, unified: bool = False, flash: bool = True) -> int:
    cut = cells(found, plan, unified)
    return context_bytes(found, plan, cut, (None,) * found.layers, (), flash=flash).host


def test_there_is_a_golden_value_for_every_published_shape() -> None:
    assert set(PUBLISHED) < set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_the_golden_values_come_out_to_the_byte(name: str) -> None:
    found, golden = hyper(name), GOLDEN[name]
    assert of(found, PLAN) == golden.cache + golden.state
    assert of(found, replace(PLAN, swa_full=True)) == golden.full_windows + golden.state
    assert of(found, replace(PLAN, parallel=4), unified=True) == golden.four_slots + golden.four_states
    q8_0 = replace(PLAN, cache_type_k="q8_0", cache_type_v="q8_0")
    assert of(found, q8_0) == golden.quantised + golden.state


def test_the_context_is_rounded_up_and_divided_among_slots_that_do_not_share() -> None:
    found = hyper("qwen3-0.6b")
    one = 28 * 2 * 1024 * 2  # bytes a token
    assert of(found, replace(PLAN, ctx_size=100)) == 256 * one
    assert of(found, replace(PLAN, ctx_size=5000)) == 5120 * one
    # 5 120 over three slots: 1 706 each, rounded up to 1 792, so that the total exceeds what was asked.
    assert of(found, replace(PLAN, ctx_size=5000, parallel=3)) == 3 * 1792 * one
    assert of(found, replace(PLAN, ctx_size=5000, parallel=3), unified=True) == 5120 * one


def test_a_window_keeps_its_tokens_and_one_physical_batch() -> None:
    found = hyper("gemma2-9b")
    full, sliding, row = 21, 21, 2 * 2048 * 2
    for ubatch, kept in ((512, 4608), (64, 4352), (2048, 6144), (4096, 6144)):  # a batch is 2 048 at most
        plan = replace(PLAN, ubatch_size=ubatch)
        assert of(found, plan) == row * (full * 32768 + sliding * kept)
    assert of(found, replace(PLAN, ctx_size=2048)) == row * (full + sliding) * 2048


def test_without_flash_attention_every_v_is_as_wide_as_the_widest() -> None:
    values: dict[str, Typed | Scalar] = {**attention(4, 512, 8, 0, 64)}
    values["attention.head_count_kv"] = whole([8, 2, 2, 2])
    found = table_of("llama", values).hyper
    assert found is not None
    plan = replace(PLAN, ctx_size=256)
    assert of(found, plan) == 256 * 2 * 64 * 2 * (8 + 2 + 2 + 2)
    assert of(found, plan, flash=False) == 256 * 2 * 64 * ((8 + 2 + 2 + 2) + 4 * 8)


SWA: dict[str, Typed | Scalar] = {"attention.sliding_window": 512}
WINDOWED: list[tuple[str, dict[str, Typed | Scalar], str]] = [
    ("gemma3", SWA, "SSSSSFSS"),
    ("gemma3", {}, "FFFFFFFF"),
    ("gemma3", {**SWA, "attention.sliding_window_pattern": 3}, "SSFSSFSS"),
    ("gemma3", {**SWA, "attention.sliding_window_pattern": flags([True, False] * 4)}, "SFSFSFSF"),
    ("gpt-oss", SWA, "SFSFSFSF"),
    ("cohere2moe", SWA, "FSSSFSSS"),
    ("llama4", {}, "SSSFSSSF"),
    ("llama4", {"attention.sliding_window": 0}, "FFFFFFFF"),
    ("smallthinker", SWA, "FSSSFSSS"),
    ("smallthinker", {}, "FFFFFFFF"),
    ("exaone4", SWA, "FFFFFFFF"),
    ("phi3", SWA, "FFFFFFFF"),
    ("qwen2", SWA, "FFFFFFFF"),
    ("mimo2", {**SWA, "attention.sliding_window_pattern": flags([True] * 7 + [False])}, "SSSSSSSF"),
    ("granite_swa", {**SWA, "attention.sliding_window_pattern": flags([False] + [True] * 7)}, "FSSSSSSS"),
]


@pytest.mark.parametrize(("architecture", "more", "layers"), WINDOWED)
def test_which_layers_slide(architecture: str, more: dict[str, Typed | Scalar], layers: str) -> None:
    found = table_of(architecture, {**attention(8, 512, 8, 2, 64), **more}).hyper
    assert found is not None
    assert "".join("S" if slides else "F" for slides in found.window.sliding) == layers


def test_fixed_windows_ignore_what_the_header_says() -> None:
    for architecture, tokens in (("llama4", 8192), ("smallthinker", 4096)):
        found = table_of(architecture, {**attention(8, 512, 8, 2, 64), **SWA}).hyper
        assert found is not None and found.window.tokens == tokens


@pytest.mark.parametrize(
    ("architecture", "more", "kinds"),
    [
        ("bert", {}, "........"),
        ("mamba", {}, "RRRRRRRR"),
        ("falcon-h1", {}, "BBBBBBBB"),
        ("qwen3next", {}, "RRRARRRA"),
        ("qwen3next", {"full_attention_interval": 2}, "RARARARA"),
        ("qwen35", {"attention.recurrent_layers": flags([True, False] * 4)}, "RARARARA"),
        ("lfm2", {"attention.head_count_kv": whole([0, 0, 2, 0, 0, 2, 0, 2])}, "RRARRARA"),
        ("gemma4", {"attention.shared_kv_layers": 3}, "AAAAA..."),
        ("gemma3n", {"attention.sliding_window": 512}, "AAAAAAAA"),
        ("glm4moe", {"nextn_predict_layers": 1}, "AAAAAAA."),
        ("qwen35", {"nextn_predict_layers": 1}, "RRRARRR."),
        ("deci", {"attention.head_count_kv": whole([2, 0, 2, 0, 2, 0, 2, 0])}, "AAAAAAAA"),
    ],
)
def test_what_each_layer_keeps(architecture: str, more: dict[str, Typed | Scalar], kinds: str) -> None:
    found = table_of(architecture, {**attention(8, 512, 8, 2, 64), **more}).hyper
    assert found is not None
    letters = {(True, False): "A", (False, True): "R", (True, True): "B", (False, False): "."}
    pairs = zip(found.kinds.attention, found.kinds.recurrent, strict=True)
    assert "".join(letters[pair] for pair in pairs) == kinds


def test_only_the_first_twenty_layers_of_gemma3n_keep_anything() -> None:
    found = table_of("gemma3n", {**attention(30, 512, 8, 2, 64), **SWA}).hyper
    assert found is not None and found.kinds.attention == (True,) * 20 + (False,) * 10


def test_states_of_recurrent_layers_are_32_bits_and_grow_with_slots() -> None:
    rwkv = {"block_count": 3, "embedding_length": 512, "attention.head_count": 0, "wkv.head_size": 64}
    found = table_of("rwkv6", rwkv).hyper
    assert found is not None
    for slots in (1, 4):
        plan = replace(PLAN, parallel=slots, cache_type_k="q8_0")
        assert of(found, plan, unified=True) == 3 * slots * 4 * (2 * 512 + 512 * 64)
