from __future__ import annotations

import pytest

from qtui.core.errors import UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.presets import BUILT_IN, PRESET_KEYS, Preset, apply_preset, named, preset_for, read_presets, write_preset
from tests.fakes import make_variant

QWEN = make_variant("Qwen3-8B", "Q4_K_M")


@pytest.mark.parametrize("preset", BUILT_IN, ids=lambda preset: str(preset.name))
def test_those_of_qtui_can_be_applied_written_and_read(preset: Preset) -> None:
    plan = apply_preset(LoadPlan(), preset)
    assert plan.preset == preset.name
    (read,), problems = read_presets({preset.name: write_preset(preset)})
    assert problems == ()
    assert (read.name, read.options, read.about) == (preset.name, preset.options, preset.about)


@pytest.mark.parametrize(
    ("pattern", "suits"),
    [("qwen3*", True), ("QWEN3-8B", True), ("* q4_k_m", True), ("*.gguf", True), ("qwen", False), ("", False)],
)
def test_which_models_one_is_meant_for(pattern: str, suits: bool) -> None:
    preset = Preset("p", match=("nothing", pattern))
    assert preset.suits(QWEN) is suits
    assert preset_for(QWEN, (Preset("q"), preset)) == (preset if suits else None)


def test_one_by_its_name() -> None:
    assert named("safe", BUILT_IN).name == "safe"
    with pytest.raises(UsageError, match="no preset") as raised:
        named("none\x1b", BUILT_IN)
    assert "balanced, safe, gpu" in raised.value.hint


def test_the_keys_are_those_of_the_plan() -> None:
    assert set(PRESET_KEYS) == {"about", "match", "server", *LoadPlan.__dataclass_fields__} - {"preset"}
