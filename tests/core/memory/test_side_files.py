from __future__ import annotations

from dataclasses import replace

import pytest

from qtui.core.errors import PlanRefusedError, UsageError
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.side_files import SideFile, SideFiles

GOOD = SideFile("pirate.gguf", 100, "adapter", "llama", "lora")
PROJECTOR = SideFile("mmproj.gguf", 50, "mmproj", "clip")


def test_what_goes_with_the_model_is_taken() -> None:
    SideFiles((GOOD, GOOD), PROJECTOR).check("llama", "Tiny Q8_0")
    SideFiles((GOOD,), SideFile("old.gguf", 50, "", "clip")).check("", "a model of an unknown kind")
    SideFiles().check("llama", "Tiny Q8_0")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (SideFiles((GOOD, SideFile("g.gguf", 1, "adapter", "gemma3", "lora"))),
         ["g.gguf", "gemma3", "Tiny Q8_0 is of llama"]),
        (SideFiles((SideFile("m.gguf", 1, "model", "llama"),)), ["m.gguf is a model of the architecture llama"]),
        (SideFiles((SideFile("v.gguf", 1, "adapter", "llama", "alora"),)), ["v.gguf is an adapter of the type alora"]),
        (SideFiles((SideFile("n.gguf", 1),)), ["n.gguf is a model of the architecture ?"]),
        (SideFiles(projector=GOOD), ["--mmproj pirate.gguf is an adapter", "not a projector"]),
        (SideFiles(projector=SideFile("m.gguf", 1, "", "llama")), ["--mmproj m.gguf is a model"]),
    ],
)  # fmt: skip
def test_what_does_not_is_refused_with_both_names(files: SideFiles, words: list[str]) -> None:
    with pytest.raises(PlanRefusedError) as refused:
        files.check("llama", "Tiny Q8_0")
    assert all(word in refused.value.message for word in words)
    assert refused.value.hint


def test_an_adapter_of_another_model_of_the_architecture_is_refused() -> None:
    changing = replace(GOOD, changes=(("blk.0.attn_q.weight", 64, 128), ("token_embd.weight", 8, 8)))
    shapes = {"blk.0.attn_q.weight": (64, 128), "token_embd.weight": (64, 1000)}
    SideFiles((changing,)).check("llama", "Tiny Q8_0", shapes)
    SideFiles((changing,)).check("llama", "Tiny Q8_0")
    with pytest.raises(PlanRefusedError, match=r"blk\.0\.attn_q\.weight of 64 x 128, and Tiny Q8_0 has it of 32 x 128"):
        SideFiles((changing,)).check("llama", "Tiny Q8_0", {**shapes, "blk.0.attn_q.weight": (32, 128)})
    with pytest.raises(PlanRefusedError, match="has no such tensor"):
        SideFiles((changing,)).check("llama", "Tiny Q8_0", {"token_embd.weight": (64, 1000)})


def test_several_adapters_are_counted_each() -> None:
    items = SideFiles((GOOD, GOOD), PROJECTOR).items(on_gpu=False)
    assert [(item.item, item.bytes) for item in items[:3]] == [
        ("adapter pirate.gguf", 100), ("adapter pirate.gguf", 100), ("projector", 50),
    ]  # fmt: skip
    assert {item.pool for item in SideFiles((GOOD,), PROJECTOR).items(on_gpu=True)} == {"vram0"}


@pytest.mark.parametrize("scale", [101, -100.5, float("inf"), float("nan")])
def test_a_scale_out_of_range_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match=r"x\.gguf has the scale") as refused:
        LoadPlan(lora=(("/a/x.gguf", scale),)).check()
    assert "from -100 to 100" in refused.value.hint
    LoadPlan(lora=(("/a/x.gguf", -0.5), ("/a/x.gguf", 0.0))).check()
