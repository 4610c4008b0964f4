"""Rounds of the history as rows and words."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from qtui.core.duel.ballot import Vote
from qtui.core.duel.export import numbers, when
from qtui.core.duel.records import RoundRecord, SideRecord
from qtui.core.errors import Failure
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import joined, name, prose

MARK_WIDTH = 2
COLUMNS = (
    Column("WHEN", 16, drop=1),
    Column("VARIANTS", 18, grows=1),
    Column("PROMPT", 16, grows=2),
    Column("VOTE", 9),
)
EMPTY = """Nothing is kept yet.

Rounds of the Arena, qtui ask and qtui duel stand here, unless the setting history.keep is nothing."""
NOTHING_FOUND = "Nothing kept holds all of these words."
NOT_KEPT = "(the text is not kept)"
_VOTES = {Vote.A: "A better", Vote.B: "B better"}
SHOWN = 6_000
"""Characters of a text that are shown; an export holds all of it."""


def history_rows(records: Iterable[RoundRecord]) -> list[Row]:
    """Return one row per round."""
    return [Row(record.id, _cells_of(record)) for record in records]


def round_text(record: RoundRecord, *, doomed: bool) -> Content:
    """Return how a round was run and voted, and its prompt; first the question before it goes."""
    blind = "blind" if record.blind else ""
    facts = [when(record.time), record.mode.replace("_", " "), f"{record.engine} {record.build}", blind, _vote(record)]
    head = joined([name(fact, "bold", 80) for fact in facts if fact])
    question = Content.styled("x again: this round, its answers and its vote are deleted\n\n", "bold $text-warning")
    prompt = Content.styled("› ", "$text-accent") + _shown(record.prompt, "bold")
    apart = Content("\n\n") + name(record.apart, "$foreground-muted", 200) if record.apart else Content()
    return (question if doomed else Content()) + head + Content("\n\n") + prompt + apart


def side_text(side: SideRecord) -> Content:
    """Return what a side answered, with its numbers."""
    party = side.party
    lines = [
        Content.assemble((party.side, "bold $text-accent"), " ") + name(party.title, "bold"),
        name(numbers(side), "$foreground-muted", 300),
        Content(),
        _shown(side.text),
    ]
    if side.remark:
        lines += [Content(), prose(side.remark, "$text-warning")]
    return Content("\n").join(lines)


def trouble_text(failure: Failure) -> Content:
    """Return why the history cannot be read."""
    return joined([name(failure.message, "$text-error", 400), name(failure.hint, limit=400)], "\n")


def _cells_of(record: RoundRecord) -> tuple[Content | None, ...]:
    titles = " / ".join(dict.fromkeys(side.party.title for side in record.sides))
    prompt = NOT_KEPT if record.prompt is None else " ".join(record.prompt[:400].split())
    return (Content(when(record.time)), name(titles), name(prompt), Content(_vote(record) or "–"))


def _vote(record: RoundRecord) -> str:
    return _VOTES.get(record.vote, record.vote.value.replace("_", " ")) if record.vote else ""


def _shown(text: str | None, style: str = "") -> Content:
    if text is None:
        return Content.styled(NOT_KEPT, "$foreground-muted")
    shown = prose(text[:SHOWN], style)
    left = len(text) - SHOWN
    more = Content.styled(f" … {left} more characters: e exports them", "$foreground-muted")
    return shown + more if left > 0 else shown
