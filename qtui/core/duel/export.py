"""Rounds and suite runs as Markdown. JSON is what the records say of themselves; HTML is `html_report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from qtui.core.duel.measured import Measured
from qtui.core.duel.records import RoundRecord, SideRecord, SuiteRecord
from qtui.core.duel.standing import Standing, standings
from qtui.core.errors import UsageError
from qtui.core.measure.records import MeasureRecord
from qtui.core.measure.words import measured_numbers
from qtui.core.text import clean_name, duration, gib, rate

KINDS = (".html", ".md", ".json")
MEASURED_HEADS = ("variant", "PPL", "±", "KLD", "±", "same top %", "which is", "how", "hash")
NOT_KEPT = "(the text is not kept)"


@dataclass(frozen=True, slots=True)
class Report:
    """What is exported."""

    title: str
    rounds: tuple[RoundRecord, ...] = ()
    """Newest first."""
    suites: tuple[SuiteRecord, ...] = ()
    measured: Measured | None = None
    standings: tuple[Standing, ...] = field(default=())
    measurements: tuple[MeasureRecord, ...] = ()
    """Newest first."""

    @staticmethod
    def of(
        title: str, rounds: Sequence[RoundRecord] = (), suites: Sequence[SuiteRecord] = (),
        measured: Measured | None = None, measurements: Sequence[MeasureRecord] = (),
    ) -> Report:  # fmt: skip
        """Put a report together, with the standings that follow from its rounds."""
        voted = tuple(standing for standing in standings(rounds) if standing.ballot.rounds)
        return Report(title, tuple(rounds), tuple(suites), measured, voted, tuple(measurements))

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "title": self.title, "rounds": [record.as_json() for record in self.rounds],
            "suites": [record.as_json() for record in self.suites],
            "standings": [standing.as_json() for standing in self.standings],
            "measured": self.measured.as_json() if self.measured else None,
            "measurements": [record.as_json() for record in self.measurements],
        }  # fmt: skip


def report_kind(name: str) -> str:
    """Return which kind of report a file's name asks for, as its end.

    Raises:
        UsageError: it says none of them.
    """
    kind = next((kind for kind in KINDS if name.lower().endswith(kind)), None)
    if kind is None:
        raise UsageError(f"{clean_name(name)} ends in none of {', '.join(KINDS)}", "the end says what is written")
    return kind


def markdown(report: Report) -> str:
    """Return a report as Markdown; what models wrote stands in fences that it cannot end."""
    parts = [f"# {line(report.title)}"]
    if report.standings:
        parts.append("## Standings")
        parts += [f"- {line(_pair(standing))}: {line(standing.sentence)}" for standing in report.standings]
    if report.measured:
        parts += ["## Measured", *_measured(report.measured)]
    if report.measurements:
        parts += ["## Measurements", _measurements(report.measurements)]
    for suite in report.suites:
        parts += _suite(suite)
    for record in report.rounds:
        parts += _round(record)
    return "\n\n".join(parts) + "\n"


def when(time: float) -> str:
    """Return a moment as local time, `2026-11-28 14:02`."""
    return datetime.fromtimestamp(time).strftime("%Y-%m-%d %H:%M")


def line(text: str) -> str:
    """Return a text as one line that Markdown shows as it is."""
    flat = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~" else letter for letter in flat)


def fenced(text: str) -> str:
    """Return a text in a fence that is longer than any in it."""
    longest, run = 0, 0
    for letter in text:
        run = run + 1 if letter == "`" else 0
        longest = max(longest, run)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def numbers(side: SideRecord) -> str:
    """Return the numbers of a side as one line."""
    tokens = "?" if side.generated_tokens is None else str(side.generated_tokens)
    return (
        f"{rate(side.generation_rate)} t/s, first token {duration(side.time_to_first_token)}, {tokens} tokens, "
        f"peak {gib(side.peak)} GiB, ended by {side.finish_reason or side.failure or '?'}"
    )


def _pair(standing: Standing) -> str:
    return f"{standing.first.title} against {standing.second.title}"


def _round(record: RoundRecord) -> list[str]:
    vote = f" · vote: {record.vote.value.replace('_', ' ')}" if record.vote else ""
    blind = " · blind" if record.blind else ""
    parts = [
        f"## Round of {when(record.time)}",
        f"{record.mode.replace('_', ' ')} · {line(record.engine)} {line(record.build)}{blind}{vote}",
        fenced(record.prompt) if record.prompt is not None else NOT_KEPT,
        *([f"The answers: {line(record.apart)}"] if record.apart else []),
    ]
    for side in record.sides:
        parts += [f"### {side.party.side}: {line(side.party.title)}", f"`{side.party.hash or 'hash not known'}`"]
        parts.append(fenced(side.text) if side.text is not None else NOT_KEPT)
        parts.append(line(numbers(side)) + (f"; {line(side.remark)}" if side.remark else ""))
    return parts


def _suite(suite: SuiteRecord) -> list[str]:
    sides = ", ".join(f"{party.side}: {line(party.title)}" for party in suite.parties)
    told = suite.score
    rows = [
        "| group | tasks | A | B | only A | only B | 95 % of A - B | verdict |",
        "|---|---:|---:|---:|---:|---:|---:|---|",
    ]
    for group in [*told.groups, *([told.total] if len(told.groups) > 1 else [])]:
        a, b = (f"{value:.1f}" for value in group.scores) if group.scores else ("–", "–")
        pairs = group.pairs
        rows.append(
            f"| {line(group.group)} | {pairs.total} | {a} | {b} | {pairs.only_first} | {pairs.only_second} "
            f"| {group.interval_text} | {line(group.sentence)} |"
        )
    state = "" if suite.complete else " · not complete"
    head = f"## Suite {line(suite.suite)}, {when(suite.time)}"
    return [head, f"{sides} · {line(suite.engine)} {line(suite.build)}{state}", "\n".join(rows), line(told.note)]


def _measured(told: Measured) -> list[str]:
    rows = ["| side | generated t/s | prompt t/s | first token s |", "|---|---:|---:|---:|"]
    for side in told.sides:
        spreads = (side.generation_rate, side.prompt_rate, side.first_token)
        cells = " | ".join(
            f"{rate(s.median) if s is not side.first_token else _s(s.median)} ± {_s(s.stdev)}" for s in spreads
        )
        rows.append(f"| {side.side} {line(side.variant.title)} | {cells} |")
    lines = [*told.outliers, *([told.ratio.sentence] if told.ratio else []), told.method]
    return ["\n".join(rows), *map(line, lines)]


def measured_cells(record: MeasureRecord) -> list[str]:
    """Return the cells of a measurement under `MEASURED_HEADS`."""
    told = measured_numbers(record)
    how = f"{record.method}, {when(record.time)}, llama.cpp {record.build}"
    return [record.subject.title, *told.cells[:5], told.verdict, how, record.subject.hash or "?"]


def _measurements(records: Sequence[MeasureRecord]) -> str:
    rows = [f"| {' | '.join(MEASURED_HEADS)} |", "|---|---:|---:|---:|---:|---:|---|---|---|"]
    rows += [f"| {' | '.join(map(line, measured_cells(record)))} |" for record in records]
    return "\n".join(rows)


def _s(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"
