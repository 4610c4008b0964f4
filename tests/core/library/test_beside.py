from __future__ import annotations

from pathlib import Path
from typing import Any

from qtui.core.library.beside import adapters_of, projectors_of
from qtui.core.library.variant import Role, Variant
from tests.fakes import make_variant


def projector(model: str, quant: str = "F16", folder: str = "/models", **more: Any) -> Variant:
    return make_variant(
        f"mmproj-{model}", quant, role=Role.MMPROJ, architecture="clip", folder=Path(folder), **more
    )  # fmt: skip


def adapter(name: str, architecture: str = "llama", folder: str = "/models", **more: Any) -> Variant:
    return make_variant(
        name, "F16", role=Role.ADAPTER, architecture=architecture, folder=Path(folder), **more
    )  # fmt: skip


GEMMA = make_variant("gemma-3-4b", "Q4_0")
LARGER = make_variant("gemma-3-4b-it", "Q4_0")


def test_a_projector_of_the_folder_is_the_models() -> None:
    best, wide, near = projector("x"), projector("x", "F32"), projector("x", "BF16")
    far = projector("x", folder="/elsewhere")
    assert projectors_of(GEMMA, [GEMMA, wide, far, near, best]) == (best, near, wide)
    assert projectors_of(best, [best, near]) == ()
    assert projectors_of(GEMMA, [projector("x", problem="damaged")]) == ()


def test_among_several_models_the_name_tells() -> None:
    first, second, foreign = projector("gemma-3-4b"), projector("gemma-3-4b-it"), projector("pixtral")
    everything = [GEMMA, LARGER, first, second, foreign]
    assert projectors_of(GEMMA, everything) == (first,)
    assert projectors_of(LARGER, everything) == (second,)


def test_a_repository_is_one_place_whatever_its_folders() -> None:
    model = make_variant("Pix", "Q4_0", repository="a/pix", folder=Path("/cache/Q4_0"))
    own = projector("model", folder="/cache", repository="a/pix")
    assert projectors_of(model, [model, own, projector("y", folder="/cache/Q4_0", repository="b/y")]) == (own,)


def test_adapters_are_those_of_the_architecture_the_near_ones_first() -> None:
    near, far, foreign = adapter("zz"), adapter("aa", folder="/loras"), adapter("gg", "gemma3")
    assert adapters_of(GEMMA, [foreign, far, near, GEMMA]) == (near, far)
    assert adapters_of(make_variant(architecture=""), [near]) == ()
    assert adapters_of(GEMMA, [adapter("bad", problem="truncated")]) == ()
