"""An answer of 100 000 tokens: everything that is said of it is said, and it is judged."""

from __future__ import annotations

import random
from dataclasses import replace

from qtui.core.duel.conversation import DUEL_SAMPLING
from qtui.core.duel.export import Report, markdown
from qtui.core.duel.html_report import html_report
from qtui.core.duel.keeper import Keeper
from qtui.core.duel.report import duel_report
from qtui.core.duel.suite.checks import Exact, JsonForm, Number, Ordered
from qtui.core.duel.suite.judging import judge
from tests.core.duel.test_run import World, ending, events_of
from tests.fakes import FakeHashes

TOKENS = 100_000
WORDS = [f"word{number}" for number in range(5000)]


async def test_it_is_compared_looked_at_kept_and_exported() -> None:
    drawn = random.Random(1)
    same = drawn.choices(WORDS, k=TOKENS // 2)
    first, second = (" ".join([*same, *drawn.choices(WORDS, k=TOKENS // 2)]) for _ in range(2))
    world = World()
    await world.put()
    short = ending(await events_of(world.duel, prompt="Go on."))
    sides = [
        replace(side, answer=replace(side.answer, text=text, finish_reason="length", pieces=tuple(text.split())))
        for side, text in zip(short.sides, (first, second), strict=True)
        if side.answer
    ]
    ended = replace(short, sides=tuple(sides))
    report = duel_report(ended)
    assert report["difference"]["first_differing_word"] > TOKENS // 2
    assert report["sides"][0]["degeneration"]["signs"] == ["no_end"]
    record = await Keeper(None, FakeHashes(), world.engine).record(ended, DUEL_SAMPLING)
    whole = Report.of("long", [record])
    assert first[-50:] in markdown(whole)
    assert len(html_report(whole)) > 100_000


def test_it_is_judged() -> None:
    text = " ".join([*["word and"] * (TOKENS // 2), "first", "second", "42"])
    assert judge(Number(42), text).right
    assert judge(Ordered(("first", "second")), text).right
    assert judge(Exact(("no",)), text).right is False
    assert judge(JsonForm({"type": "object"}), "{" * TOKENS).right is False
