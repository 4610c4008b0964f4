from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtui.core.errors import UsageError
from qtui.core.memory.options import OPTIONS
from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadMode, LoadPlan
from qtui.core.memory.plan_fields import FIELDS, PlanField, changed_fields
from qtui.core.memory.plan_ranges import Around

AROUND = Around(
    trained_ctx=40960, layers=36, physical_cores=8, logical_cores=16, gpus=2, experts=True, sliding=True,
    buffers=("CPU", "CUDA0"), adapters=("/m/a.gguf", "/m/b,c:2.gguf"), projectors=("/m/mmproj-F16.gguf",),
    engines=("built-in", "/opt/llama-server"),
)  # fmt: skip
BY_ID = {field.id: field for field in FIELDS}
DEFAULT = LoadPlan()


def walked(field: PlanField, start: LoadPlan, direction: int) -> list[str]:
    """Step until it stays."""
    seen = [field.write(start)]
    plan = start
    while (after := field.step(plan, direction, AROUND)) != plan:
        plan = after
        seen.append(field.write(plan))
        assert len(seen) < 200
    return seen


def test_every_option_of_a_plan_has_a_field() -> None:
    covered = [option for field in FIELDS for option in field.options]
    assert set(covered) == set(OPTIONS)
    assert len(covered) == len(set(covered))
    assert [field.label for field in FIELDS if not field.more] == [
        "context", "GPU layers", "KV cache", "load mode", "flash attention", "threads",
    ]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
def test_what_is_written_is_read_again(field: PlanField) -> None:
    for text in field.steps(AROUND):
        plan = field.put(DEFAULT, text)
        assert field.write(plan) == text
        assert {option for option in OPTIONS if getattr(plan, option) != getattr(DEFAULT, option)} <= set(field.options)
    assert field.put(DEFAULT, field.write(DEFAULT)) == DEFAULT
    assert field.help.startswith("--")
    assert field.allowed(DEFAULT, AROUND)
    assert field.allowed(DEFAULT, Around())


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.id)
def test_steps_go_through_every_value_and_end(field: PlanField) -> None:
    steps = list(field.steps(AROUND))
    up, down = walked(field, DEFAULT, 1), walked(field, DEFAULT, -1)
    assert [*reversed(down), *up[1:]] == (steps or [field.write(DEFAULT)])


def test_auto_stands_beside_what_it_stands_for() -> None:
    assert walked(BY_ID["context"], DEFAULT, 1)[:3] == ["auto", "8192", "16384"]
    assert walked(BY_ID["context"], DEFAULT, -1)[:2] == ["auto", "4096"]
    assert walked(BY_ID["context"], DEFAULT, 1)[-1] == "40960"
    assert walked(BY_ID["layers"], DEFAULT, 1) == ["auto", "all"]
    assert walked(BY_ID["layers"], DEFAULT, -1)[1] == "36"
    assert walked(BY_ID["threads"], DEFAULT, 1)[:2] == ["auto", "8"]


def test_a_step_from_a_typed_number_goes_to_its_neighbour() -> None:
    context = BY_ID["context"]
    assert context.write(context.step(LoadPlan(ctx_size=5000), 1, AROUND)) == "8192"
    assert context.write(context.step(LoadPlan(ctx_size=5000), -1, AROUND)) == "4096"
    assert context.write(context.step(LoadPlan(ctx_size=90000), 1, AROUND)) == "40960"
    cache = BY_ID["cache"]
    assert cache.write(cache.step(LoadPlan(cache_type_k="q8_0"), 1, AROUND)) == "q5_1"


@pytest.mark.parametrize(
    ("field", "text", "options"),
    [
        ("context", "32k", {"ctx_size": 32768}), ("context", "auto", {"ctx_size": 0}),
        ("layers", "all", {"n_gpu_layers": ALL_LAYERS}), ("layers", "auto", {"n_gpu_layers": AUTO}),
        ("cache", "q8_0/f16", {"cache_type_k": "q8_0", "cache_type_v": "f16"}),
        ("cache", "Q8_0", {"cache_type_k": "q8_0", "cache_type_v": "q8_0"}),
        ("mode", "mmap+mlock", {"load_mode": LoadMode.MMAP_MLOCK}), ("experts", "all", {"cpu_moe": True}),
        ("experts", "12", {"n_cpu_moe": 12}), ("split", "3,1", {"tensor_split": (3.0, 1.0)}),
        ("swa-full", "on", {"swa_full": True}),
        ("override", r"blk\.1=CPU,x=y=CUDA0", {"override_tensor": ((r"blk\.1", "CPU"), ("x=y", "CUDA0"))}),
        ("adapters", '/a.gguf:0.1234567,"/c,d.gguf"', {"lora": (("/a.gguf", 0.1234567), ("/c,d.gguf", 1.0))}),
        ("projector", "/p.gguf", {"mmproj": "/p.gguf"}), ("projector", "none", {"mmproj": ""}),
        ("extra", "--a 'b c'", {"extra": "--a 'b c'"}), ("extra", "none", {"extra": ""}),
    ],
)  # fmt: skip
def test_typed_values(field: str, text: str, options: dict[str, object]) -> None:
    plan = BY_ID[field].put(DEFAULT, f" {text} ")
    assert {option: getattr(plan, option) for option in options} == options


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("context", "-1"), ("context", "many"), ("context", "999999999"), ("context", ""), ("layers", "half"),
        ("cache", "q9_9"), ("cache", "q8_0/"), ("mode", "mapped"), ("flash", "yes"), ("threads", "5000"),
        ("batch", "0"), ("parallel", "0"), ("split", "a,b"), ("split", "inf"), ("override", "nothing"),
        ("adapters", ",,"), ("adapters", "a\nb"), ("projector", "\0"), ("extra", "words"), ("extra", "--a 'b"),
        ("experts", "some"), ("swa-full", "maybe"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(field: str, text: str) -> None:
    with pytest.raises(UsageError) as refused:
        BY_ID[field].put(DEFAULT, text)
    assert refused.value.message


@given(st.sampled_from(FIELDS), st.text(max_size=40))
def test_whatever_is_typed_is_a_plan_or_refused(field: PlanField, text: str) -> None:
    try:
        plan = field.put(DEFAULT, text)
    except UsageError:
        return
    plan.check()
    assert field.put(DEFAULT, field.write(plan)) == plan


def test_two_fields_that_are_set_are_two_changes() -> None:
    plan = LoadPlan(ctx_size=4096, cache_type_k="q8_0", cache_type_v="q8_0", preset="x")
    assert [field.id for field in changed_fields(plan, DEFAULT)] == ["context", "cache"]
    assert changed_fields(plan, plan) == ()
    assert BY_ID["cache"].reset(plan, DEFAULT) == LoadPlan(ctx_size=4096, preset="x")


def test_allowed_values_are_those_of_file_and_machine() -> None:
    assert BY_ID["context"].allowed(DEFAULT, AROUND) == "8192 of 40960 trained"
    assert BY_ID["context"].allowed(LoadPlan(ctx_size=50000), AROUND) == "more than the 40960 it was trained to"
    assert BY_ID["layers"].allowed(DEFAULT, AROUND) == "auto, all, 0 to 37"
    assert BY_ID["layers"].allowed(DEFAULT, Around(gpus=0)) == "no GPU: always 0"
    assert BY_ID["flash"].allowed(LoadPlan(cache_type_v="q4_0"), AROUND) == "on for a quantised V cache"
