"""The run that searches: pages of repositories, and the GGUF repositories of a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from qtui.core.hub.events import Waiting
from qtui.core.hub.ports import Hub
from qtui.core.hub.query import Query, ResultPage, Sort
from qtui.core.hub.repository import Repository

MOST_PAGES = 10
"""Pages of the Hub that one page of ours is sifted from, where the Hub cannot search for what is wanted."""
ALTERNATIVES = 8


async def search(hub: Hub, query: Query, page: str = "") -> AsyncGenerator[Waiting | ResultPage, None]:
    """Search: yields a ResultPage, empty or not, as soon as each page of the Hub is there.

    An architecture is sifted out of what comes, since the Hub does not search for it: up to `MOST_PAGES` pages of the
    Hub are looked through until one holds some. The last one's `next` goes on.

    Raises:
        UsageError: the query cannot be asked.
        HubError: the Hub does not answer.
    """
    query.check()
    for _ in range(MOST_PAGES):
        found: ResultPage | None = None
        async for event in hub.search(query, page):
            if isinstance(event, Waiting):
                yield event
            else:
                found = event
        assert found is not None, "the port ends with a page or raises"
        kept = tuple(each for each in found.repositories if _wanted(each, query))
        yield replace(found, repositories=kept)
        page = found.next
        if kept or not page:
            return


async def same_model(hub: Hub, model: str) -> AsyncGenerator[Waiting | ResultPage, None]:
    """Look for the GGUF repositories of a model; ends with one page of the most downloaded."""
    async for event in hub.search(Query(base_model=model, sort=Sort.DOWNLOADS)):
        if isinstance(event, ResultPage):
            yield replace(event, repositories=event.repositories[:ALTERNATIVES], next="")
        else:
            yield event


def _wanted(repository: Repository, query: Query) -> bool:
    wanted = query.architecture.casefold()
    return not wanted or repository.architecture.casefold() == wanted
