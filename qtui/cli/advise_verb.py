"""`advise`: which variant to take, and the frontier of what variants need against what they lose."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from qtui.cli.running import Context
from qtui.cli.tables import Table, digits_for, gib_of
from qtui.cli.variants import find_variants, tell_waiting
from qtui.core.advice.candidate import Candidate
from qtui.core.advice.frontier import Point, apart, frontier
from qtui.core.advice.ranking import Advice, Advised
from qtui.core.advice.run import AdviceGiven, Considering, Sources, advise
from qtui.core.advice.scatter import legend, scatter
from qtui.core.advice.wishes import Prefer, Use, Wishes
from qtui.core.errors import UsageError
from qtui.core.hub.address import parse_repository
from qtui.core.hub.choice import variants_to_choose
from qtui.core.hub.events import FilesSeen, Listed, RowChanged, Waiting
from qtui.core.hub.listing import Listing
from qtui.core.hub.reading import list_repository, read_headers
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.verdict import Fit
from qtui.core.text import clean_name, rate, size

CHART_WIDTH, CHART_HEIGHT = 76, 18


async def advise_verb(context: Context) -> int:
    """Rank the variants that are named, or those of a repository, a sentence of reason each."""
    options, console, services = context.options, context.console, context.services
    plan = context.plan()
    evidence, problems = services.evidence()
    for problem in problems:
        console.note(f"note: {problem.text}")
    wishes = Wishes(Use(options.use), Prefer(options.prefer), 0, options.keep_free)
    variants = await _variants(context, options.variants)
    guard = await services.guard_of(options.ram, options.vram)
    losses = services.losses(evidence)
    sources = Sources(guard, services.library, losses, services.forecast)
    advice: Advice | None = None
    async with contextlib.aclosing(advise(sources, variants, plan, wishes)) as events:
        async for event in events:
            if isinstance(event, Considering):
                console.progress(f"{event.what} {event.variant.title}, {event.done} of {event.total}")
            elif isinstance(event, AdviceGiven):
                advice = event.advice
    console.end_progress()
    assert advice is not None, "the run ends with advice"
    if losses.problem:
        console.note(f"note: {losses.problem}")
    points = frontier([each.candidate for each in (*advice.ranking, *advice.left)])
    ctx_size = next((each.candidate.weighing.plan.ctx_size for each in (*advice.ranking, *advice.left)), None)
    console.json(
        advice.as_json()
        | {"asked": list(options.variants), "ctx_size": ctx_size, "frontier": [point.as_json() for point in points]}
    )
    lines = frontier_lines(points, console.width) if options.frontier else advice_lines(advice, console.width)
    for line in lines:
        console.print(line)
    return 0


async def _variants(context: Context, names: Sequence[str]) -> list[Variant]:
    """Return the variants that are named: of repositories on the Hub, of models here, or single ones."""
    found: list[Variant] = []
    for name in names:
        repository = parse_repository(name)
        is_file = name.casefold().endswith(".gguf")
        if repository is not None and context.services.hub is not None and not is_file:
            found += await _of_repository(context, repository)
        else:
            found += await find_variants(context, name)
    models = [variant for variant in dict.fromkeys(found) if variant.role is Role.MODEL and variant.loadable]
    if not models:
        raise UsageError(
            f"there is no model to choose from in {clean_name(', '.join(names))}",
            "name a repository with GGUF files, a model or variants of it",
        )
    return models


async def _of_repository(context: Context, name: str) -> list[Variant]:
    """Return the variants of a repository whose headers could be read."""
    console, services = context.console, context.services
    assert services.hub is not None
    console.progress(f"asking {services.hub.endpoint}")
    listing: Listing | None = None
    here = [variant async for variant in services.library.scan(context.options.models_dir)]
    async for event in list_repository(services.hub, name, here):
        if isinstance(event, Listed):
            listing = event.listing
        elif isinstance(event, Waiting):
            tell_waiting(context, event)
        elif isinstance(event, FilesSeen):
            console.progress(f"{event.count} files")
    assert listing is not None, "the run lists or raises"
    async for change in read_headers(services.hub, services.library, listing, listing.rows):
        if isinstance(change, Waiting):
            tell_waiting(context, change)
        elif isinstance(change, RowChanged):
            console.progress(f"header {change.done} of {change.total}: {change.row.variant.title}")
            listing = listing.with_row(change.row)
            if change.failure is not None:
                console.note(f"note: {change.failure.message}")
    console.end_progress()
    return variants_to_choose(listing.rows, here)


def advice_lines(advice: Advice, width: int | None) -> list[str]:
    """Return the ranking as lines: the answer, a table, a sentence for each, what rests on what."""
    free = " (simulated)" if advice.simulated else ""
    lines = [f"{advice.verdict}{free}", ""]
    every = (*advice.ranking, *advice.left)
    lines += _table(every, len(advice.ranking)).lines(width)
    lines.append("sizes in GiB; ~ computed, ° published for another model, ? unknown, – does not apply")
    for number, each in enumerate(advice.ranking, 1):
        lines += ["", f"{number}. {each.candidate.variant.title}: {each.reason}"]
        lines += [f"   - {said}" for said in each.said]
    for each in advice.left:
        lines += ["", f"-  {each.candidate.variant.title}: {each.reason}"]
    return [*lines, *_sources(every)]


def frontier_lines(points: Sequence[Point], width: int | None) -> list[str]:
    """Return the frontier as lines: a chart, a table, and why points are dominated."""
    chart = scatter(points, min(width or CHART_WIDTH, CHART_WIDTH), CHART_HEIGHT)
    lines = ["".join(piece.text for piece in line).rstrip() for line in chart]
    lines += [legend(), ""] if chart else ["no point has a place: what the variants lose is not known", ""]
    table = Table(("", "VARIANT", ">NEEDS", ">KLD", ">T/S", "FIT", "WHY NOT"), flexible=6)
    digits = digits_for(*(point.needs for point in points))
    for point in points:
        candidate = point.candidate
        table.add(
            point.sign, candidate.label.text, _needs(candidate, digits), candidate.quality.cell,
            _rate(candidate), candidate.fit.value.replace("_", " "), point.reason,
        )  # fmt: skip
    lines += table.lines(width)
    lines.append("sizes in GiB; ~ computed, ° published for another model, ? unknown, – does not apply")
    note = apart(points)
    return [*lines, *([note] if note else []), *_source_lines([point.candidate for point in points])]


def _table(every: Sequence[Advised], ranked: int) -> Table:
    table = Table((">", "VARIANT", ">SIZE", ">BPW", ">NEEDS", "FIT", ">KLD", "COUNTS AS", ">T/S"), flexible=1)
    digits = digits_for(*(each.candidate.variant.size for each in every))
    for number, each in enumerate(every, 1):
        candidate = each.candidate
        bits = "?" if candidate.bits is None else f"{candidate.bits:.2f}"
        table.add(
            str(number) if number <= ranked else "-", candidate.variant.title,
            gib_of(candidate.variant.size, digits=digits), bits, _needs(candidate, digits), _fit(candidate),
            candidate.quality.cell, each.band.value if each.band is not None else "?", _rate(candidate),
        )  # fmt: skip
    return table


def _needs(candidate: Candidate, digits: int) -> str:
    footprint = candidate.weighing.footprint
    return "?" if footprint is None else gib_of(footprint.total, footprint.origin, digits)


def _rate(candidate: Candidate) -> str:
    speed = candidate.speed
    return "?" if speed.rate is None else speed.origin.sign + rate(speed.rate)


def _fit(candidate: Candidate) -> str:
    if candidate.fit is Fit.TOO_BIG:
        return f"over {size(candidate.short_by)}"
    return candidate.fit.value.replace("_", " ")


def _sources(every: Sequence[Advised]) -> list[str]:
    """Return where figures and rules come from, each source once."""
    rules = dict.fromkeys(rule.source for each in every for rule in each.rules if rule.source.startswith("http"))
    return [*_source_lines([each.candidate for each in every]), *(f"rule: {source}" for source in rules)]


def _source_lines(candidates: Sequence[Candidate]) -> list[str]:
    """Return on what figures were measured and where they stand, each source once."""
    lines: list[str] = []
    for candidate in candidates:
        quality = candidate.quality
        if quality.source is not None:
            lines.append(f"° {quality.words}: {quality.source.line}")
        lines += [f"{figure.setting.words}: {figure.source.line}" for figure in quality.cited]
    busy = [candidate.speed.note for candidate in candidates if candidate.speed.note and candidate.speed.rate]
    return ["", *dict.fromkeys(lines), *dict.fromkeys(f"rates: {note}" for note in busy)]
