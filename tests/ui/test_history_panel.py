"""The History panel: rounds that are kept, read, searched, asked again, exported and deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.duel.ballot import Vote
from qtui.core.duel.past import PastRounds
from qtui.core.duel.records import Party, RoundRecord, SideRecord
from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.services.history import HistoryFile
from qtui.services.reports import keep_report
from qtui.services.rounds import RoundsFile
from qtui.ui.app import QtuiApp
from qtui.ui.panels.history import HistoryPanel
from qtui.ui.places.arena import ArenaPlace
from qtui.ui.widgets.grouped_table import GroupedTable
from tests.ui.readable import hard_to_read, mixed_colours, pieces
from tests.ui.stage import LARGE, SMALL, Stage, arena, field_of, screen_text, sees, told, wait_until
from tests.ui.test_blind import blind
from tests.ui.test_hostile import HOSTILE, check_screen
from tests.ui.test_panels_readable import THEMES

SIZES = [(120, 36), (80, 24)]
GONE = replace(SMALL, path=Path("/models/gone-Q2_K.gguf"), quant="Q2_K")


def a_record(number: int, prompt: str | None, first: str, second: str, *variants: Variant) -> RoundRecord:
    sides = tuple(
        SideRecord(
            Party.of(label, variant, "sha256:x"), text, finish_reason="stop", generated_tokens=4, generation_rate=41.25
        )
        for label, variant, text in zip("AB", variants or (SMALL, LARGE), (first, second), strict=True)
    )
    return RoundRecord(f"id{number}", 1_700_000_000.0 + number, prompt, "alternating", {}, None, "e", "b1", sides)


async def kept_in(stage: Stage, folder: Path, *records: RoundRecord) -> RoundsFile:
    store = RoundsFile(HistoryFile(folder / "history.sqlite3"))
    for record in records:
        await store.keep_round(record)
    stage.past = PastRounds(store, stage.library, keep_report)
    return store


async def opened(pilot: Pilot[None]) -> HistoryPanel:
    await wait_until(pilot, lambda: isinstance(pilot.app, QtuiApp) and pilot.app.opened)
    await pilot.press("h")
    await wait_until(pilot, lambda: isinstance(pilot.app.screen, HistoryPanel))
    assert isinstance(pilot.app.screen, HistoryPanel)
    return pilot.app.screen


async def holds(pilot: Pilot[None], condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        await pilot.pause()
        if await condition():
            return
    raise AssertionError(screen_text(pilot))


@pytest.mark.parametrize("size", SIZES)
async def test_rounds_stand_newest_first_and_can_be_read(tmp_path: Path, size: tuple[int, int]) -> None:
    stage = Stage()
    newest = replace(a_record(2, "why is it blue", "scattering", "[b]magic[/b]"), vote=Vote.BOTH_BAD, blind=True)
    await kept_in(stage, tmp_path, a_record(1, "what is two", "four", "five"), newest)
    async with stage.app().run_test(size=size) as pilot:
        await opened(pilot)
        await sees(pilot, "[b]magic[/b]")
        text = screen_text(pilot)
        assert text.index("why is it blue") < text.index("what is two")
        for part in ("scattering", "both bad", "blind", "41.2 t/s", "A Alpha Q4_K_M", "B Alpha Q8_0"):
            assert part in text, part
        await pilot.press("j")
        await sees(pilot, "four")
        assert "scattering" not in screen_text(pilot)
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, HistoryPanel))


async def test_without_rounds_it_says_where_they_come_from(tmp_path: Path) -> None:
    stage = Stage()
    await kept_in(stage, tmp_path)
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "Nothing is kept yet")
        await pilot.press("enter", "x", "e", "E", "j", "G")
        assert "to the Arena" not in screen_text(pilot)


async def test_a_search_narrows_and_escape_shows_all_again(tmp_path: Path) -> None:
    stage = Stage()
    await kept_in(stage, tmp_path, a_record(1, "what is two", "four", "five"), a_record(2, "why", "it is", "so"))
    async with stage.app().run_test(size=(100, 30)) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: len(panel._records) == 2)
        await pilot.press("slash", *"FOUR x")
        await sees(pilot, "holds all of these words")
        await pilot.press("backspace", "backspace")
        await wait_until(pilot, lambda: [record.id for record in panel._records] == ["id1"])
        await pilot.press("enter")
        assert isinstance(pilot.app.focused, GroupedTable)
        await pilot.press("slash", "escape")
        await wait_until(pilot, lambda: len(panel._records) == 2)
        assert isinstance(pilot.app.screen, HistoryPanel)


async def test_enter_puts_prompt_and_variants_into_the_arena(tmp_path: Path) -> None:
    stage = Stage()
    await kept_in(stage, tmp_path, a_record(1, "what is two", "four", "five", LARGE, SMALL))
    async with stage.app().run_test(size=(100, 30)) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: panel._records)
        await pilot.press("enter")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await wait_until(pilot, lambda: field_of(pilot).text == "what is two")
        held = {label: side.variant for label, side in arena(pilot).panes.sides.items()}
        assert held == {"A": LARGE, "B": SMALL}
        assert not [what for what, _ in stage.engine.journal if what == "ask"]  # it is not sent by itself


async def test_files_that_are_gone_or_others_by_now_are_named(tmp_path: Path) -> None:
    stage = Stage()
    changed = replace(LARGE, size=LARGE.size + 1)
    await kept_in(stage, tmp_path, a_record(1, None, "four", "five", GONE, changed))
    async with stage.app().run_test(size=(100, 30)) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: panel._records)
        await pilot.press("enter")
        await told(pilot, "Not here any more: Alpha Q2_K, Alpha Q8_0")
        await told(pilot, "The prompt was not kept.")


async def test_a_round_is_deleted_once_that_was_asked(tmp_path: Path) -> None:
    stage = Stage()
    store = await kept_in(stage, tmp_path, a_record(1, "one", "a", "b"), a_record(2, "two", "c", "d"))
    async with stage.app().run_test(size=(100, 30)) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: len(panel._records) == 2)
        await pilot.press("x")
        await sees(pilot, "x again")
        await pilot.press("j", "k")  # moving on withdraws the question
        await wait_until(pilot, lambda: "x again" not in screen_text(pilot))
        assert len(await store.rounds()) == 2
        await pilot.press("x", "x")
        await wait_until(pilot, lambda: len(panel._records) == 1)
        assert [record.id for record in await store.rounds()] == ["id1"]


@pytest.mark.parametrize(("key", "kind"), [("e", ".md"), ("E", ".html")])
async def test_what_is_shown_is_exported_into_the_data_folder(tmp_path: Path, key: str, kind: str) -> None:
    stage = Stage()
    await kept_in(stage, tmp_path, a_record(1, "what is two", "four", "five"), a_record(2, "why", "it is", "so"))
    async with stage.app().run_test(size=(120, 36)) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: len(panel._records) == 2)
        await pilot.press(key)
        await told(pilot, "2 rounds are in ")
        notice = next(n.message for n in pilot.app._notifications if "rounds are in" in n.message)
        path = Path(notice.partition(" are in ")[2])
        assert path.suffix == kind
        assert path.parent.name == "reports"
        assert "what is two" in path.read_text()
        assert path.stat().st_mode & 0o077 == 0


async def test_a_history_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    class Broken(RoundsFile):
        async def rounds(self, limit: int = 50, search: str = "", pair: str = "") -> list[RoundRecord]:
            raise QtuiError("the history is damaged", "move it away")

    stage = Stage()
    stage.past = PastRounds(Broken(HistoryFile(tmp_path / "x.sqlite3")), stage.library, keep_report)
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "the history is damaged")


async def test_it_stays_shut_while_a_blind_round_is_open(tmp_path: Path) -> None:
    stage = Stage()
    await kept_in(stage, tmp_path, a_record(1, "one", "a", "b"))
    async with stage.duel().run_test(size=(100, 30)) as pilot:
        await blind(pilot)
        await pilot.press("h")
        await told(pilot, "A blind round is open")
        assert not isinstance(pilot.app.screen, HistoryPanel)


async def test_without_a_history_that_is_said() -> None:
    async with Stage().app().run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: isinstance(pilot.app, QtuiApp) and pilot.app.opened)
        await pilot.press("h")
        await told(pilot, "Nothing is kept here")


async def test_hostile_texts(tmp_path: Path) -> None:
    stage = Stage()
    records = []
    for number, hostile in enumerate(HOSTILE.values()):
        text = hostile.replace("\ud800", "\ufffd")  # SQLite holds no lone surrogates
        party = Party("A", "/x", text, text, 1, text)
        side = SideRecord(party, text, text, "stop", text, failure=text)
        records.append(
            RoundRecord(f"id{number}", number, text, text, {}, text, text, text, (side, replace(side, party=party)))
        )
    await kept_in(stage, tmp_path, *[replace(r, sides=r.sides[:1]) for r in records])
    async with stage.app().run_test(size=(80, 24), notifications=True) as pilot:
        panel = await opened(pilot)
        await wait_until(pilot, lambda: len(panel._records) == len(records))
        for _ in records:
            check_screen(pilot)
            await pilot.press("pagedown")
            check_screen(pilot)
            await pilot.press("j")
        await pilot.press("x", "slash")
        for text in HOSTILE.values():
            panel.query_one(Input).value = text
            await pilot.pause()
            check_screen(pilot)
        await pilot.resize_terminal(120, 36)
        await pilot.press("escape")
        await wait_until(pilot, lambda: len(panel._records) == len(records))
        check_screen(pilot)
        await pilot.press("enter")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, HistoryPanel))
        check_screen(pilot)


@pytest.mark.parametrize("theme", THEMES)
async def test_it_can_be_read_in_every_theme(tmp_path: Path, theme: str) -> None:
    stage = Stage()
    await kept_in(stage, tmp_path, a_record(1, "what is two", "four", "five"), a_record(2, "why", "it is", "so"))
    app = stage.app(theme=theme)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(pilot)
        await sees(pilot, "it is")
        await pilot.press("x")
        await sees(pilot, "x again")
        assert len(list(pieces(pilot))) > 10
        assert (mixed_colours(pilot) if app.current_theme.ansi else hard_to_read(pilot)) == set()
