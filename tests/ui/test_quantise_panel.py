"""The Quantise panel over a workshop that makes nothing: sizes, reasons, a matrix, progress, stop, result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.errors import BadFileError, Failure, MemoryRefusedError, QtuiError
from qtui.core.library.owner import Owner
from qtui.core.library.variant import Variant
from qtui.core.measure.events import MeasureRunEvent, PassAdvanced, VariantMeasured
from qtui.core.quantise.messages import Fallback, MatrixFit, QuantisePlanned, TypeShare
from qtui.core.quantise.obstacles import remarks
from qtui.core.quantise.ports import Leftover
from qtui.core.quantise.recipe import Recipe
from qtui.core.quantise.types import OFFERED
from qtui.core.text import MIB
from qtui.services.themes import read_themes
from qtui.ui.panels.quantise import FIRST, QuantisePanel
from qtui.ui.places.models import ModelsPlace
from qtui.ui.present.quantise import default_target
from qtui.ui.quantise_messages import TypeForetold
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.core.measure.samples import SCORES, record_of
from tests.core.quantise.fake_workshop import FakeWorkshop
from tests.fakes import make_variant
from tests.ui.readable import hard_to_read, mixed_colours
from tests.ui.stage import Stage, screen_text, sees, told, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen

PLAN = QuantisePlanned(
    Recipe("Q4_K_M"), (5 * MIB,), 40, 8 * MIB, 8_000_000, (TypeShare("Q4_K", 30, 4 * MIB), TypeShare("F32", 10, MIB))
)
NEEDED = replace(PLAN, needs_matrix=True)
DENSE = replace(PLAN, mix=(TypeShare("Q8_0", 40, 5 * MIB),))


def workshop(**more: QuantisePlanned) -> FakeWorkshop:
    return FakeWorkshop(PLAN, of_kind={"MXFP4_MOE": DENSE, "IQ2_M": NEEDED, **more})


def stage(folder: Path, shop: FakeWorkshop | None = None) -> Stage:
    variant = make_variant("Alpha", "F16", folder=folder)
    return Stage(variants=(variant,), workshop=shop or workshop())


async def opened(pilot: Pilot[None], kind: str = "") -> QuantisePanel:
    await sees(pilot, "1 file")
    await pilot.press("Q")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, QuantisePanel))
    panel = pilot.app.screen
    assert isinstance(panel, QuantisePanel)
    await wait_until(pilot, lambda: len(panel._told) == len(OFFERED) or panel._work is not None)
    if kind:
        panel.query_one(GroupedTable).move_to_key(kind)
        await sees(pilot, f"Alpha-{kind}.gguf")
    return panel


async def typed(pilot: Pilot[None], panel: QuantisePanel, key: str, text: str) -> None:
    await pilot.press(key)
    await pilot.press("backspace", *("full_stop" if c == "." else "slash" if c == "/" else c for c in text), "enter")
    await wait_until(pilot, lambda: len(panel._told) == len(OFFERED))


async def test_every_type_is_shown_with_its_size_before_anything_is_made(tmp_path: Path) -> None:
    async with stage(tmp_path).app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        await sees(pilot, "5242880 bytes, 5.24 bits per weight")
        assert "Q4_K_M" in screen_text(pilot) and "tensors 30 Q4_K, 10 F32" in screen_text(pilot)
        assert "enter make" in screen_text(pilot)


async def test_what_is_made_is_followed_and_told(tmp_path: Path) -> None:
    shop = workshop()
    shop.hold = asyncio.Event()
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "tensor 2 of 4")
        assert "esc stop" in screen_text(pilot) and len(panel.running()) == 1
        shop.hold.set()
        await sees(pilot, "made ")
        assert shop.done[-1] == "quantise " and panel.running() == ()
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))


@dataclass
class FakeMeasuring:
    """Measures in one step, or fails."""

    failure: QtuiError | None = None
    asked: list[tuple[Path, str]] = field(default_factory=list)

    async def run(self, made: Path, reference: Variant, chunks: int = 0) -> AsyncGenerator[MeasureRunEvent]:
        self.asked.append((made, reference.quant))
        if self.failure is not None:
            raise self.failure
        yield PassAdvanced(reference, False, 1, 2, SCORES, 9.0)
        yield VariantMeasured(reference, record_of(kld=0.031))


@pytest.mark.parametrize(
    ("failure", "shown"), [(None, "KLD 0.031"), (MemoryRefusedError("needs 9 GiB", "close something"), "needs 9 GiB")]
)
async def test_what_was_made_is_measured_if_the_user_agrees(
    tmp_path: Path, failure: QtuiError | None, shown: str
) -> None:
    measuring = FakeMeasuring(failure)
    one = stage(tmp_path)
    one.made_measuring = measuring  # type: ignore[assignment]
    async with one.app().run_test(size=(120, 36)) as pilot:
        await opened(pilot)
        assert "measure it" not in screen_text(pilot)
        await pilot.press("enter")
        await sees(pilot, "M measures it against its source")
        assert measuring.asked == []
        await pilot.press("M")
        await sees(pilot, shown)
        assert measuring.asked == [(tmp_path / "Alpha-Q4_K_M.gguf", "F16")]
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))


async def test_a_stop_leaves_nothing_and_goes_back_to_the_types(tmp_path: Path) -> None:
    shop = workshop()
    shop.hold = asyncio.Event()
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "tensor 2 of 4")
        await pilot.press("escape")
        await sees(pilot, "stopped; nothing of the result is left")
        await wait_until(pilot, lambda: shop.closed)
        await pilot.press("escape")
        await sees(pilot, "TYPE")
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))


async def test_quitting_asks_while_something_is_made(tmp_path: Path) -> None:
    shop = workshop()
    shop.hold = asyncio.Event()
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "tensor 2 of 4")
        await pilot.press("ctrl+q")
        await sees(pilot, "Alpha-Q4_K_M.gguf is being made")
        assert "nothing of it is left" in screen_text(pilot)


@pytest.mark.parametrize(
    ("kind", "why"), [("MXFP4_MOE", "would write a Q8_0 file"), ("IQ2_M", "needs an importance matrix")]
)
async def test_what_cannot_be_made_says_why_and_is_not_made(tmp_path: Path, kind: str, why: str) -> None:
    shop = workshop()
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot, kind)
        await sees(pilot, why.split(maxsplit=1)[0])
        assert why in " ".join(screen_text(pilot).split())
        await pilot.press("enter")
        await pilot.pause()
        assert panel._work is None and shop.done == ["predict"]


async def test_a_text_is_enough_where_a_matrix_is_needed(tmp_path: Path) -> None:
    shop = workshop()
    async with stage(tmp_path, shop).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot, "IQ2_M")
        await typed(pilot, panel, "t", "/t/text.txt")
        await sees(pilot, "gathered over /t/text.txt")
        assert "needs an importance matrix" not in screen_text(pilot)
        await pilot.press("enter")
        await sees(pilot, "matrix of 7 tensors from 4 chunks")
        await sees(pilot, "made ")
        assert shop.done[-2:] == [
            f"gather {tmp_path}/Alpha-IQ2_M.imatrix.gguf", f"quantise {tmp_path}/Alpha-IQ2_M.imatrix.gguf",
        ]  # fmt: skip


async def test_a_matrix_is_named_and_how_it_fits_is_told(tmp_path: Path) -> None:
    fit = MatrixFit(entries=9, used=7, lacking=2, unknown=2, unknown_names=("a", "b"))
    shop = workshop(Q2_K=replace(PLAN, matrix=fit, fallbacks=(Fallback("Q2_K", "Q4_0", 3),)))
    async with stage(tmp_path, shop).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot, "Q2_K")
        await typed(pilot, panel, "m", "/m/my.gguf")
        await sees(pilot, "matrix /m/my.gguf")
        shown = " ".join(screen_text(pilot).split())
        assert "the matrix has 7 of the 9 tensors" in shown
        assert "3 of 40 tensors become Q4_0 instead of Q2_K" in shown


async def test_overrides_pure_and_requantising_go_into_the_recipe(tmp_path: Path) -> None:
    async with stage(tmp_path).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await typed(pilot, panel, "o", "attn_v=q8_0")
        await pilot.press("p", "r")
        await sees(pilot, "attn_v=Q8_0")
        assert panel._recipe.pure and panel._recipe.allow_requantize
        await pilot.press("o", "x", "enter")
        await told(pilot, "not REGEX=TYPE")


async def test_a_file_that_is_there_is_replaced_only_when_it_is_asked_twice(tmp_path: Path) -> None:
    (tmp_path / "Alpha-Q4_K_M.gguf").touch()
    shop = workshop()
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "is there already: enter again replaces it")
        assert shop.done == ["predict"]
        await pilot.press("enter")
        await sees(pilot, "made ")


@pytest.mark.parametrize("path", ["~nobody-here/x.gguf", "/" + "x" * 300])
async def test_a_path_that_cannot_be_is_shown_as_it_was_typed(tmp_path: Path, path: str) -> None:
    shop = workshop()
    async with stage(tmp_path, shop).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        for key in ("m", "t", "i"):
            await pilot.press(key)
            pilot.app.screen.query_one(Input).value = path
            await pilot.press("enter")
            await wait_until(pilot, lambda: len(panel._told) == len(OFFERED))
        assert panel._choice().target == Path(path)
        await pilot.press("enter")
        await sees(pilot, "made ")


async def test_free_space_is_that_of_the_folder_that_was_named(tmp_path: Path) -> None:
    shop = workshop()
    shop.free_at[Path("/another")] = MIB
    async with stage(tmp_path, shop).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await pilot.press("i")
        pilot.app.screen.query_one(Input).value = "/another/q.gguf"
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(panel._told) == len(OFFERED))
        await sees(pilot, "/another has 1.00 MiB free")
        await pilot.press("enter")
        await pilot.pause()
        assert panel._work is None


async def test_asking_ends_when_the_making_begins_and_goes_on_afterwards(tmp_path: Path) -> None:
    shop = workshop()
    shop.hold = shop.hold_asking = asyncio.Event()
    async with stage(tmp_path, shop).app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "1 file")
        await pilot.press("Q")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, QuantisePanel))
        panel = pilot.app.screen
        assert isinstance(panel, QuantisePanel)
        await wait_until(pilot, lambda: FIRST in panel._told)
        assert len(panel._told) < len(OFFERED)
        await pilot.press("enter")
        await sees(pilot, "tensor 2 of 4")
        panel.post_message(TypeForetold(panel._round, Failure("the engine died")))
        await pilot.pause()
        assert len(panel.running()) == 1 and "the engine died" not in screen_text(pilot)
        shop.hold_asking = None
        await pilot.press("escape")
        await sees(pilot, "stopped; nothing of the result is left")
        await pilot.press("escape")
        await wait_until(pilot, lambda: len(panel._told) == len(OFFERED))


async def test_a_source_that_is_no_model_says_so(tmp_path: Path) -> None:
    shop = workshop()
    shop.fails = BadFileError("x.gguf holds a vocabulary and no weights", "quantise the model itself")
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "holds a vocabulary and no weights")


async def test_what_a_killed_qtui_left_is_told_at_the_next_start(tmp_path: Path) -> None:
    shop = workshop()
    shop.left = [Leftover(tmp_path / ".q.gguf.abcdefgh.quantise.part", 3 * MIB)]
    async with stage(tmp_path, shop).app().run_test(size=(80, 24)) as pilot:
        await told(pilot, "Removed what a killed qtui had left")
        await told(pilot, "(3.00 MiB)")


async def test_results_go_beside_the_source_but_not_into_folders_of_programs(tmp_path: Path) -> None:
    variant = make_variant("Alpha", "F16", folder=tmp_path, owner=Owner.HF)
    app = Stage(variants=(variant,), workshop=workshop()).app(folders=(tmp_path,))
    async with app.run_test(size=(80, 24)) as pilot:
        await sees(pilot, "1 file")
        assert app._folder_for(variant) == tmp_path
        assert app._folder_for(replace(variant, owner=Owner.USER, path=Path("/m/a.gguf"))) == Path("/m")


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("Qwen3-8B-F16.gguf", "Qwen3-8B-Q2_K.gguf"),
        ("qwen3-8b-bf16-00001-of-00002.gguf", "qwen3-8b-Q2_K.gguf"),
        ("model.gguf", "model-Q2_K.gguf"),
        ("gemma-3-12b-it.gguf", "gemma-3-12b-it-Q2_K.gguf"),
    ],
)
def test_results_are_named_after_the_model_and_the_type(source: str, made: str) -> None:
    assert default_target(Path("/m"), Path("/x") / source, "Q2_K") == Path("/m") / made


@pytest.mark.parametrize("name", ["escape", "bidi", "wide", "long", "newlines", "markup"])
async def test_hostile_names_stay_text(tmp_path: Path, name: str) -> None:
    text = HOSTILE[name]
    fit = MatrixFit(1, 1, 0, 1, (text,), datasets=(text,))
    shop = FakeWorkshop(replace(PLAN, matrix=fit, fallbacks=(Fallback(text, text, 1),), mix=(TypeShare(text, 1, 1),)))
    variant = replace(make_variant("Alpha", "F16", folder=tmp_path), model=text, quant=text)
    async with Stage(variants=(variant,), workshop=shop).app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot)
        await pilot.pause()
        check_screen(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: panel._work is not None and panel._work.over)
        check_screen(pilot)


@pytest.mark.parametrize("theme", [file.name for file in read_themes(Path("/nowhere")) if file.shipped])
async def test_it_can_be_read_in_every_theme(tmp_path: Path, theme: str) -> None:
    one = stage(tmp_path)
    app = one.app(theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot, "IQ2_M")
        await sees(pilot, "needed")
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()


async def test_a_quantised_source_is_refused_aloud_and_the_key_that_takes_it_is_on_the_line(tmp_path: Path) -> None:
    refused = replace(PLAN, requantised=("Q8_0",))
    taken = replace(refused, recipe=replace(PLAN.recipe, allow_requantize=True))
    assert not any("anew" in said for said in remarks(refused)) and any("anew" in said for said in remarks(taken))
    async with stage(tmp_path, FakeWorkshop(refused)).app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot, "Q4_K_M")
        await sees(pilot, "r requantise")
        assert "quantised anew" not in screen_text(pilot)
        await pilot.press("enter")
        await told(pilot, "Not made: ")
        assert panel._work is None
    async with stage(tmp_path).app().run_test(size=(120, 36)) as pilot:
        await opened(pilot, "Q4_K_M")
        assert "r requantise" not in screen_text(pilot)


async def test_what_lies_where_models_does_not_look_is_told_once_the_panel_closes(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with stage(tmp_path).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot, "Q4_K_M")
        panel._named = elsewhere / "mine.gguf"
        await pilot.press("enter")
        await sees(pilot, "Models looks again when this is closed")
        await pilot.press("escape")
        await told(pilot, "mine.gguf is in ")
        await told(pilot, "which Models does not list")
