from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.current_plan import CurrentPlan
from qtui.core.errors import UsageError
from qtui.core.memory.plan import ALL_LAYERS, FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.plan_fields import FIELDS
from qtui.core.memory.plan_ranges import Around
from qtui.core.plan_draft import PlanDraft
from qtui.core.presets import BUILT_IN, Preset
from tests.fakes import make_variant

BY_ID = {field.id: field for field in FIELDS}
LONG = Preset("long", {"ctx_size": 32768}, "for books", ("alpha*",))
IMPOSSIBLE = Preset("impossible", {"cache_type_v": "q8_0", "flash_attn": FlashAttention.OFF})
PRESETS = (LONG, *BUILT_IN)


def test_a_plan_is_measured_against_the_default_or_its_preset() -> None:
    assert PlanDraft.of(LoadPlan(ctx_size=4096), PRESETS).base == LoadPlan()
    of_preset = PlanDraft.of(LoadPlan(ctx_size=32768, preset="long"), PRESETS)
    assert of_preset.base == LoadPlan(ctx_size=32768, preset="long")
    assert of_preset.changes == ()
    assert PlanDraft.of(LoadPlan(preset="gone"), PRESETS).base == LoadPlan()
    assert PlanDraft.of(LoadPlan(preset="impossible"), (IMPOSSIBLE,)).base == LoadPlan()


def test_a_preset_that_is_changed_is_no_longer_that_preset() -> None:
    draft = PlanDraft.of(LoadPlan(), PRESETS).take("safe", PRESETS)
    assert draft.result == LoadPlan(ctx_size=4096, n_gpu_layers=0, load_mode=LoadMode.MMAP, preset="safe")
    changed = draft.put(BY_ID["context"], "8192")
    assert [field.id for field in changed.changes] == ["context"]
    assert changed.result.preset == ""
    assert changed.reset(BY_ID["context"]).result == draft.result


def test_presets_are_stepped_through_and_end() -> None:
    draft = PlanDraft.of(LoadPlan(engine="/bin/llama-server"), PRESETS)
    names = []
    for _ in range(5):
        draft = draft.step_preset(1, PRESETS)
        names.append(draft.base.preset)
    assert names == ["long", "balanced", "safe", "gpu", "gpu"]
    assert draft.plan == LoadPlan(n_gpu_layers=ALL_LAYERS, engine="/bin/llama-server", preset="gpu")
    assert draft.step_preset(-1, PRESETS).base.preset == "safe"
    assert PlanDraft.of(LoadPlan(), ()).step_preset(1, ()) == PlanDraft(LoadPlan(), LoadPlan())
    with pytest.raises(UsageError, match="there is no preset nothing"):
        draft.take("nothing", PRESETS)


def test_options_that_do_not_go_together_are_refused_in_words() -> None:
    draft = PlanDraft.of(LoadPlan(), ()).put(BY_ID["cache"], "q8_0").put(BY_ID["flash"], "off")
    assert draft.refusal.startswith("a q8_0 V cache needs flash attention")
    assert not draft.step(BY_ID["flash"], -1, Around()).refusal


def test_a_preset_holds_what_differs_from_the_default_plan() -> None:
    draft = PlanDraft.of(LoadPlan(engine="/x"), PRESETS).take("safe", PRESETS).put(BY_ID["context"], "auto")
    saved = draft.as_preset("mine")
    assert saved == Preset("mine", {"n_gpu_layers": 0, "load_mode": LoadMode.MMAP})
    again = draft.as_preset("long", LONG)
    assert (again.about, again.match) == ("for books", ("alpha*",))


def test_a_model_with_a_preset_of_its_own_has_its_own_plan() -> None:
    current = CurrentPlan(LoadPlan(ctx_size=2048, threads=3), (LONG,))
    alpha, beta = make_variant("Alpha"), make_variant("Beta")
    assert current.of(alpha) == LoadPlan(ctx_size=32768, threads=3, preset="long")
    assert current.of(beta) is current.plan
    assert current.own_preset(alpha) == LONG and current.own_preset(beta) is None
    refused = replace(IMPOSSIBLE, match=("*",))
    with pytest.raises(UsageError):
        CurrentPlan(LoadPlan(), (refused,)).of(alpha).check()
