"""`history`: what was asked, answered, voted and measured; searched, exported and deleted."""

from __future__ import annotations

from collections.abc import Sequence

from qtui.cli.keeping import check_report
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.duel.export import Report, when
from qtui.core.duel.records import RoundRecord, SuiteRecord
from qtui.core.duel.standing import Standing, standings
from qtui.core.errors import QtuiError, UsageError
from qtui.core.measure.records import MeasureRecord
from qtui.core.measure.words import measured_numbers
from qtui.core.text import clean_name, rate

MOST = 100_000
"""Rounds that are exported or counted at most."""


async def history(context: Context) -> int:
    """Show, search, export or delete what is kept."""
    options, console = context.options, context.console
    store = context.services.rounds
    if store is None:
        raise QtuiError("nothing is kept here", "")
    if options.delete is not None or options.delete_all:
        return await _delete(context)
    if options.export is not None:
        check_report(options.export)
    everything = options.export is not None or options.standings
    limit = MOST if everything else options.limit
    rounds = await store.rounds(limit, search=options.search)
    suites = [] if options.search else await store.suites(limit)
    measures = context.services.measures
    measured = await measures.measurements.records(limit, options.search) if measures is not None else []
    report = Report.of("qtui history", rounds, suites, measurements=measured)
    console.json({**report.as_json(), "place": store.place})
    if options.export is not None:
        await context.services.write_report(options.export, report)
        what = f"{len(rounds)} rounds, {len(suites)} suite runs and {len(measured)} measurements"
        console.print(f"{what} are in {clean_name(options.export)}")
    elif options.standings:
        _standings(context, standings(rounds))
    else:
        _list(context, rounds, suites, measured)
    return 0


async def _delete(context: Context) -> int:
    """Delete what is named, after its whole ids are found.

    Raises:
        UsageError: an id names nothing, or more than one thing; or all is to go without --yes.
    """
    options, store, measures = context.options, context.services.rounds, context.services.measures
    assert store is not None
    if options.delete_all and not options.yes:
        raise UsageError(
            "--delete-all removes every round, suite run and measurement", "give --yes as well; --export keeps a copy"
        )
    ids: list[str] | None = None
    if not options.delete_all:
        known = [record.id for record in await store.rounds(MOST)] + [run.id for run in await store.suites(MOST)]
        if measures is not None:
            known += [record.id for record in await measures.measurements.records(MOST)]
        ids = [_whole(known, begun) for begun in options.delete]
    count = await store.delete(ids)
    if measures is not None:
        count += await measures.measurements.delete(ids)
    context.console.json({"deleted": count})
    context.console.print(f"{count} deleted")
    return 0


def _whole(known: Sequence[str], begun: str) -> str:
    found = [identity for identity in known if begun and identity.startswith(begun)]
    if len(found) != 1:
        what = "nothing kept" if not found else f"{len(found)} of those that are kept"
        raise UsageError(f"{clean_name(begun, 40)} is the id of {what}", "qtui history shows ids")
    return found[0]


def _list(
    context: Context, rounds: Sequence[RoundRecord], suites: Sequence[SuiteRecord], measured: Sequence[MeasureRecord]
) -> None:
    console = context.console
    if not rounds and not suites and not measured:
        searched = bool(context.options.search)
        console.print("nothing found" if searched else "nothing kept yet: ask, duel, measure and the Arena keep theirs")
        return
    if rounds:
        table = Table(("ID", "WHEN", "VARIANTS", "PROMPT", ">T/S", "VOTE"), flexible=3)
        for record in rounds:
            table.add(*_round_row(record))
        for line in table.lines(console.width):
            console.print(line)
    if suites:
        console.print()
        table = Table(("ID", "WHEN", "VARIANTS", "SUITE", ">A", ">B", "VERDICT"), flexible=2)
        for run in suites:
            table.add(*_suite_row(run))
        for line in table.lines(console.width):
            console.print(line)
    if measured:
        console.print()
        table = Table(("ID", "WHEN", "MEASURED", ">PPL", ">KLD", ">SAME TOP %", "WHICH IS", "HOW"), flexible=7)
        for one in measured:
            table.add(*_measured_row(one))
        for line in table.lines(console.width):
            console.print(line)


def _measured_row(record: MeasureRecord) -> Sequence[str]:
    told = measured_numbers(record)
    return (
        record.id[:8], when(record.time), record.subject.title, told.perplexity, told.kld, told.same_top, told.verdict,
        record.method,
    )  # fmt: skip


def _round_row(record: RoundRecord) -> Sequence[str]:
    prompt = "(not kept)" if record.prompt is None else clean_name(" ".join(record.prompt.split()), 60)
    rates = " / ".join(rate(side.generation_rate) for side in record.sides)
    vote = record.vote.value.replace("_", " ") if record.vote else "–"
    return (record.id[:8], when(record.time), _names([side.party.title for side in record.sides]), prompt, rates, vote)


def _suite_row(run: SuiteRecord) -> Sequence[str]:
    total = run.score.total
    a, b = (f"{value:.1f}" for value in total.scores) if total.scores else ("–", "–")
    verdict = total.sentence if run.complete else f"{total.sentence} (not complete)"
    return (run.id[:8], when(run.time), _names([party.title for party in run.parties]), run.suite, a, b, verdict)


def _names(titles: Sequence[str]) -> str:
    return " / ".join(titles)


def _standings(context: Context, found: Sequence[Standing]) -> None:
    console = context.console
    if not found:
        console.print("no two variants have met yet")
    for standing in found:
        names = _names([standing.first.title, standing.second.title])
        console.print(f"{names}: {standing.rounds} round{'' if standing.rounds == 1 else 's'}; {standing.sentence}")
