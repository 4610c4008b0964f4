"""An answer as a widget: what was drawn piece by piece is what would have been drawn at once."""

from __future__ import annotations

import pytest
from textual.app import App, ComposeResult
from textual.containers import VerticalScroll
from textual.pilot import Pilot

from qtui.ui.widgets import answer_text
from qtui.ui.widgets.answer_text import AnswerText
from tests.ui.stage import screen_lines, wait_until
from tests.ui.test_hostile import HOSTILE
from tests.ui.test_markdown import SAMPLE


class Host(App[None]):
    def __init__(self) -> None:
        super().__init__()
        self.answer = AnswerText()

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield self.answer


def shown(pilot: Pilot[None]) -> list[str]:
    return [line.rstrip() for line in screen_lines(pilot)]


async def drawn(text: str, piece: int, size: tuple[int, int] = (60, 60)) -> list[str]:
    app = Host()
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        for at in range(0, len(text), piece):
            app.answer.write(text[at : at + piece])
            if at % 7 == 0:
                await pilot.pause()
        app.answer.close()
        await pilot.pause()
        return shown(pilot)


@pytest.mark.parametrize("text", [SAMPLE, HOSTILE["markdown"], "- a\n- b\n\nend\n\n> q\n\n\n1. x"], ids=["a", "b", "c"])
@pytest.mark.parametrize("piece", [1, 9, 50])
async def test_pieces_look_like_the_whole(text: str, piece: int) -> None:
    clean = text.replace("\x1b", "")
    assert await drawn(clean, piece) == await drawn(clean, len(clean))


async def test_plain_text_in_pieces_looks_like_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_text, "PLAIN_FROM", 100)
    monkeypatch.setattr(answer_text, "PIECE", 90)
    text = "*one*\n\n" + "**two** " * 10 + "\n" + "x" * 200 + "\n\n- three\n"
    first = await drawn(text[:90], 90)
    for piece in (1, 9, 50):
        lines = await drawn(text, piece)
        assert lines[:2] == first[:2] == ["one", ""]
        assert "over 100 characters: plain text from here on" in lines
        assert "- three" in lines
        assert "".join(lines).count("x") == 200 + "text".count("x")


async def test_it_is_laid_out_anew_for_another_width_and_theme() -> None:
    app = Host()
    async with app.run_test(size=(60, 40)) as pilot:
        app.answer.write(SAMPLE)
        app.answer.close()
        await wait_until(pilot, lambda: "end" in shown(pilot))
        before = shown(pilot)
        await pilot.resize_terminal(24, 60)
        await wait_until(pilot, lambda: "─" * 24 in shown(pilot))
        await pilot.resize_terminal(60, 40)
        await wait_until(pilot, lambda: shown(pilot) == before)
        app.theme = "textual-light"
        await pilot.pause()
        assert shown(pilot) == before


async def test_what_is_marked_with_the_mouse_is_its_text() -> None:
    app = Host()
    async with app.run_test(size=(60, 20)) as pilot:
        app.answer.write("one *two*\n\n- three")
        await wait_until(pilot, lambda: "· three" in shown(pilot))
        await pilot.mouse_down(app.answer, offset=(4, 0))
        await pilot.hover(app.answer, offset=(3, 2))
        await pilot.mouse_up(app.answer, offset=(3, 2))
        await pilot.pause()
        assert pilot.app.screen.get_selected_text() == "two\n\n· th"
        assert shown(pilot)[:3] == ["one two", "", "· three"]  # drawn with the mark
