"""The runs over the Hub: what they ask, in which order, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from qtui.core.errors import AccessError, BadFileError, HubError, NotOnHubError, UsageError
from qtui.core.hub.address import Address
from qtui.core.hub.choice import largest_that_fits, nearest
from qtui.core.hub.events import (
    FilesSeen,
    Listed,
    ReadingEnded,
    RepositoryFound,
    RowChanged,
    RowWeighed,
    Waiting,
)
from qtui.core.hub.finding import Found, find_variant
from qtui.core.hub.query import Query, ResultPage
from qtui.core.hub.reading import AT_ONCE, read_repository
from qtui.core.hub.report import quants_report, search_report
from qtui.core.hub.repository import Repository
from qtui.core.hub.searching import ALTERNATIVES, MOST_PAGES, same_model, search
from qtui.core.library.record import FileRecord
from qtui.core.library.variant import Role
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.text import GIB
from tests.fake_hub import FakeHub, make_file
from tests.fakes import FakeDryRun, FakeLibrary, FakeMachine, ScriptedEngine

WAIT = Waiting("busy", 5.0, limited=True)
NAME = "acme/Model-GGUF"


async def all_of(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


def guard() -> Guard:
    return Guard(Footprints(FakeDryRun()), FakeMachine(), ScriptedEngine())


def shelf(hub: FakeHub, *labels: str, **fields: object) -> Repository:
    files = [make_file(f"Model-{label}.gguf", (len(labels) - n) * GIB, number=n) for n, label in enumerate(labels)]
    return hub.put(NAME, *files, make_file("README.md", 3, number=99), **fields)


async def test_a_repository_is_read_in_order() -> None:
    hub = FakeHub(waitings=[WAIT])
    shelf(hub, "BF16", "Q8_0", "Q4_K_M")
    events = await all_of(read_repository(hub, FakeLibrary(), NAME, guard=guard()))
    kinds = [type(event) for event in events]
    assert kinds[:5] == [Waiting, RepositoryFound, FilesSeen, FilesSeen, Listed]
    assert [kind for kind in kinds[5:-1] if kind is not RowWeighed] == [RowChanged] * 3
    assert [event.exact for event in events if isinstance(event, RowWeighed)] == [False] * 3 + [True] * 3
    ended = events[-1]
    assert isinstance(ended, ReadingEnded) and ended.fetched == 3000
    assert [row.header_read for row in ended.listing.rows] == [True] * 3
    assert next(path for what, path in hub.journal if what == "header") == "Model-Q8_0.gguf", "a quantised one first"
    weighed = [event.row.variant.path for event in events if isinstance(event, RowWeighed) and event.exact]
    assert weighed == [row.variant.path for row in ended.listing.rows]


async def test_headers_are_read_some_at_once_after_the_first() -> None:
    hub = FakeHub()
    shelf(hub, *(f"Q{n % 7 + 2}_K_{s}" for n, s in enumerate("SMLSMLSMLSML")))
    await all_of(read_repository(hub, FakeLibrary(), NAME))
    assert hub.most == AT_ONCE and hub.reading == 0


async def test_what_has_no_header_is_not_read() -> None:
    hub = FakeHub()
    hub.put(
        NAME, make_file("a-Q4_0.gguf"), make_file("b-Q8_0.gguf.part1of2"), make_file("imatrix.dat"),
        make_file("mmproj-F16.gguf"),
    )  # fmt: skip
    await all_of(read_repository(hub, FakeLibrary(), NAME))
    assert sorted(path for what, path in hub.journal if what == "header") == ["a-Q4_0.gguf", "mmproj-F16.gguf"]


async def test_one_damaged_file_is_one_rows_problem() -> None:
    hub = FakeHub()
    shelf(hub, "Q8_0", "Q6_K", "Q4_0")
    hub.records["Model-Q6_K.gguf"] = BadFileError("Model-Q6_K.gguf: not a GGUF file", "fetch it again")
    events = await all_of(read_repository(hub, FakeLibrary(), NAME, guard=guard()))
    failed = [event for event in events if isinstance(event, RowChanged) and event.failure]
    assert [event.row.key for event in failed] == ["Model-Q6_K.gguf"] and "not a GGUF" in failed[0].row.problem
    listing = events[-1].listing
    assert [row.header_read for row in listing.rows] == [True, False, True]
    assert sum(isinstance(event, RowWeighed) and event.exact for event in events) == 2


async def test_no_access_is_said_once_and_nothing_more_is_asked() -> None:
    hub = FakeHub()
    shelf(hub, *(f"Q{n}_K" for n in range(2, 9)))
    for number in range(2, 9):
        hub.records[f"Model-Q{number}_K.gguf"] = AccessError("gated", "accept its terms")
    events = await all_of(read_repository(hub, FakeLibrary(), NAME, guard=guard()))
    assert sum(isinstance(event, RowChanged) for event in events) == 1
    assert isinstance(events[-1], ReadingEnded)


async def test_a_repository_that_is_not_there() -> None:
    with pytest.raises(NotOnHubError):
        await all_of(read_repository(FakeHub(), FakeLibrary(), NAME))


async def test_closing_the_run_ends_what_it_asks() -> None:
    hub = FakeHub(hold=asyncio.Event())
    shelf(hub, "Q8_0", "Q4_0")
    run = read_repository(hub, FakeLibrary(), NAME)
    async for event in run:
        if isinstance(event, Listed):
            break
    step = asyncio.ensure_future(anext(run))
    while not hub.reading:
        await asyncio.sleep(0)
    step.cancel()
    with pytest.raises(asyncio.CancelledError):
        await step
    await run.aclose()
    assert hub.reading == 0
    assert len([task for task in asyncio.all_tasks() if not task.done()]) == 1


async def test_shards_are_read_all_and_their_flags_come_along() -> None:
    hub = FakeHub()
    hub.put(NAME, *(make_file(f"M-Q8_0-0000{n}-of-00002.gguf", number=n) for n in (1, 2)))
    for number in (1, 2):
        hub.records[f"M-Q8_0-0000{number}-of-00002.gguf"] = FileRecord(
            "llama" if number == 1 else "", "M", "Q8_0", Role.MODEL, 10, 20, shard_count=2
        )
    events = await all_of(read_repository(hub, FakeLibrary(), NAME))
    (row,) = events[-1].listing.rows
    assert (row.variant.parameters, row.variant.bits_per_weight, row.variant.loadable) == (20, 16.0, True)
    assert events[-1].fetched == 2000


# Finding one


@pytest.mark.parametrize(
    ("address", "key"),
    [
        (Address(NAME, quant="q8_0"), "Model-Q8_0.gguf"),
        (Address(NAME, quant="UD-Q4_K_XL"), "Model-UD-Q4_K_XL.gguf"),
        (Address(NAME, quant="Q4_K_XL"), "Model-UD-Q4_K_XL.gguf"),
        (Address(NAME, file="model-q8_0.GGUF"), "Model-Q8_0.gguf"),
    ],
)
async def test_one_variant_is_found_and_only_its_header_read(address: Address, key: str) -> None:
    hub = FakeHub()
    shelf(hub, "Q8_0", "UD-Q4_K_XL", "Q2_K")
    found = (await all_of(find_variant(hub, FakeLibrary(), address)))[-1]
    assert isinstance(found, Found) and found.row.key == key and found.row.header_read
    assert [path for what, path in hub.journal if what == "header"] == [key]


async def test_names_that_fit_nothing_say_what_there_is() -> None:
    hub = FakeHub()
    shelf(hub, "Q8_0", "Q2_K")
    for address in (Address(NAME, quant="Q9_9"), Address(NAME, file="x.gguf")):
        with pytest.raises(UsageError) as caught:
            await all_of(find_variant(hub, FakeLibrary(), address))
        assert caught.value.hint == "It holds: Q8_0, Q2_K."


async def test_a_label_that_two_files_have() -> None:
    hub = FakeHub()
    hub.put(NAME, make_file("a/M-Q4_0.gguf", number=1), make_file("b/M-Q4_0.gguf", number=2))
    with pytest.raises(UsageError, match="2 files") as caught:
        await all_of(find_variant(hub, FakeLibrary(), Address(NAME, quant="Q4_0")))
    assert f"{NAME}/a/M-Q4_0.gguf" in caught.value.hint


async def test_a_failing_header_is_the_error_that_it_was() -> None:
    hub = FakeHub()
    shelf(hub, "Q8_0")
    for error in (AccessError("gated", "accept"), BadFileError("damaged", "again"), HubError("odd")):
        hub.records["Model-Q8_0.gguf"] = error
        with pytest.raises(type(error)) as caught:
            await all_of(find_variant(hub, FakeLibrary(), Address(NAME, quant="Q8_0")))
        assert error.message in caught.value.message and caught.value.hint == error.hint


async def test_raw_parts_have_no_header_to_read() -> None:
    hub = FakeHub()
    hub.put(NAME, make_file("M-Q8_0.gguf.part1of2"))
    with pytest.raises(BadFileError, match="joining"):
        await all_of(find_variant(hub, FakeLibrary(), Address(NAME, quant="Q8_0")))


# Searching


def page(number: int, *architectures: str, last: bool = False) -> ResultPage:
    found = tuple(Repository(f"acme/M{number}-{n}", architecture=name) for n, name in enumerate(architectures))
    return ResultPage(found, "" if last else str(number + 1))


async def test_an_architecture_is_sifted_out_of_several_pages() -> None:
    hub = FakeHub(pages=[page(0, "llama"), page(1, "llama", "qwen3"), page(2, "qwen3", last=True)], waitings=[WAIT])
    events = await all_of(search(hub, Query(architecture="Qwen3")))
    assert events[0] == WAIT
    assert [[each.id for each in event.repositories] for event in events[1:]] == [[], ["acme/M1-1"]]
    following = await all_of(search(hub, Query(architecture="qwen3"), events[-1].next))
    assert [each.id for each in following[-1].repositories] == ["acme/M2-0"] and not following[-1].next


async def test_sifting_has_an_end() -> None:
    hub = FakeHub(pages=[page(number, "llama") for number in range(40)])
    events = await all_of(search(hub, Query(architecture="nothing")))
    assert len(events) == MOST_PAGES and events[-1].next == str(MOST_PAGES)


async def test_repositories_of_the_same_model() -> None:
    hub = FakeHub(pages=[page(0, *["llama"] * 20)])
    (found,) = await all_of(same_model(hub, "acme/Model"))
    assert len(found.repositories) == ALTERNATIVES and not found.next


# Choosing, and telling


async def weighed(free: int, *labels: str) -> tuple[ReadingEnded, dict[str, Weighing], Guard]:
    hub = FakeHub()
    shelf(hub, *labels)
    machine = FakeMachine()
    machine.set(available=free)
    weigher = Guard(Footprints(FakeDryRun()), machine, ScriptedEngine())
    events = await all_of(read_repository(hub, FakeLibrary(), NAME, guard=weigher))
    return events[-1], {event.row.key: event.weighing for event in events if isinstance(event, RowWeighed)}, weigher


async def test_the_largest_that_fits() -> None:
    ended, weighings, weigher = await weighed(400 * GIB, "Q8_0", "Q6_K", "Q4_0")
    best = largest_that_fits(ended.listing.rows, weighings)
    assert best is not None and best.variant.quant == "Q8_0"
    ended, weighings, weigher = await weighed(0, "Q8_0", "Q6_K", "Q4_0")
    assert largest_that_fits(ended.listing.rows, weighings) is None
    assert await nearest(weigher, ended.listing.rows, weighings) is None, "there is no closed form to search with"
    assert largest_that_fits(ended.listing.rows, {}) is None


async def test_the_report_has_every_key() -> None:
    ended, weighings, _ = await weighed(400 * GIB, "Q8_0", "Q4_0")
    body = quants_report(ended.listing, weighings, ended.listing.rows[0])
    assert body["repo"] == NAME and body["commit"] == "c" * 40 and body["suggested"] == "Model-Q8_0.gguf"
    row = body["variants"][0]
    assert set(row) >= {"file", "shards", "quant", "role", "size", "sha256", "date", "status", "footprint"}
    assert set(row["footprint"]) >= {"total", "verdict", "short_by", "origin"} and row["status"] == "remote"
    assert row["footprint"]["origin"] == "dry-run" and row["file"] == "Model-Q8_0.gguf"
    found = search_report(Query("x"), [Repository(NAME)], "")
    assert found["next"] is None and found["repositories"][0]["parameters"] is None
