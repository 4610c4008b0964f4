"""`search` and `quants`: repositories on the Hub, and what is in one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field

from qtui.cli.hub_tables import quants_lines, search_table
from qtui.cli.running import Context
from qtui.cli.variants import tell_waiting
from qtui.core.errors import QtuiError, UsageError
from qtui.core.hub.address import parse_repository
from qtui.core.hub.choice import Nearest, largest_that_fits, nearest
from qtui.core.hub.events import FilesSeen, Listed, ReadingEnded, ReadingEvent, RowChanged, RowWeighed, Waiting
from qtui.core.hub.kinds import Format, Kind, kind_of, origin_of
from qtui.core.hub.listing import Listing
from qtui.core.hub.ports import Hub
from qtui.core.hub.query import Query, ResultPage, Sort, parse_parameters
from qtui.core.hub.reading import list_repository, read_repository
from qtui.core.hub.report import quants_report, search_report
from qtui.core.hub.repository import Repository
from qtui.core.hub.searching import same_model
from qtui.core.hub.searching import search as run_search
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Guard, Weighing


async def search(context: Context) -> int:
    """List the repositories that a search finds."""
    options, console, hub = context.options, context.console, _hub(context)
    low, high = parse_parameters(options.parameters) if options.parameters else (None, None)
    query = Query(
        text=" ".join(options.text), author=options.author, architecture=options.architecture, licence=options.licence,
        least_parameters=low, most_parameters=high, sort=Sort(options.sort), gguf_only=not options.any,
    )  # fmt: skip
    found: list[Repository] = []
    following: str = options.page
    console.progress(f"asking {hub.endpoint}")
    while True:
        async for event in run_search(hub, query, following):
            if isinstance(event, ResultPage):
                found += event.repositories
                following = event.next
                console.progress(f"{len(found)} found")
            else:
                tell_waiting(context, event)
        if not following or len(found) >= options.limit:
            break
    console.end_progress()
    shown = found[: options.limit]
    console.json(search_report(query, shown, following))
    if not shown:
        console.note(f"nothing found on {hub.endpoint}")
        return 0
    for line in search_table(shown).lines(console.width):
        console.print(line)
    return 0


@dataclass(slots=True)
class _Reading:
    """What was told of a repository so far."""

    listing: Listing | None = None
    weighings: dict[str, Weighing] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def take(self, event: ReadingEvent) -> None:
        """Keep what an event tells."""
        if isinstance(event, Listed | ReadingEnded):
            self.listing = event.listing
        elif isinstance(event, RowChanged) and self.listing is not None:
            self.listing = self.listing.with_row(event.row)
            if event.failure is not None:
                self.problems.append(event.failure.message)
        elif isinstance(event, RowWeighed):
            self.weighings[event.row.key] = event.weighing


async def quants(context: Context) -> int:
    """List the variants of a repository, weighed under the plan."""
    options, console, services = context.options, context.console, context.services
    hub = _hub(context)
    context.plan()  # what is wrong with the options is said before anything is asked
    name = parse_repository(options.repository)
    if name is None:
        raise UsageError("this is not the name of a repository", "qtui quants OWNER/NAME; qtui search TEXT finds them")
    guard = await services.guard_of(options.ram, options.vram)
    reading = _Reading()
    console.progress(f"asking {hub.endpoint}")
    here = [variant async for variant in services.library.scan()]
    async for event in _events(context, hub, name, here, guard):
        reading.take(event)
        _progress(context, event)
    console.end_progress()
    listing = reading.listing
    assert listing is not None, "the run lists or raises"
    kind, alternatives = await _without_gguf(context, hub, listing)
    suggested = largest_that_fits(listing.rows, reading.weighings)
    near = None if suggested else await nearest(guard, listing.rows, reading.weighings)
    simulated = options.ram is not None or options.vram is not None
    console.json(
        quants_report(listing, reading.weighings, suggested, kind, alternatives)
        | _more(near)
        | {"simulated": simulated}
    )
    for line in quants_lines(listing, reading.weighings, suggested, near, console.width):
        console.print(line)
    if kind is not None:
        console.print(kind.sentence)
        if alternatives:
            console.print("GGUF repositories of this model:")
        for line in search_table(alternatives).lines(console.width) if alternatives else ():
            console.print(line)
    for problem in dict.fromkeys(reading.problems):
        console.note(f"note: {problem}")
    return 0


async def _events(
    context: Context, hub: Hub, name: str, here: Sequence[Variant], guard: Guard
) -> AsyncGenerator[ReadingEvent, None]:
    """Yield the events of the reading that the options ask for."""
    if context.options.names:
        async for found in list_repository(hub, name, here):
            yield found
        return
    plan = context.plan()
    run = read_repository(hub, context.services.library, name, here=here, guard=guard, plan=lambda _variant: plan)
    async with contextlib.aclosing(run) as events:
        async for event in events:
            yield event


def _progress(context: Context, event: ReadingEvent) -> None:
    console = context.console
    if isinstance(event, Waiting):
        tell_waiting(context, event)
    elif isinstance(event, FilesSeen):
        console.progress(f"{event.count} files")
    elif isinstance(event, RowChanged):
        console.progress(f"header {event.done} of {event.total}: {event.row.variant.title}")
    elif isinstance(event, RowWeighed) and event.exact:
        console.progress(f"weighing {event.row.variant.title}")


async def _without_gguf(context: Context, hub: Hub, listing: Listing) -> tuple[Kind | None, tuple[Repository, ...]]:
    """Return what a repository is that holds no GGUF file, and repositories of the same model that do."""
    if listing.all:
        return None, ()
    kind = kind_of(listing.repository, listing.names)
    if kind.format is Format.GGUF:
        return None, ()
    found: tuple[Repository, ...] = ()
    try:
        async for event in same_model(hub, origin_of(listing.repository, kind)):
            if isinstance(event, ResultPage):
                found = event.repositories
            else:
                tell_waiting(context, event)
    except QtuiError as error:
        context.console.note(f"note: {error.message}")
    return kind, found


def _more(near: Nearest | None) -> dict[str, object]:
    return {} if near is None else {"nearest": {"file": near.row.key, "ctx_size": near.context}}


def _hub(context: Context) -> Hub:
    if context.services.hub is None:
        raise UsageError("there is no Hub to ask here")
    return context.services.hub
