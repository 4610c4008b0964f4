"""Search, repositories, files and cards, as the Hub tells of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.errors import HubError, NotOnHubError, UsageError
from qtui.core.hub.query import Query, Sort
from qtui.core.hub.repository import Access
from qtui.services.hub.hub import FRESH_S, HuggingFaceHub
from tests.hub.content import Bytes, Sparse
from tests.hub.faults import Fault, Kind
from tests.hub.repository import BEGIN, Repository
from tests.hub.server import LocalHub
from tests.services.hub.conftest import Client


def shelf(server: LocalHub, count: int) -> None:
    for number in range(count):
        repository = Repository(
            f"acme/Model-{number:02d}-GGUF", downloads=100 - number, likes=number, trending=number % 7,
            licence="mit" if number % 2 else "apache-2.0", base_model="acme/Model",
            gguf={"total": number * 10**9, "architecture": "llama", "context_length": 4096},
        )  # fmt: skip
        repository.commit({"a.gguf": b"GGUF"})
        server.add(repository)
    server.add(Repository("acme/Model-plain")).commit({"a.safetensors": b""})


async def test_a_page_tells_what_a_row_shows(server: LocalHub, client: Client) -> None:
    shelf(server, 3)
    page = await client.last(client.hub.search(Query("model 02", sort=Sort.DOWNLOADS)))
    (found,) = page.repositories
    assert (found.id, found.downloads, found.likes, found.licence) == ("acme/Model-02-GGUF", 98, 2, "apache-2.0")
    assert (found.architecture, found.parameters, found.context_length) == ("llama", 2 * 10**9, 4096)
    assert (found.access, found.base_models, found.gguf) == (Access.OPEN, ("acme/Model",), True)
    assert found.updated == found.created and found.updated is not None and found.updated > BEGIN.timestamp()
    (asked,) = server.requests("hub")
    assert "siblings" not in asked.target, "names of files are not asked for with every key that is typed"


async def test_pages_follow_one_another(server: LocalHub, client: Client) -> None:
    shelf(server, 45)
    names: list[str] = []
    following, pages = "", 0
    while True:
        page = await client.last(client.hub.search(Query(sort=Sort.DOWNLOADS), following))
        names += [repository.id for repository in page.repositories]
        following, pages = page.next, pages + 1
        if not following:
            break
    assert pages == 3 and names == [f"acme/Model-{number:02d}-GGUF" for number in range(45)]


@pytest.mark.parametrize(
    ("query", "count"),
    [
        (Query(licence="mit"), 5),
        (Query(author="acme"), 10),
        (Query(author="other"), 0),
        (Query(least_parameters=3 * 10**9, most_parameters=5 * 10**9), 3),
        (Query(least_parameters=500_000_000, most_parameters=1_500_000_000), 1),
        (Query("model", gguf_only=False), 11),
        (Query(base_model="acme/Model"), 10),
        (Query(base_model="acme/Other"), 0),
    ],
)
async def test_what_narrows_a_search(server: LocalHub, client: Client, query: Query, count: int) -> None:
    shelf(server, 10)
    assert len((await client.last(client.hub.search(query))).repositories) == count


@pytest.mark.parametrize("sort", list(Sort))
async def test_every_order_is_one_that_the_hub_knows(server: LocalHub, client: Client, sort: Sort) -> None:
    shelf(server, 4)
    assert len((await client.last(client.hub.search(Query(sort=sort)))).repositories) == 4


async def test_pages_are_shown_again_for_a_while(server: LocalHub, tmp_path: Path) -> None:
    shelf(server, 2)
    now = 0.0
    hub = HuggingFaceHub(now=lambda: now)
    cached = []
    for now in (0.0, FRESH_S - 1, FRESH_S + 1):  # noqa: B007  the clock
        async for page in hub.search(Query("model")):
            cached.append(getattr(page, "cached", None))
    assert cached == [False, True, False] and len(server.requests("hub")) == 2
    await hub.close()


async def test_a_query_that_cannot_be_asked(client: Client) -> None:
    with pytest.raises(UsageError):
        await client.last(client.hub.search(Query(author="a/b?c=d&e")))


async def test_a_mirror_hands_on_the_hubs_own_links(server: LocalHub, client: Client) -> None:
    shelf(server, 3)
    server.page = 2
    page = await client.last(client.hub.search(Query("model")))
    server.endpoint, own = "https://huggingface.example", server.endpoint
    page = await client.last(client.hub.search(Query("model", sort=Sort.LIKES)))
    server.endpoint = own
    following = await client.last(client.hub.search(Query("model", sort=Sort.LIKES), page.next))
    assert len(following.repositories) == 1, "asked where we ask, whatever address the link has"


async def test_a_repository_and_its_files(server: LocalHub, client: Client) -> None:
    repository = server.add(Repository("acme/Model-GGUF", licence="mit"))
    commit = repository.commit({"Q4_K_M/a.gguf": Sparse(5 << 30), "README.md": b"# A"})
    found, files = await client.files("acme/Model-GGUF")
    assert found.commit == commit
    model, card = files["Q4_K_M/a.gguf"], files["README.md"]
    assert model.size == 5 << 30 and model.sha256 == Sparse(5 << 30).sha256 and model.scan == "safe"
    assert model.date == repository.head.date.timestamp()
    assert (card.sha256, card.date, card.size) == ("", None, 3)
    assert card.key.startswith("git-") and model.key == model.sha256


async def test_dates_that_cannot_be_had_stay_unknown(server: LocalHub, client: Client) -> None:
    server.add(Repository("acme/Model-GGUF")).commit({"a.gguf": b"GGUF"})
    server.fault(Fault(Kind.STATUS, "*paths-info*", status=400, times=-1))
    _, files = await client.files("acme/Model-GGUF")
    assert files["a.gguf"].date is None and files["a.gguf"].size == 4


async def test_ten_thousand_files(server: LocalHub, client: Client) -> None:
    content = Bytes(b"GGUF")
    repository = server.add(Repository("acme/Many"))
    repository.commit({f"{number // 100:03d}/part-{number}.bin": content for number in range(10_000)})
    found = await client.last(client.hub.repository("acme/Many"))
    pages = await client.all(client.hub.files(found))
    assert sum(len(page.files) for page in pages) == 10_000
    assert len(server.requests("hub", path="/tree/")) == 11, "folders are entries of the list too"


HOSTILE = [
    "../../etc/passwd.gguf", "/etc/passwd.gguf", "a\x1b]52;c;YQ==\x07.gguf", "a\u202efug.gguf", "a\nb.gguf",
    ".git/config", "sub/.git/hooks/a.gguf", "x" * 300 + ".gguf", "a/../../b.gguf", "C:\\a.gguf", "..\\a.gguf",
    "-rf.gguf", "~root.gguf", "CON.gguf", "a\u200bb.gguf", " a.gguf", ".cache/hub/a.gguf", "a//b.gguf",
]  # fmt: skip


async def test_names_that_cannot_be_used_are_left_out(server: LocalHub, client: Client) -> None:
    repository = server.add(Repository("acme/Bad"))
    repository.commit({name: Bytes(b"GGUF") for name in [*HOSTILE, "good-Q4_0.gguf"]})
    found = await client.last(client.hub.repository("acme/Bad"))
    pages = await client.all(client.hub.files(found))
    assert [file.path for page in pages for file in page.files] == ["good-Q4_0.gguf"]
    assert sum(page.left_out for page in pages) == len(HOSTILE)


async def test_renamed_repositories_have_their_new_name(server: LocalHub, client: Client) -> None:
    server.add(Repository("acme/Old")).commit({"a.gguf": b"GGUF"})
    server.move("acme/Old", "acme/New")
    assert (await client.last(client.hub.repository("acme/Old"))).id == "acme/New"


@pytest.mark.parametrize("name", ["", "acme", "a/b/c", "../x/y", "a b/c", "acme/x\x1b[2J", "acme/..", "acme/a--b"])
async def test_names_that_no_repository_has_are_not_asked_for(server: LocalHub, client: Client, name: str) -> None:
    with pytest.raises(NotOnHubError):
        await client.last(client.hub.repository(name))
    assert server.requests() == []


async def test_cards(server: LocalHub, client: Client) -> None:
    repository = server.add(Repository("acme/Card"))
    repository.commit({"README.md": b"---\nlicense: mit\n---\n# Title\n\n**Bold** [link](http://x)\n"})
    found = await client.last(client.hub.repository("acme/Card"))
    card = await client.last(client.hub.card(found))
    assert (card.text, dict(card.fields)) == ("Title\n\nBold link", {"license": "mit"})
    repository.commit({"README.md": None})
    found = await client.last(client.hub.repository("acme/Card"))
    assert (await client.last(client.hub.card(found))).text == ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"3",
        b'{"id": 3}',
        b'{"id": "a/b"}',
        b'{"id": "a/b", "sha": "x"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
async def test_answers_of_another_shape(server: LocalHub, client: Client, body: bytes) -> None:
    server.add(Repository("acme/Model")).commit({})
    server.fault(Fault(Kind.STATUS, "/api/models/acme/Model", status=200, body=body, times=-1))
    with pytest.raises(HubError, match="no Hub"):
        await client.last(client.hub.repository("acme/Model"))


async def test_fields_of_other_types_are_unknown(server: LocalHub, client: Client) -> None:
    body = (
        b'[{"id": "a/b", "downloads": "x", "likes": -1, "tags": {"a": 1}, "gguf": [], "lastModified": 7, "gated": 3},'
        b' {"id": 5}, 7, {"id": "../evil"}, {"id": "c/d", "gguf": {"total": true, "architecture": "\\u001b[2J"}}]'
    )
    server.fault(Fault(Kind.STATUS, "/api/models", status=200, body=body))
    page = await client.last(client.hub.search(Query("x")))
    first, second = page.repositories
    assert (first.downloads, first.likes, first.tags, first.updated, first.access) == (
        None,
        None,
        (),
        None,
        Access.GATED,
    )
    assert second.parameters is None and "\x1b" not in second.architecture
