from __future__ import annotations

import asyncio

import pytest
from textual.pilot import Pilot

from qtui.core.errors import Failure
from qtui.core.text import GIB, MIB
from qtui.ui.side import Phase
from qtui.ui.widgets import answer_text
from qtui.ui.widgets.answer_text import AnswerText
from qtui.ui.widgets.prompt_field import PromptField
from qtui.ui.widgets.side_pane import SidePane
from qtui.ui.widgets.thought import Thought
from qtui.ui.widgets.transcript import Transcript
from tests.fakes import LoadScript, Reply
from tests.ui.stage import LARGE, SMALL, Stage, arena, field_of, screen_lines, screen_text, sees, wait_until


def phases(pilot: Pilot[None]) -> dict[str, Phase]:
    return {label: side.phase for label, side in arena(pilot).panes.sides.items()}


async def both_ready(pilot: Pilot[None]) -> None:
    await wait_until(pilot, lambda: list(phases(pilot).values()) == [Phase.READY, Phase.READY], "both loaded")


async def rested(pilot: Pilot[None]) -> None:
    await wait_until(pilot, lambda: not arena(pilot)._operations.running, "rest")


async def test_one_prompt_streams_to_both_panes_with_numbers_under_each() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("The sky is **blue**", generation_rate=41.2), variant=SMALL)
    stage.engine.enqueue(Reply("The sky looks blue", generation_rate=44.0), variant=LARGE)
    async with stage.duel().run_test(size=(80, 24)) as pilot:
        await both_ready(pilot)
        await pilot.press(*"Why?", "enter")
        await sees(pilot, "44.0 t/s  0.25 s  4 tok  peak 0.44")
        text = screen_text(pilot)
        assert "41.2 t/s" in text
        assert text.count("› Why?") == 2
        assert "The sky is blue" in text
        assert "differ from word 3" in text
        assert field_of(pilot).text == ""
        assert [s.requests[0].messages[-1].content for s in stage.engine.sessions] == ["Why?", "Why?"]
        line = next(line for line in screen_lines(pilot) if "t/s" in line)
        assert line.index("│") in (39, 40)  # two panes of about equal width


async def test_sides_stay_loaded_between_rounds_and_the_old_numbers_stay_with_their_answer() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("first", generation_rate=11.1), Reply("second", generation_rate=22.2), variant=SMALL)
    async with stage.duel(A=SMALL).run_test(size=(100, 30)) as pilot:
        await pilot.press(*"one", "enter")
        await sees(pilot, "11.1 t/s")
        await pilot.press(*"two", "enter")
        await sees(pilot, "22.2 t/s")
        assert "11.1 t/s" in screen_text(pilot)
        assert [what for what, _ in stage.engine.journal].count("load") == 1
        assert [m.content for m in stage.engine.sessions[0].requests[1].messages] == ["one", "first", "two"]


async def test_one_side_is_a_plain_chat_over_the_whole_width() -> None:
    stage = Stage()
    async with stage.duel("hello", A=SMALL).run_test(size=(100, 30)) as pilot:
        await sees(pilot, "a b c")
        panes = [pane for pane in arena(pilot).query(SidePane) if pane.display]
        assert [pane.size.width for pane in panes] == [100]
        assert "│" not in screen_text(pilot)


async def test_escape_stops_first_and_leaves_the_field_second() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("half of it comes", hold=asyncio.Event()), variant=SMALL)
    async with stage.duel("go").run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: phases(pilot)["A"] is Phase.ANSWERING)
        assert phases(pilot)["B"] is Phase.WAITING
        await sees(pilot, "waits for A")
        await pilot.press(*"next", "escape")
        await rested(pilot)
        assert ("cancel", "Q4_K_M") in stage.engine.journal
        assert phases(pilot) == {"A": Phase.STOPPED, "B": Phase.READY}
        text = screen_text(pilot)
        assert "half" in text  # what was written stays
        assert text.count("stopped") == 2  # a note in both turns
        assert ("ask", "Q8_0") not in stage.engine.journal
        assert isinstance(pilot.app.focused, PromptField)
        assert field_of(pilot).text == "next"
        await pilot.press("escape")
        assert isinstance(pilot.app.focused, Transcript)
        await pilot.press("i")
        assert isinstance(pilot.app.focused, PromptField)


async def test_a_prompt_sent_while_loading_waits_and_escape_drops_it() -> None:
    stage = Stage()
    stage.engine.loads[SMALL.path] = LoadScript(hold=asyncio.Event())
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: phases(pilot)["A"] is Phase.LOADING)
        await sees(pilot, "loading 50 %")
        await pilot.press(*"hi", "enter", "escape")
        await rested(pilot)
        assert not [what for what, _ in stage.engine.journal if what == "ask"]
        assert "stopped" in screen_text(pilot)
        stage.engine.loads.clear()
        await pilot.press(*"again", "enter")
        await sees(pilot, "a b c")


async def test_a_side_dies_and_the_other_goes_on() -> None:
    stage = Stage()
    failure = Failure(
        "the engine was killed (signal 9)", "too little memory?", "engine", ("ggml_abort: out of memory",)
    )
    stage.engine.enqueue(Reply("some words", failure=failure, fatal=True), variant=SMALL)
    stage.engine.enqueue(Reply("B is fine"), Reply("B again"), variant=LARGE)
    async with stage.duel("go").run_test(size=(120, 30)) as pilot:
        await sees(pilot, "B is fine")
        await rested(pilot)
        text = screen_text(pilot)
        for part in ("some words", "killed (signal 9)", "too little memory?", "ggml_abort", "died: r restarts it"):
            assert part in text
        stage.engine.enqueue(Reply("back to life"), variant=SMALL)
        await pilot.press("escape", "r")
        await sees(pilot, "back to life")
        await sees(pilot, "B again")
        assert [q for what, q in stage.engine.journal if what == "load"] == ["Q4_K_M", "Q8_0", "Q4_K_M"]
        assert "again" in screen_text(pilot)


async def test_again_asks_as_if_it_had_not_been_asked() -> None:
    stage = Stage()
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        await pilot.press("escape", "r")
        await wait_until(pilot, lambda: len(stage.engine.sessions[0].requests) == 2)
        assert [m.content for m in stage.engine.sessions[0].requests[1].messages] == ["go"]


async def test_a_load_that_would_run_from_disk_says_so_before_it_starts() -> None:
    stage = Stage()
    stage.machine.set(available=4 * GIB)
    stage.dry_run.totals[SMALL.path] = 400 * GIB
    async with stage.duel(A=SMALL).run_test(size=(100, 30)) as pilot:
        await rested(pilot)
        assert "needs 400.00 GiB  from disk" in screen_text(pilot)


async def test_what_cannot_fit_is_refused_with_numbers() -> None:
    stage = Stage()
    stage.machine.set(available=16 * MIB)
    async with stage.duel("go", A=SMALL).run_test(size=(100, 30)) as pilot:
        await rested(pilot)
        assert stage.engine.journal == []
        text = screen_text(pilot)
        for part in (
            "refused: too big",
            "needs 1.06 GiB of 0 B in ram, 16.00 MiB free",
            "weights 1.00 GiB",
            "F load it all",
        ):
            assert part in text
        assert "› go" in text


async def test_what_the_child_refuses_is_said_with_its_hint() -> None:
    stage = Stage()
    stage.engine.loads[SMALL.path] = LoadScript(
        failure=Failure("unknown architecture 'x'", "a newer llama.cpp", "bad_file")
    )
    async with stage.duel().run_test(size=(120, 30)) as pilot:
        await sees(pilot, "unknown architecture 'x'")
        await wait_until(pilot, lambda: phases(pilot)["B"] is Phase.READY)
        assert "a newer llama.cpp" in screen_text(pilot)


async def test_thinking_is_folded_until_it_is_asked_for() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("done", thinking="first I think\nthen I know"), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "+ thought 6 words")
        assert "then I know" not in screen_text(pilot)
        pilot.app.screen.query_one(Thought).focus()
        await pilot.press("space")
        await sees(pilot, "then I know")
        await pilot.press("space")
        await wait_until(pilot, lambda: "then I know" not in screen_text(pilot))


async def test_an_answer_that_ends_early_says_why() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("cut", finish_reason="length"), Reply("", finish_reason="stop"), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ended at the token limit")
        await rested(pilot)
        await pilot.press("x", "enter")
        await sees(pilot, "the answer is empty")


async def test_zoom_shows_one_side() -> None:
    stage = Stage()
    async with stage.duel().run_test(size=(80, 24)) as pilot:
        await both_ready(pilot)
        await pilot.press("escape", "tab", "z")
        await wait_until(pilot, lambda: [p.id for p in arena(pilot).query(SidePane) if p.size.width] == ["side-b"])
        await pilot.press("z")
        await wait_until(pilot, lambda: sum(bool(p.size.width) for p in arena(pilot).query(SidePane)) == 2)


async def test_a_new_line_in_the_field_and_letters_are_letters() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await pilot.press(*"1z?", "ctrl+j", *"r")
        assert field_of(pilot).text == "1z?\nr"
        await pilot.press("enter")
        await wait_until(pilot, lambda: stage.engine.sessions and stage.engine.sessions[0].requests)
        assert stage.engine.sessions[0].requests[0].messages[-1].content == "1z?\nr"


async def test_a_second_prompt_waits_in_the_field() -> None:
    stage = Stage()
    hold = asyncio.Event()
    stage.engine.enqueue(Reply("one two", hold=hold), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24), notifications=True) as pilot:
        await wait_until(pilot, lambda: phases(pilot)["A"] is Phase.ANSWERING)
        await pilot.press(*"next", "enter")
        await sees(pilot, "Still answering")
        assert field_of(pilot).text == "next"
        hold.set()
        await rested(pilot)


async def test_a_very_long_answer_goes_on_as_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_text, "PLAIN_FROM", 2000)
    monkeypatch.setattr(answer_text, "PIECE", 500)
    stage = Stage()
    lines = "\n".join(f"line {i} **of many**" for i in range(200))
    stage.engine.enqueue(Reply(f"{lines}\n**the end**"), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "**the end**")
        await rested(pilot)
        assert arena(pilot).query_one(AnswerText).is_plain
        shown = [line.strip() for line in screen_lines(pilot) if "of many" in line]
        assert shown[-1] == "line 199 **of many**"


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_it_follows_the_end_until_it_is_scrolled(size: tuple[int, int]) -> None:
    stage = Stage()
    hold = asyncio.Event()
    long = " ".join(f"line-{i}\n\n" for i in range(60))
    stage.engine.enqueue(Reply(long + "the-end", hold=hold, hold_after=50), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=size) as pilot:
        await sees(pilot, "line-49")
        await pilot.press("tab", "g")
        await sees(pilot, "› go")
        hold.set()
        await rested(pilot)
        assert "› go" in screen_text(pilot)
        await pilot.press("G")
        await sees(pilot, "the-end")


async def test_without_a_side_it_says_what_to_do() -> None:
    stage = Stage()
    async with stage.app().run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("3")
        await sees(pilot, "No model on a side yet.")
        await pilot.press("x", "enter")
        await sees(pilot, "1 Models, then")
        assert field_of(pilot).text == "x"
