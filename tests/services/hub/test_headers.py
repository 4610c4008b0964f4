"""Headers before the download: how few bytes they take, and that none is believed that is not the file's."""

from __future__ import annotations

import random
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import AccessError, BadFileError, HubError, QtuiError
from qtui.core.gguf.reader import read_header
from qtui.core.hub.events import HeaderRead, Waiting
from qtui.core.hub.repository import Repository as Found
from qtui.core.hub.repository import RepositoryFile
from qtui.services.hub.headers import FIRST, SMALL, STEP
from qtui.services.library.source import FileSource
from tests.builders.gguf import Tensor, build, tiny_model
from tests.builders.mutations import base, mutate
from tests.hub.content import Bytes, Content, Sparse
from tests.hub.faults import Fault, Kind, rate_limited
from tests.hub.model_repository import RECIPES, ModelRepository, Shape, model_repository
from tests.hub.repository import Repository
from tests.hub.server import LocalHub
from tests.services.hub.conftest import Client

LARGE = Shape(vocabulary=151_936, layers=36)
MIDDLE = Shape(vocabulary=20_000, layers=8)


@pytest.fixture(scope="module")
def large() -> ModelRepository:
    """Twenty quants with a tokenizer of the size that models have."""
    return model_repository(shape=LARGE)


@pytest.fixture(scope="module")
def middle() -> ModelRepository:
    """A smaller one, whose headers take a megabyte."""
    return model_repository(shape=MIDDLE, recipes=RECIPES[1:6])


class Reading:
    """Reads headers of one repository."""

    def __init__(self, client: Client, server: LocalHub, repository: Found, files: dict[str, RepositoryFile]) -> None:
        self.client, self.server, self.repository, self.files = client, server, repository, files

    async def __call__(self, path: str) -> HeaderRead:
        events = self.client.hub.header(self.repository, self.files[path])
        last = await self.client.last(_read_or_waiting(events))
        assert isinstance(last, HeaderRead)
        return last


async def _read_or_waiting(events: AsyncIterator[object]) -> AsyncIterator[Waiting | HeaderRead]:
    async for event in events:
        if isinstance(event, Waiting | HeaderRead):
            yield event


async def reading(server: LocalHub, client: Client, repository: Repository) -> Reading:
    server.add(repository)
    found, files = await client.files(repository.id)
    server.clear()
    return Reading(client, server, found, files)


async def one(server: LocalHub, client: Client, content: Content, path: str = "a-Q4_0.gguf") -> Reading:
    repository = Repository("acme/One")
    repository.commit({path: content})
    return await reading(server, client, repository)


def same_header(path: Path, content: Content) -> bool:
    """Tell whether a kept header is that of the file, byte for byte, and stands for its size."""
    table_end = read_header(content, check_data=False).table_end
    with FileSource(path) as kept:
        return kept.size == content.size and kept.read(0, table_end) == content.read(0, table_end)


async def test_a_whole_repository_costs_little_more_than_one_header(
    server: LocalHub, client: Client, large: ModelRepository
) -> None:
    read = await reading(server, client, large.repository)
    order = sorted(large.headers, key=lambda path: ("Q8_0" not in path, path))
    fetched = [(await read(path)).fetched for path in order]
    largest, total = max(large.headers.values()), sum(large.headers.values())
    assert largest > 5 << 20 and total > 19 * largest
    assert sum(fetched) == server.sent("cdn") <= 1.5 * largest
    for path in order:
        assert same_header(client.store.path(read.files[path]), large.files[path]), path
    heads = server.requests("hub", "HEAD")
    assert len(heads) == len(order), "each redirect is resolved once"


async def test_a_header_is_read_once_for_ever(server: LocalHub, client: Client, middle: ModelRepository) -> None:
    read = await reading(server, client, middle.repository)
    first = await read(middle.path("Q4_K_M"))
    server.clear()
    again = await read(middle.path("Q4_K_M"))
    assert first.fetched > 0 == again.fetched and again.record == first.record and server.requests() == []
    repository = Repository("other/Same")
    repository.commit({"renamed.gguf": middle.files[middle.path("Q4_K_M")]})
    elsewhere = await reading(server, client, repository)
    assert (await elsewhere("renamed.gguf")).fetched == 0, "the same bytes under another name"


async def test_a_kept_header_that_was_damaged_is_fetched_anew(
    server: LocalHub, client: Client, middle: ModelRepository
) -> None:
    read = await reading(server, client, middle.repository)
    path = (await read(middle.path("Q4_K_M"))).path
    with path.open("r+b") as kept:
        kept.write(bytes(100))
    assert (await read(middle.path("Q4_K_M"))).fetched > 0


@pytest.mark.parametrize("vocabulary", [200, 9_000, 40_000])
async def test_what_is_fetched_too_much_has_a_bound(server: LocalHub, client: Client, vocabulary: int) -> None:
    made = model_repository(shape=Shape(vocabulary=vocabulary), recipes=RECIPES[5:6])
    read = await reading(server, client, made.repository)
    path = made.path("Q4_K_M")
    fetched, needed = (await read(path)).fetched, made.headers[path]
    assert needed <= fetched <= max(FIRST, needed + max(STEP, needed // 8))


async def test_small_headers_take_small_requests_once_one_is_known(server: LocalHub, client: Client) -> None:
    made = model_repository(shape=Shape(vocabulary=600, layers=2), recipes=RECIPES[1:])
    read = await reading(server, client, made.repository)
    fetched = [(await read(made.path(recipe.label))).fetched for recipe in RECIPES[1:]]
    assert fetched[0] == FIRST and set(fetched[1:]) == {SMALL}


async def test_shards_and_projectors_take_a_small_request(
    server: LocalHub, client: Client, large: ModelRepository
) -> None:
    read = await reading(server, client, large.repository)
    second = next(path for path in large.files if "00002-of-00002" in path)
    assert (await read(second)).fetched == SMALL and (await read("mmproj-F16.gguf")).fetched == SMALL
    assert (await read(second)).record.shard_count == 2


async def test_a_sibling_whose_tokenizer_differs_is_read_whole(
    server: LocalHub, client: Client, middle: ModelRepository
) -> None:
    other = model_repository(shape=replace(MIDDLE, vocabulary=20_001), recipes=RECIPES[5:6])
    swapped = _with_swapped_tokens(middle.files[middle.path("Q4_K_M")])
    middle_repository = Repository("acme/Mixed")
    middle_repository.commit(
        {**middle.files, "other/a-Q4_K_M.gguf": other.files[other.path("Q4_K_M")], "b/b-Q4_K_M.gguf": swapped}
    )
    read = await reading(server, client, middle_repository)
    await read(middle.path("Q5_K_M"))
    for path in ("other/a-Q4_K_M.gguf", "b/b-Q4_K_M.gguf"):
        found = await read(path)
        assert found.fetched > middle.headers[middle.path("Q4_K_M")] // 2
        assert same_header(found.path, middle_repository.head.files[path])


def _with_swapped_tokens(content: Content) -> Sparse:
    """Return a file whose tokenizer begins with other tokens of the same length."""
    assert isinstance(content, Sparse)
    pieces = []
    for offset, piece in content.pieces:
        at = piece.find("\u0120w1e".encode())
        pieces.append((offset, piece[:at] + "\u0120x1e".encode() + piece[at + 5 :] if at >= 0 else piece))
    return Sparse(content.size, pieces)


@pytest.mark.parametrize("kind", [Kind.CUT, Kind.RESET])
async def test_cut_transfers_go_on_where_they_ended(
    server: LocalHub, client: Client, middle: ModelRepository, kind: Kind
) -> None:
    read = await reading(server, client, middle.repository)
    path = middle.path("Q4_K_M")
    server.fault(Fault(kind, at=300_000), Fault(kind, at=600_000), Fault(kind, at=600_001))
    found = await read(path)
    assert same_header(found.path, middle.files[path])
    if kind is Kind.CUT:
        assert [record.range[0] for record in server.requests("cdn") if record.range][:3] == [0, 300_000, 600_000]


async def test_a_cdn_that_fails_for_a_while(server: LocalHub, client: Client, middle: ModelRepository) -> None:
    read = await reading(server, client, middle.repository)
    server.fault(Fault(Kind.STATUS, port="cdn", status=503, times=2), Fault(Kind.STATUS, port="hub", method="HEAD"))
    assert (await read(middle.path("Q4_K_M"))).fetched > 0
    server.fault(Fault(Kind.STATUS, port="cdn", status=503, times=-1))
    with pytest.raises(HubError, match="status 503"):
        await read(middle.path("Q5_K_M"))


async def test_rate_limits_while_headers_are_read_are_told(
    server: LocalHub, client: Client, middle: ModelRepository
) -> None:
    read = await reading(server, client, middle.repository)
    server.fault(rate_limited("*/resolve/*", wait_s=20))
    await read(middle.path("Q4_K_M"))
    assert [waiting.seconds for waiting in client.waitings if waiting.limited] == [21.0]


async def test_an_address_that_runs_out_is_asked_for_anew(
    server: LocalHub, client: Client, middle: ModelRepository
) -> None:
    read = await reading(server, client, middle.repository)
    server.fault(Fault(Kind.EXPIRED))
    await read(middle.path("Q4_K_M"))
    assert len(server.requests("hub", "HEAD")) == 2
    server.fault(Fault(Kind.EXPIRED, times=-1))
    with pytest.raises(HubError, match="refused"):
        await read(middle.path("Q5_K_M"))


async def test_a_server_that_ignores_ranges_is_cut_off(
    server: LocalHub, client: Client, large: ModelRepository
) -> None:
    read = await reading(server, client, large.repository)
    server.fault(Fault(Kind.IGNORE_RANGE, times=-1))
    path = large.path("Q4_K_M")
    found = await read(path)
    assert same_header(found.path, large.files[path])
    assert found.fetched < large.headers[path] * 1.25
    # What the network had taken already was sent too; never more of the 5 GB than buffers hold.
    assert server.sent("cdn") < 64 << 20


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(Kind.WRONG_RANGE, times=-1), "another part of the file"),
        (Fault(Kind.SHORT, at=1000, times=-1), "another part of the file"),
        (Fault(Kind.PORTAL, port="cdn", times=-1), "not a GGUF file"),
        (Fault(Kind.PORTAL, "*/resolve/*", port="hub", times=-1), "no Hub"),
        (Fault(Kind.NO_COMMIT, "*/resolve/*", times=-1), "no Hub"),
        (Fault(Kind.CORRUPT, at=2, times=-1), "not a GGUF file"),
        (Fault(Kind.CORRUPT, at=15, times=-1), "tensors are claimed"),
        (Fault(Kind.STATUS, port="cdn", status=404, times=-1), "refused"),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
async def test_answers_that_are_not_the_file(
    server: LocalHub, client: Client, middle: ModelRepository, fault: Fault, message: str
) -> None:
    read = await reading(server, client, middle.repository)
    fresh = replace(fault, happened=0)
    server.fault(fresh)
    path = middle.path("Q4_K_M")
    with pytest.raises(QtuiError, match=message):
        await read(path)
    assert not client.store.path(read.files[path]).exists(), "nothing is kept of it"
    server.faults.clear()
    assert same_header((await read(path)).path, middle.files[path])


async def test_more_bytes_than_promised_are_not_taken(
    server: LocalHub, client: Client, middle: ModelRepository
) -> None:
    read = await reading(server, client, middle.repository)
    server.fault(Fault(Kind.EXTRA, port="cdn", times=-1))
    path = middle.path("Q4_K_M")
    assert same_header((await read(path)).path, middle.files[path])


async def test_a_file_that_is_another_one_by_now(server: LocalHub, client: Client, middle: ModelRepository) -> None:
    read = await reading(server, client, middle.repository)
    path = middle.path("Q4_K_M")
    read.files[path] = replace(read.files[path], sha256="0" * 64)
    with pytest.raises(HubError, match="another file on the Hub now"):
        await read(path)
    assert server.requests("cdn") == []


async def test_access_that_is_lost_meanwhile(server: LocalHub, client: Client, middle: ModelRepository) -> None:
    repository = Repository("acme/Gate")
    repository.commit(middle.files)
    read = await reading(server, client, repository)
    repository.gated = "auto"
    with pytest.raises(AccessError):
        await read(middle.path("Q4_K_M"))


# Headers that lie


async def test_a_header_that_promises_more_than_the_file_has(server: LocalHub, client: Client) -> None:
    image = build({"general.architecture": "llama"}, [Tensor("token_embd.weight", (4096, 1000))])
    read = await one(server, client, Sparse(image.size - 1000, ((0, image.header),)))
    found = await read("a-Q4_0.gguf")
    assert "truncated: 1000 of" in found.record.problem


async def test_a_file_that_is_longer_than_its_header_tells(server: LocalHub, client: Client) -> None:
    image = build({"general.architecture": "llama"}, [Tensor("token_embd.weight", (4096, 1000))])
    found = await (await one(server, client, Sparse(image.size + (5 << 20), ((0, image.header),))))("a-Q4_0.gguf")
    assert "5.00 MiB longer than its tensors" in found.note


@pytest.mark.parametrize(
    "data",
    [
        b"", b"GGUF", b"GGU", b"<html>" * 100, bytes(100),
        b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 1),
        b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 60),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1 << 62) + bytes(100),
        b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 8, 1 << 40) + bytes(1000),
    ],
    ids=range(9),
)  # fmt: skip
async def test_hostile_headers_end_in_one_error(server: LocalHub, client: Client, data: bytes) -> None:
    read = await one(server, client, Bytes(data))
    with pytest.raises(BadFileError, match=r"a-Q4_0\.gguf"):
        await read("a-Q4_0.gguf")


async def test_a_header_without_end_is_given_up(
    server: LocalHub, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qtui.core.gguf.cursor.MAX_HEADER", 3 << 20)
    monkeypatch.setattr("qtui.services.hub.headers.MAX_HEADER", 3 << 20)
    endless = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 8, 1 << 30)
    read = await one(server, client, Sparse(1 << 40, ((0, endless),)))
    with pytest.raises(BadFileError):
        await read("a-Q4_0.gguf")
    assert server.sent("cdn") <= 4 << 20


@pytest.mark.parametrize("seed", range(30))
async def test_damaged_headers_are_read_or_refused(server: LocalHub, client: Client, seed: int) -> None:
    tiny = tiny_model().bytes()
    data = mutate([base("tiny", tiny, len(tiny))], random.Random(seed)).content
    read = await one(server, client, Bytes(data))
    try:
        found = await read("a-Q4_0.gguf")
    except BadFileError:
        return
    assert same_header(found.path, Bytes(data))
