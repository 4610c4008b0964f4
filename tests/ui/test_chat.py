"""Chat in the Arena: several turns, what joins and what is swapped, editing, sampling, refusals, copying, pasting."""

from __future__ import annotations

import asyncio

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from qtui.core.duel.conversation import DUEL_SAMPLING, Request, Sampling
from qtui.core.duel.run import SideHappened, SideUnloaded
from qtui.core.errors import Failure
from qtui.core.events import Answered, TextArrived
from qtui.core.library.variant import Variant
from qtui.core.settings import Settings
from qtui.core.text import GIB, MIB
from qtui.ui.messages import DuelHappened, PutOnSide
from qtui.ui.panels.sampling import SamplingPanel
from qtui.ui.side import Phase
from qtui.ui.widgets.past import Past
from qtui.ui.widgets.prompt_field import PromptField
from qtui.ui.widgets.transcript import FRESH, Transcript
from qtui.ui.widgets.turn import PROMPT_SHOWN
from tests.fakes import FakeSettings, LoadScript, Reply
from tests.ui.stage import LARGE, OTHER, SMALL, Stage, arena, field_of, screen_lines, screen_text, sees, wait_until


def turns(request: Request) -> list[str]:
    return [message.content for message in request.messages]


async def rested(pilot: Pilot[None]) -> None:
    await wait_until(pilot, lambda: not arena(pilot)._operations.running, "rest")


async def say(pilot: Pilot[None], prompt: str) -> None:
    """Send a prompt and wait until nothing runs."""
    await rested(pilot)
    field_of(pilot).focus()
    begun = arena(pilot)._operations._begun
    await pilot.press(*prompt, "enter")
    await wait_until(pilot, lambda: arena(pilot)._operations._begun > begun, "asked")
    await rested(pilot)


def put(pilot: Pilot[None], side: str, variant: Variant | None) -> None:
    pilot.app.post_message(PutOnSide(side, variant))


def asked_of(stage: Stage, variant: Variant) -> list[Request]:
    return [request for session in stage.engine.sessions if session.variant == variant for request in session.requests]


# How prompts are put


async def test_a_chat_keeps_its_cache_and_draws_tokens_and_a_duel_does_neither() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(120, 30)) as pilot:
        await say(pilot, "one")
        await sees(pilot, "temp 0.8 (chat defaults)")
        put(pilot, "B", LARGE)
        await wait_until(pilot, lambda: len(stage.engine.sessions) == 2)
        await say(pilot, "two")
        await sees(pilot, "temp 0 (duel")
        first, second = asked_of(stage, SMALL)
        assert (first.sampling, first.reuse_prefix) == (Sampling(), True)
        assert (second.sampling, second.reuse_prefix) == (DUEL_SAMPLING, False)


async def test_sampling_and_system_prompt_hold_from_the_next_prompt_on() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(160, 30)) as pilot:
        await say(pilot, "one")
        await pilot.press("escape", "S")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SamplingPanel))
        await pilot.press(*"0.25", "down", *"20", "up", "up")
        assert isinstance(pilot.app.focused, PromptField)
        await pilot.press(*"Be short.", "enter")
        await sees(pilot, "next: seed drawn · temp 0.25 · top-k 20 (yours) · system prompt")
        assert len(asked_of(stage, SMALL)) == 1
        await say(pilot, "two")
        request = asked_of(stage, SMALL)[1]
        assert request.sampling == Sampling(temperature=0.25, top_k=20)
        assert turns(request) == ["Be short.", "one", "a b c", "two"]
        assert request.messages[0].role == "system"
        await pilot.press("escape", "S")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SamplingPanel))
        assert pilot.app.screen.query_one("#temperature", Input).value == "0.25"
        await pilot.press("ctrl+r", "enter")
        await sees(pilot, "(chat defaults) · system prompt")


async def test_a_value_that_cannot_be_used_is_said_and_the_panel_stays() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready")
        await pilot.press("escape", "S")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, SamplingPanel))
        await pilot.press("down", *"many", "down", "enter")
        await sees(pilot, "top-k must be a whole number from 0 to")
        assert isinstance(pilot.app.focused, Input)
        assert pilot.app.focused.id == "top_k"
        await pilot.press("5")
        await wait_until(pilot, lambda: "must be" not in screen_text(pilot))
        await pilot.press("escape")
        await wait_until(pilot, lambda: not isinstance(pilot.app.screen, SamplingPanel))
        assert arena(pilot)._talk.choice.values == {}


# Edit, again, new


async def test_the_last_prompt_is_edited_and_what_followed_is_taken_back() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("first"), Reply("wrong"), Reply("right"), variant=SMALL)
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await say(pilot, "one")
        await say(pilot, "tow")
        await sees(pilot, "wrong")
        await pilot.press(*"draft", "escape", "e")
        await sees(pilot, "editing the last prompt")
        assert field_of(pilot).text == "tow"
        assert "wrong" in screen_text(pilot)
        await pilot.press("backspace", "backspace", *"wo", "enter")
        await sees(pilot, "right")
        await rested(pilot)
        assert turns(asked_of(stage, SMALL)[-1]) == ["one", "first", "two"]
        text = screen_text(pilot)
        assert "wrong" not in text
        assert "tow" not in text
        assert field_of(pilot).text == "draft"


async def test_editing_is_given_up_without_a_trace() -> None:
    stage = Stage()
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        await pilot.press(*"later", "escape", "e", "x", "escape")
        assert field_of(pilot).text == "later"
        assert isinstance(pilot.app.focused, PromptField)
        await wait_until(pilot, lambda: "editing" not in screen_text(pilot))
        await pilot.press("enter")
        await wait_until(pilot, lambda: len(asked_of(stage, SMALL)) == 2)
        assert turns(asked_of(stage, SMALL)[1]) == ["go", "a b c", "later"]


async def test_again_after_a_stop_takes_back_what_was_written_and_nothing_more() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("first"), Reply("half of it", hold=asyncio.Event()), variant=SMALL)
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await say(pilot, "go")
        await pilot.press("g", "o", "enter")
        await sees(pilot, "half")
        await pilot.press("escape")
        await rested(pilot)
        await pilot.press("escape", "r")
        await wait_until(pilot, lambda: len(asked_of(stage, SMALL)) == 3)
        assert turns(asked_of(stage, SMALL)[2]) == ["go", "first", "go"]


async def test_a_failed_prompt_is_asked_again_without_losing_the_turn_before_it() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("first"), Reply("", failure=Failure("no", "", "prompt")), variant=SMALL)
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await say(pilot, "go")
        await say(pilot, "go")
        await pilot.press("escape", "r")
        await wait_until(pilot, lambda: len(asked_of(stage, SMALL)) == 3)
        assert turns(asked_of(stage, SMALL)[2]) == ["go", "first", "go"]


async def test_a_new_conversation_wants_its_key_twice() -> None:
    stage = Stage()
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24), notifications=True) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        await pilot.press("escape", "N")
        await sees(pilot, "N again")
        assert "a b c" in screen_text(pilot)
        await pilot.press("N")
        await wait_until(pilot, lambda: "a b c" not in screen_text(pilot))
        assert isinstance(pilot.app.focused, PromptField)
        await say(pilot, "new")
        assert turns(asked_of(stage, SMALL)[-1]) == ["new"]
        assert [what for what, _ in stage.engine.journal].count("load") == 1


# Two sides


async def test_a_second_side_joins_with_the_turns_of_the_first() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("A1"), Reply("A2"), Reply("A3"), variant=SMALL)
    stage.engine.enqueue(Reply("B2"), Reply("B3"), variant=LARGE)
    async with stage.duel(A=SMALL).run_test(size=(120, 30)) as pilot:
        await say(pilot, "one")
        await say(pilot, "two")
        put(pilot, "B", LARGE)
        await sees(pilot, "joins with the 2 turns of A")
        await sees(pilot, "t put the last prompt to it too")
        await rested(pilot)
        await pilot.press("escape", "t")
        await sees(pilot, "B2")
        await rested(pilot)
        assert len(asked_of(stage, SMALL)) == 2
        late = asked_of(stage, LARGE)[0]
        assert turns(late) == ["one", "A1", "two"]
        assert late.sampling == Sampling(seed=42)  # as A answered, with the seed that was drawn for it
        assert "put the last prompt" not in screen_text(pilot)
        assert "differ from word 1" in screen_text(pilot)
        await say(pilot, "three")
        assert turns(asked_of(stage, SMALL)[-1]) == ["one", "A1", "two", "A2", "three"]
        assert turns(asked_of(stage, LARGE)[-1]) == ["one", "A1", "two", "B2", "three"]


async def test_joining_lets_the_other_answer_to_its_end() -> None:
    stage = Stage()
    hold = asyncio.Event()
    stage.engine.enqueue(Reply("half and the rest", hold=hold), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(120, 30)) as pilot:
        await sees(pilot, "half")
        put(pilot, "B", LARGE)
        await sees(pilot, "B Alpha Q8_0")
        hold.set()
        await sees(pilot, "and the rest")
        await wait_until(pilot, lambda: arena(pilot).panes.sides["B"].phase is Phase.READY)
        assert not [what for what, _ in stage.engine.journal if what == "cancel"]


async def test_a_side_is_swapped_and_the_new_variant_has_the_old_turns() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("B one", generation_rate=33.3), variant=LARGE)
    stage.engine.enqueue(Reply("new two"), variant=OTHER)
    async with stage.duel("go").run_test(size=(120, 36)) as pilot:
        await sees(pilot, "B one")
        await rested(pilot)
        put(pilot, "B", OTHER)
        await sees(pilot, "Alpha Q8_0 made room for Beta Q6_K")
        await rested(pilot)
        text = screen_text(pilot)
        assert "B one" in text
        assert "33.3 t/s" in text  # the numbers went under the answer they belong to
        assert "differ from" not in text
        await say(pilot, "next")
        assert turns(asked_of(stage, OTHER)[0]) == ["go", "B one", "next"]
        assert ("close", "Q8_0") in stage.engine.journal


async def test_a_swapped_side_can_be_asked_the_last_prompt_alone() -> None:
    stage = Stage()
    async with stage.duel("go").run_test(size=(120, 36)) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        put(pilot, "B", OTHER)
        await sees(pilot, "t put the last prompt to it too")
        await rested(pilot)
        await pilot.press("t")
        await wait_until(pilot, lambda: asked_of(stage, OTHER))
        await rested(pilot)
        assert turns(asked_of(stage, OTHER)[0]) == ["go"]
        assert len(asked_of(stage, SMALL)) == 1


async def test_a_side_is_swapped_while_it_answers() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("half of it", hold=asyncio.Event()), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(120, 30)) as pilot:
        await sees(pilot, "half")
        put(pilot, "A", LARGE)
        await wait_until(pilot, lambda: arena(pilot).panes.sides["A"].phase is Phase.READY)
        assert arena(pilot).panes.sides["A"].variant == LARGE
        assert "half" in screen_text(pilot)
        await say(pilot, "next")
        assert turns(asked_of(stage, LARGE)[0])[-1] == "next"


async def test_late_news_of_a_side_that_is_gone_is_ignored() -> None:
    stage = Stage()
    async with stage.duel("go").run_test(size=(120, 30)) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        answered = arena(pilot).panes.sides["B"].answer
        put(pilot, "B", None)
        await wait_until(pilot, lambda: arena(pilot).panes.sides["B"].variant is None)
        assert answered
        for late in (TextArrived("ghost"), Answered(answered)):
            arena(pilot).post_message(DuelHappened(SideHappened("B", late)))
        arena(pilot).post_message(DuelHappened(SideUnloaded("B")))
        await pilot.pause()
        assert arena(pilot).panes.sides["B"].phase is Phase.EMPTY
        assert "ghost" not in screen_text(pilot)
        put(pilot, "B", LARGE)
        await sees(pilot, "joins with the 1 turn of A")
        assert screen_text(pilot).count("a b c") == 1  # its own turns went with it


async def test_the_last_side_that_goes_ends_the_conversation() -> None:
    stage = Stage()
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        put(pilot, "A", None)
        await sees(pilot, "No model on a side yet")
        put(pilot, "A", LARGE)
        await sees(pilot, "ready")
        assert "last prompt" not in screen_text(pilot)


async def test_the_field_is_left_only_when_two_have_answered_and_nothing_is_typed() -> None:
    stage = Stage()
    async with stage.duel("go").run_test(size=(120, 30)) as pilot:
        await wait_until(pilot, lambda: isinstance(pilot.app.focused, Transcript))
        await pilot.press("i", *"more", "enter")
        hold = asyncio.Event()
        stage.engine.enqueue(Reply("wait for it", hold=hold), variant=SMALL)
        await rested(pilot)
        await pilot.press("i", *"go", "enter", *"typed")
        hold.set()
        await rested(pilot)
        assert isinstance(pilot.app.focused, PromptField)
    async with Stage().duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "a b c")
        await rested(pilot)
        assert isinstance(pilot.app.focused, PromptField)


# Loading and refusals


async def test_loading_tells_share_bytes_and_seconds_and_can_be_stopped() -> None:
    stage = Stage()
    stage.engine.loads[SMALL.path] = LoadScript(hold=asyncio.Event())
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "loading 50 %  512 MiB of 1.00 GiB  0.25 s")
        await pilot.press("escape")
        await rested(pilot)
        await sees(pilot, "stopped")
        assert ("cancel", "Q4_K_M") in stage.engine.journal


async def test_a_refused_side_is_loaded_all_the_same_with_F() -> None:
    stage = Stage()
    stage.machine.set(available=16 * MIB)
    async with stage.duel("go", A=SMALL).run_test(size=(100, 30)) as pilot:
        await rested(pilot)
        await sees(pilot, "F load it all the same")
        await sees(pilot, "A another variant")
        await pilot.press("F")  # the field was left: there is nobody to write to
        await wait_until(pilot, lambda: arena(pilot).panes.sides["A"].phase is Phase.READY)
        await pilot.press("t")
        await sees(pilot, "a b c")
        assert turns(asked_of(stage, SMALL)[0]) == ["go"]


async def test_a_context_that_is_too_large_is_offered_smaller() -> None:
    stage = Stage()
    stage.machine.set(available=3 * GIB)
    stage.dry_run.context_per_token = MIB
    async with stage.duel(A=SMALL).run_test(size=(100, 30)) as pilot:
        await sees(pilot, "refused: too big")
        await sees(pilot, "context 4.00 GiB")
        await sees(pilot, "t load it with")
        await pilot.press("t")
        await wait_until(pilot, lambda: arena(pilot).panes.sides["A"].phase is Phase.READY)
        plan = stage.engine.sessions[0].plan
        assert plan.ctx_size < 4096
        await sees(pilot, f"ctx {plan.ctx_size}")


# Copying and pasting


async def test_the_code_of_the_last_answer_is_copied_then_the_whole() -> None:
    stage = Stage()
    answer = "Do:\n\n```sh\necho hi\n```\n\nthen rest."
    stage.engine.enqueue(Reply(answer), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(100, 30), notifications=True) as pilot:
        await sees(pilot, "then rest.")
        await rested(pilot)
        assert pilot.app.clipboard == ""
        await pilot.press("escape", "y")
        assert pilot.app.clipboard == "echo hi"
        await sees(pilot, "Copied the code: 1 line, 7 characters")
        await pilot.press("y")
        assert pilot.app.clipboard == answer


@pytest.mark.parametrize("kind", ["x", "some words of a line\n", "\x1b[2J漢字\r\n"], ids=["line", "lines", "hostile"])
async def test_a_megabyte_is_pasted_as_a_mark_and_sent_whole(kind: str) -> None:
    stage = Stage()
    text = kind * (1_200_000 // len(kind))
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready")
        await pilot.press(*"See: ")
        field_of(pilot).post_message(events.Paste(text))
        await sees(pilot, "characters]")
        assert len(field_of(pilot).text) < 60
        await pilot.press("enter")
        await wait_until(pilot, lambda: asked_of(stage, SMALL))
        sent = turns(asked_of(stage, SMALL)[0])[0]
        assert len(sent) > 1_000_000, len(sent)
        assert sent.startswith("See: " + text[:1].replace("\x1b", "\ufffd")), sent[:20]
        assert sent.count("\x1b") == 0
        await sees(pilot, "more characters")
        await rested(pilot)
        await pilot.press("escape", "e", "enter")
        await wait_until(pilot, lambda: len(asked_of(stage, SMALL)) == 2)
        assert hash(turns(asked_of(stage, SMALL)[1])[0]) == hash(sent)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"], ids=["cr", "lf", "crlf"])
async def test_pasted_lines_stay_lines_however_the_terminal_ends_them(end: str) -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready")
        field_of(pilot).post_message(events.Paste(f"one{end}two{end}{end}three"))
        await sees(pilot, "three")
        await pilot.press("enter")
        await wait_until(pilot, lambda: asked_of(stage, SMALL))
        assert turns(asked_of(stage, SMALL)[0]) == ["one\ntwo\n\nthree"]


async def test_a_prompt_that_is_too_long_says_so_without_the_log_of_an_engine_that_is_well() -> None:
    stage = Stage()
    failure = Failure("the prompt has 9000 tokens", "shorten it", "prompt", ("sched_reserve: took 2 ms",))
    stage.engine.enqueue(Reply("", failure=failure), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "the prompt has 9000 tokens")
        await sees(pilot, "shorten it")
        assert "sched_reserve" not in screen_text(pilot)


async def test_a_mark_that_was_changed_by_hand_stands_for_nothing() -> None:
    stage = Stage()
    async with stage.duel(A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ready")
        field_of(pilot).post_message(events.Paste("y" * 20_000))
        await sees(pilot, "[text 1: 20000 characters]")
        await pilot.press("backspace", "enter")
        await wait_until(pilot, lambda: asked_of(stage, SMALL))
        assert turns(asked_of(stage, SMALL)[0]) == ["[text 1: 20000 characters"]


async def test_a_long_prompt_is_cut_in_the_transcript() -> None:
    stage = Stage()
    async with stage.duel("word " * 1000, A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, f"{5000 - 1 - PROMPT_SHOWN} more characters")
        await sees(pilot, "a b c")


# Transcripts


async def test_a_bar_shows_only_away_from_the_end() -> None:
    stage = Stage()
    stage.engine.enqueue(Reply("\n\n".join(f"line-{i}" for i in range(60))), variant=SMALL)
    async with stage.duel("go", A=SMALL).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "line-59")
        await rested(pilot)
        transcript = arena(pilot).query_one(Transcript)
        assert transcript.scrollbar_size_vertical == 0
        before = screen_lines(pilot)[:-2]  # without the field and the keys, which are others outside of it
        await pilot.press("escape", "k", "k", "k")
        await wait_until(pilot, lambda: transcript.scrollbar_size_vertical == 1)
        await pilot.press("G")
        await wait_until(pilot, lambda: transcript.scrollbar_size_vertical == 0)
        assert screen_lines(pilot)[:-2] == before


async def test_the_empty_field_says_whom_it_asks_and_outside_of_it_which_key_leads_there() -> None:
    stage = Stage(settings=FakeSettings(Settings(keys={"arena.write": "f"})))
    async with stage.duel(A=SMALL, B=LARGE).run_test(size=(80, 24)) as pilot:
        await sees(pilot, "ask both sides")
        assert "f: ask both sides" not in screen_text(pilot)
        await pilot.press("escape")
        await sees(pilot, "f: ask both sides")
        await pilot.press("f")
        await wait_until(pilot, lambda: "f: ask" not in screen_text(pilot))


@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_long_conversation_looks_the_same_once_its_past_is_lines(size: tuple[int, int]) -> None:
    stage = Stage()
    turns_asked = FRESH + 4
    for number in range(turns_asked):
        stage.engine.enqueue(Reply(f"- answer {number}\n\n`code` and *more*", thinking="hm"), variant=SMALL)
    async with stage.duel(A=SMALL).run_test(size=size) as pilot:
        await sees(pilot, "ready")
        transcript = arena(pilot).query_one(Transcript)
        pages = []
        for number in range(turns_asked):
            await say(pilot, f"q{number}")
            if number in (2, turns_asked - 1):
                await pilot.press("escape", "g")
                await wait_until(pilot, lambda: transcript.scroll_y == 0)
                pages.append([line[:-1].rstrip() for line in screen_lines(pilot)[2:12]])
        assert len(transcript.children) == 1 + FRESH + 1  # the past, and the one that was written last
        assert isinstance(transcript.children[0], Past)
        assert pages[0] == pages[1]
        assert any("+ thought 1 words" in line for line in pages[0])
        await pilot.press("G")
        await sees(pilot, f"answer {turns_asked - 1}")
        await pilot.press("r")
        await rested(pilot)
        assert len(asked_of(stage, SMALL)[-1].messages) == 2 * turns_asked - 1
        await pilot.press("N", "N")
        await wait_until(pilot, lambda: not transcript.children)
