"""The diff panel, and what the Arena says of answers that went astray."""

from __future__ import annotations

import pytest

from qtui.ui.panels.diff import DiffPanel
from qtui.ui.present.diff import MARK, columns
from tests.fakes import Reply
from tests.ui.stage import LARGE, SMALL, Stage, screen_text, sees, wait_until
from tests.ui.test_chat import rested, say


def test_what_differs_is_underlined_and_nothing_else() -> None:
    first, second = columns("the sky is blue today", "the sky looks blue \x1b[31m")
    assert [(first.plain[span.start : span.end], span.style) for span in first.spans] == [
        ("is", MARK), ("today", MARK)
    ]  # fmt: skip
    assert second.plain == "the sky looks blue \ufffd[31m"
    assert columns("same", "same")[0].spans == []


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_both_answers_stand_side_by_side(size: tuple[int, int]) -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("the sky is blue"), variant=SMALL)
    stage.engine.enqueue(Reply("the sky is [b]green[/b]"), variant=LARGE)
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=size) as pilot:
        await say(pilot, "why")
        await pilot.press("d")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, DiffPanel))
        await sees(pilot, "differ from word 4")
        text = screen_text(pilot)
        assert "[b]green[/b]" in text
        assert "the sky is blue" in text
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, DiffPanel))


async def test_with_one_answer_there_is_nothing_to_compare() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(100, 30)) as pilot:
        await say(pilot, "why")
        await pilot.press("escape", "d")
        await rested(pilot)
        assert not isinstance(pilot.app.screen, DiffPanel)


async def test_an_answer_that_went_astray_is_said_in_words() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("no " * 30), variant=SMALL)
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(120, 36)) as pilot:
        await say(pilot, "why")
        await sees(pilot, "it repeats “no” 30 times in a row")
