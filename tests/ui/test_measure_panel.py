"""The Measure panel: choosing, progress, stop, the table, what goes wrong; then with a real child."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from textual.pilot import Pilot

from qtui.core.advice.evidence import Evidence
from qtui.core.advice.loss import Losses
from qtui.core.demo import DEMO_MODEL
from qtui.core.errors import BadFileError, EngineError
from qtui.core.library.variant import Variant
from qtui.core.measure.ports import TextFile
from qtui.core.measure.quality import UNKNOWN, Quality
from qtui.core.measure.wished import WishedMeasures
from qtui.core.origin import Origin
from qtui.core.quantise.recipe import Recipe
from qtui.services.engine.measure import ChildMeasurer
from qtui.services.engine.quantise import quantise
from qtui.services.evidence import EvidenceFiles
from qtui.services.measure_files import MeasureFolder
from qtui.services.texts import TextFiles
from qtui.services.themes import read_themes
from qtui.ui.panels.measure import MeasurePanel
from qtui.ui.places.models import ModelsPlace
from tests.core.measure.scripted import BIG, SMALL, TEXT, TINY, ScriptedMeasurer, means_of
from tests.fakes import make_variant
from tests.ui.readable import hard_to_read, mixed_colours
from tests.ui.stage import Stage, screen_text, sees, told, wait_until
from tests.ui.test_hostile import HOSTILE, check_screen, hostile_variant


@dataclass
class FakeTexts:
    """One text, under the names that ship."""

    asked: list[str] = field(default_factory=list)

    def names(self) -> Sequence[str]:
        return ("mixed", "demo")

    async def find(self, name: str) -> TextFile:
        self.asked.append(name)
        if name not in self.names():
            raise BadFileError(f"{name}: No such file", "name a text file, or mixed or demo")
        return TEXT


@dataclass
class FakeKept:
    """What was measured, by path."""

    klds: dict[Path, float] = field(default_factory=dict)

    async def __call__(self, variants: Sequence[Variant]) -> Mapping[Path, Quality]:
        return {one.path: Quality(Origin.MEASURED, kld) for one in variants if (kld := self.klds.get(one.path))} | {
            one.path: UNKNOWN for one in variants if one.path not in self.klds
        }


def stage(folder: Path, measurer: ScriptedMeasurer | None = None, *variants: Variant) -> Stage:
    means = means_of(measurer or ScriptedMeasurer(), MeasureFolder(folder))
    return Stage(variants=variants or (BIG, SMALL, TINY), measures=WishedMeasures(means, FakeTexts()))


async def opened(pilot: Pilot[None], *keys: str) -> MeasurePanel:
    await sees(pilot, "files")
    await pilot.press(*keys, "M")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, MeasurePanel))
    assert isinstance(pilot.app.screen, MeasurePanel)
    await sees(pilot, "TOP %")
    return pilot.app.screen


def flat(pilot: Pilot[None]) -> str:
    return " ".join(screen_text(pilot).replace("│", " ").split())


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_all_of_a_model_are_measured_against_the_best_reference(tmp_path: Path, size: tuple[int, int]) -> None:
    measurer = ScriptedMeasurer()
    async with stage(tmp_path, measurer).app().run_test(size=size) as pilot:
        panel = await opened(pilot, "g")
        await pilot.press("a")
        if len(panel._choice.measured(panel._variants)) < 2:
            await pilot.press("a")
        assert panel._choice.reference == BIG
        await sees(pilot, "2 variants · against F16")
        assert "the whole text" in flat(pilot) and "mixed (suits the model)" in flat(pilot)
        await pilot.press("enter")
        await sees(pilot, "done; Models shows it")
        assert [one[0] for one in measurer.journal if one[0] != "tokens"] == ["reference", "compare", "compare"]
        assert {one[1] for one in measurer.journal if one[0] == "compare"} == {SMALL.path.name, TINY.path.name}
        shown = flat(pilot)
        assert "the reference" in shown and "good" in shown and "only if" in shown
        assert "10 x 512 tokens" in shown
        await pilot.press("escape")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ModelsPlace))


async def test_what_is_chosen_is_what_is_measured(tmp_path: Path) -> None:
    measurer = ScriptedMeasurer()
    async with stage(tmp_path, measurer).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        panel._take(replace(panel._choice, chosen=frozenset({TINY.path})))
        await pilot.press("g", "r")  # the largest again
        await pilot.press("n", *"x", "enter")
        await told(pilot, "a whole number")
        await pilot.press("backspace", *"3", "enter")
        await sees(pilot, "at most 3 chunks")
        await pilot.press("t", *"demo", "enter")
        await sees(pilot, "text demo")
        await pilot.press("enter")
        await sees(pilot, "3 x 512 tokens")
        assert [one[:2] for one in measurer.journal if one[0] == "compare"] == [("compare", TINY.path.name)]


async def test_a_stop_keeps_what_is_done_and_the_same_again_goes_on(tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(hold=asyncio.Event())
    async with stage(tmp_path, measurer).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await pilot.press("a", "enter") if len(panel._choice.chosen) < 3 else await pilot.press("enter")
        await sees(pilot, "chunk 1 of 10")
        assert "left" in flat(pilot) and "±" in flat(pilot) and "esc stop" in flat(pilot)
        await pilot.press("ctrl+q")
        await sees(pilot, "what was measured is kept")
        await pilot.press("n")
        await pilot.press("escape")
        await sees(pilot, "stopped; what is measured is kept")
        assert panel.running() == ()
        await pilot.press("escape")
        await sees(pilot, "against F16")
        assert measurer.hold is not None
        measurer.hold.set()
        await pilot.press("enter")
        await sees(pilot, "done")
        assert [one[2] for one in measurer.journal if one[0] == "reference"] == [0, 1]


@pytest.mark.parametrize(
    ("measurer", "why"),
    [
        (ScriptedMeasurer(tokens=700), "too short"),
        (ScriptedMeasurer(vocabulary={SMALL.path: 200, TINY.path: 200}), "200"),
        (ScriptedMeasurer(failing={BIG.path: EngineError("llama.cpp aborted", "see the log")}), "llama.cpp aborted"),
    ],
)
async def test_what_cannot_be_measured_says_why(tmp_path: Path, measurer: ScriptedMeasurer, why: str) -> None:
    async with stage(tmp_path, measurer).app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "nothing was measured")
        assert panel._work is not None and panel._work.failure is not None
        assert why in flat(pilot) and panel._work.failure.hint.split()[0] in flat(pilot)
        await pilot.press("escape")
        await sees(pilot, "against F16")


async def test_a_disk_too_small_and_a_text_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtui.core.measure.room.SPARE_BYTES", 1 << 60)
    async with stage(tmp_path).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await pilot.press("enter")
        await sees(pilot, "nothing was measured")
        assert "logits need" in flat(pilot) and "free some space" in flat(pilot)
        await pilot.press("escape")
        await pilot.press("t", *"none", "enter", "enter")
        await sees(pilot, "none: No such file")


async def test_one_that_fails_leaves_the_others(tmp_path: Path) -> None:
    measurer = ScriptedMeasurer(failing={SMALL.path: EngineError("it yields NaN", "try another file")})
    async with stage(tmp_path, measurer).app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        panel._take(replace(panel._choice, chosen=frozenset({SMALL.path, TINY.path})))
        await pilot.press("enter")
        await sees(pilot, "done")
        assert "it yields NaN" in flat(pilot) and "not measured" in flat(pilot) and "try another file" in flat(pilot)


async def test_a_lone_variant_and_a_reference_alone_are_refused(tmp_path: Path) -> None:
    async with stage(tmp_path, None, BIG).app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "1 file")
        await pilot.press("M")
        await told(pilot, "Nothing to measure it against")
    async with stage(tmp_path).app().run_test(size=(80, 24)) as pilot:
        panel = await opened(pilot)
        panel._take(replace(panel._choice, chosen=frozenset({BIG.path})))
        await pilot.press("enter")
        await sees(pilot, "nothing is chosen but the reference")
        assert panel._work is None


async def test_nothing_is_measured_while_a_blind_round_is_open(tmp_path: Path) -> None:
    app = stage(tmp_path).app()
    async with app.run_test(size=(120, 36)) as pilot:
        await sees(pilot, "3 files")
        app._vitals = replace(app._vitals, covered=True)
        await pilot.press("M")
        await told(pilot, "A blind round is open")
        assert isinstance(app.screen, ModelsPlace)


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_models_shows_what_was_measured_without_looking_again(tmp_path: Path, size: tuple[int, int]) -> None:
    kept, one = FakeKept(), stage(tmp_path)
    one.losses = lambda: (Losses(Evidence(), kept), ())
    async with one.app().run_test(size=size) as pilot:
        await sees(pilot, "3 files")
        assert ("KLD" in screen_text(pilot)) == (size[0] == 120)
        await opened(pilot)
        kept.klds[TINY.path] = 0.4567
        await pilot.press("enter")
        await sees(pilot, "done")
        await pilot.press("escape")
        await sees(pilot, "0.457")
        assert "KLD" in screen_text(pilot)
        assert any("Q2_K" in line and "0.457" in line for line in screen_text(pilot).splitlines())


async def test_compare_shows_what_was_measured_and_what_is_published(tmp_path: Path) -> None:
    one = stage(tmp_path)
    evidence, _ = EvidenceFiles(tmp_path).load()
    kept = FakeKept({TINY.path: 0.4567})
    one.losses = lambda: (Losses(evidence, kept), ())
    async with one.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "3 files")
        await pilot.press("c")
        await sees(pilot, "KL divergence")
        line = next(line for line in screen_text(pilot).splitlines() if "KL divergence" in line)
        assert "0.457" in line and "°0.0" in line and "–" in line  # measured, published, and the whole model


@pytest.mark.parametrize("theme", [file.name for file in read_themes(Path("/nowhere")) if file.shipped])
async def test_it_can_be_read_in_every_theme(tmp_path: Path, theme: str) -> None:
    app = stage(tmp_path).app(theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        for text in ("against F16", "done"):
            await sees(pilot, text)
            assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()
            await pilot.press("enter")


@pytest.mark.parametrize("what", ["markup", "escape", "bidi", "wide", "newlines", "c1"])
async def test_hostile_names_reach_no_terminal(tmp_path: Path, what: str) -> None:
    text = HOSTILE[what]
    hostile = [replace(hostile_variant(text, 1), size=9), replace(hostile_variant(text, 2), quant="Q8_0")]
    async with stage(tmp_path, None, *hostile).app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        check_screen(pilot)
        await pilot.press("enter")
        await sees(pilot, "done")
        check_screen(pilot)


@pytest.mark.slow
async def test_a_real_child_measures_the_demo_model(tmp_path: Path, demo_f16: Path) -> None:
    target = tmp_path / "demo-Q2_K.gguf"
    async for _ in quantise(demo_f16, target, Recipe("Q2_K")):
        pass
    whole, small = (
        replace(make_variant(DEMO_MODEL, quant, size=file.stat().st_size), path=file, parameters=None)
        for quant, file in (("F16", demo_f16), ("Q2_K", target))
    )
    one = Stage(variants=(whole, small))
    means = replace(means_of(ScriptedMeasurer(), MeasureFolder(tmp_path / "work")), measurer=ChildMeasurer())
    one.measures = WishedMeasures(means, TextFiles())
    async with one.app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        panel._take(replace(panel._choice, chosen=frozenset({small.path}), chunks=2))
        await pilot.press("enter")
        await wait_for(lambda: panel._work is not None and panel._work.over)
        assert panel._work is not None and panel._work.failure is None and not panel._work.failed
        (record,) = panel._work.records.values()
        assert record.scores.kl_divergence is not None and 0.1 < record.scores.kl_divergence.mean < 0.5
        assert record.text.name == "demo" and record.chunks == 2
        await sees(pilot, f"{record.scores.kl_divergence.mean:.3f}")


async def wait_for(condition: Callable[[], object]) -> None:
    """Wait for what a child does."""
    async with asyncio.timeout(120):
        while not condition():
            await asyncio.sleep(0.05)
