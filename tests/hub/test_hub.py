"""The test Hub answers huggingface_hub as the Hub does, and does to bytes what it is told."""

from __future__ import annotations

import hashlib
import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import (
    DisabledRepoError,
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._http import parse_ratelimit_headers

from qtui.core.gguf.reader import read_header
from tests.hub.content import Bytes, Noise, OnDisk, Sparse
from tests.hub.faults import Fault, Kind, rate_limited
from tests.hub.model_repository import RECIPES, Shape, model_repository, parameters
from tests.hub.repository import Repository
from tests.hub.server import LocalHub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub with one repository of a large and a small file."""
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    with LocalHub() as hub:
        repository = hub.add(Repository("acme/Tiny-GGUF", licence="mit", base_model="acme/Tiny", downloads=7, likes=3))
        repository.commit(
            {"Tiny-Q4_K_M.gguf": Noise(3 << 20), "README.md": b"# Tiny\n", "sub/Tiny-Q8_0.gguf": Noise(99)}
        )
        yield hub
        huggingface_hub.close_session()


@pytest.fixture
def api(hub: LocalHub) -> HfApi:
    return HfApi(endpoint=hub.endpoint, token=False)


def fetch(hub: LocalHub, cache: Path, path: str = "Tiny-Q4_K_M.gguf", **more: Any) -> str:
    options = {"token": False, "etag_timeout": 5, **more}
    return str(hf_hub_download("acme/Tiny-GGUF", path, endpoint=hub.endpoint, cache_dir=cache, **options))


class Raw:
    """A plain connection to a signed address."""

    def __init__(self, hub: LocalHub, path: str = "acme/Tiny-GGUF/resolve/main/Tiny-Q4_K_M.gguf") -> None:
        self.hub, self.path = hub, path
        self.address = urlsplit(self.head("Location"))

    def head(self, name: str) -> str:
        connection = http.client.HTTPConnection(urlsplit(self.hub.endpoint).netloc, timeout=10)
        try:
            connection.request("HEAD", f"/{self.path}")
            return connection.getresponse().headers.get(name) or ""
        finally:
            connection.close()

    def get(self, wanted: str = "") -> tuple[int, http.client.HTTPMessage, bytes, str]:
        """Return status, headers, what arrived, and the name of the error that ended it."""
        connection = http.client.HTTPConnection(self.address.netloc, timeout=10)
        data = b""
        try:
            headers = {"Range": f"bytes={wanted}"} if wanted else {}
            connection.request("GET", f"{self.address.path}?{self.address.query}", headers=headers)
            response = connection.getresponse()
            try:
                while piece := response.read1(1 << 16):
                    data += piece
            except (OSError, http.client.HTTPException) as error:
                return response.status, response.headers, data, type(error).__name__
            whole = int(response.headers.get("Content-Length", len(data)))
            return response.status, response.headers, data, "" if len(data) == whole else "short"
        finally:
            connection.close()


# What huggingface_hub reads


def test_search_by_tag_text_author_size_in_pages(hub: LocalHub, api: HfApi) -> None:
    for number in range(12):
        repository = hub.add(
            Repository(f"other/Model-{number:02d}-GGUF", downloads=number, gguf={"total": number * 10**9})
        )
        repository.commit({"a.gguf": b"GGUF"})
    hub.add(Repository("other/Plain")).commit({"a.safetensors": b""})
    hub.add(Repository("other/Hidden-GGUF", private=True)).commit({"a.gguf": b""})
    hub.page = 5
    names = [model.id for model in api.list_models(filter="gguf", author="other", sort="downloads", limit=11)]
    assert names == [f"other/Model-{number:02d}-GGUF" for number in range(11, 0, -1)]
    assert [record.target.count("cursor=") for record in hub.requests("hub")] == [0, 1, 1]
    found = list(api.list_models(search="model gguf", num_parameters="min:3B,max:4.5B", expand=["gguf", "downloads"]))
    assert [(model.id, model.downloads, model.likes) for model in found] == [
        ("other/Model-03-GGUF", 3, None),
        ("other/Model-04-GGUF", 4, None),
    ]


def test_what_is_told_of_a_repository(hub: LocalHub, api: HfApi) -> None:
    info = api.model_info("acme/Tiny-GGUF", files_metadata=True)
    assert info.sha == hub.repositories["acme/Tiny-GGUF"].head.sha
    assert not info.gated and info.downloads == 7 and "license:mit" in (info.tags or ())
    sibling = next(each for each in info.siblings or () if each.rfilename == "Tiny-Q4_K_M.gguf")
    assert sibling.size == 3 << 20 and sibling.lfs is not None and sibling.lfs.sha256 == Noise(3 << 20).sha256


@pytest.mark.parametrize("expand", [False, True])
def test_the_tree_comes_in_pages(hub: LocalHub, api: HfApi, expand: bool) -> None:
    hub.page = 2
    entries = {entry.path: entry for entry in api.list_repo_tree("acme/Tiny-GGUF", recursive=True, expand=expand)}
    assert sorted(entries) == ["README.md", "Tiny-Q4_K_M.gguf", "sub", "sub/Tiny-Q8_0.gguf"]
    large: Any = entries["Tiny-Q4_K_M.gguf"]
    assert large.lfs.sha256 == Noise(3 << 20).sha256 and large.size == 3 << 20
    assert (large.last_commit is not None) == expand == (large.security is not None)
    small: Any = entries["README.md"]
    assert small.lfs is None and small.size == 7
    assert [entry.path for entry in api.list_repo_tree("acme/Tiny-GGUF", "sub")] == ["sub/Tiny-Q8_0.gguf"]


def test_some_paths(api: HfApi) -> None:
    found = api.get_paths_info("acme/Tiny-GGUF", ["README.md", "nothing"], expand=True)
    assert [entry.path for entry in found] == ["README.md"]


def test_files_are_fetched_and_found_again(hub: LocalHub, tmp_path: Path) -> None:
    path = Path(fetch(hub, tmp_path))
    assert hashlib.sha256(path.read_bytes()).hexdigest() == Noise(3 << 20).sha256
    assert Path(fetch(hub, tmp_path, "README.md")).read_bytes() == b"# Tiny\n"
    hub.clear()
    assert fetch(hub, tmp_path) == str(path)
    assert [record.method for record in hub.requests()] == ["HEAD"]


def test_a_commit_keeps_the_old_files(hub: LocalHub, tmp_path: Path) -> None:
    repository = hub.repositories["acme/Tiny-GGUF"]
    old = repository.head.sha
    new = repository.commit({"Tiny-Q4_K_M.gguf": Bytes(b"new"), "README.md": None})
    assert Path(fetch(hub, tmp_path)).read_bytes() == b"new"
    assert Path(fetch(hub, tmp_path, revision=old)).stat().st_size == 3 << 20
    assert repository.head.sha == new and "README.md" not in repository.head.files
    with pytest.raises(EntryNotFoundError):
        fetch(hub, tmp_path, "README.md")


def test_refusals(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/Nothing")
    with pytest.raises(RevisionNotFoundError):
        api.model_info("acme/Tiny-GGUF", revision="nothing")
    with pytest.raises(EntryNotFoundError):
        fetch(hub, tmp_path, "nothing.gguf")
    hub.repositories["acme/Tiny-GGUF"].disabled = True
    with pytest.raises(DisabledRepoError):
        api.model_info("acme/Tiny-GGUF")


def test_gates_open_to_those_who_were_let_in(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    repository = hub.repositories["acme/Tiny-GGUF"]
    repository.gated = "manual"
    hub.user("hf_stranger", "stranger")
    repository.granted.add(hub.user("hf_friend", "friend"))
    assert api.model_info("acme/Tiny-GGUF").gated == "manual"
    for token in (False, "hf_stranger"):
        with pytest.raises(GatedRepoError):
            fetch(hub, tmp_path, token=token)
        with pytest.raises(GatedRepoError):
            api.auth_check("acme/Tiny-GGUF", token=token)
    fetch(hub, tmp_path, token="hf_friend")
    api.auth_check("acme/Tiny-GGUF", token="hf_friend")
    assert not any(record.token for record in hub.requests("cdn")), "the CDN never sees a token"


def test_private_repositories_and_bad_tokens(hub: LocalHub, api: HfApi) -> None:
    repository = hub.repositories["acme/Tiny-GGUF"]
    repository.private = True
    repository.granted.add(hub.user("hf_friend", "friend"))
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("acme/Tiny-GGUF")
    assert api.model_info("acme/Tiny-GGUF", token="hf_friend").private
    assert api.whoami(token="hf_friend")["name"] == "friend"
    with pytest.raises(HfHubHTTPError) as caught:
        api.model_info("acme/Tiny-GGUF", token="hf_wrong")
    assert not isinstance(caught.value, RepositoryNotFoundError)
    assert "Invalid credentials" in str(caught.value)


def test_renamed_repositories_redirect(hub: LocalHub, api: HfApi, tmp_path: Path) -> None:
    hub.move("acme/Tiny-GGUF", "acme/New-GGUF")
    assert api.model_info("acme/Tiny-GGUF").id == "acme/New-GGUF"
    assert Path(fetch(hub, tmp_path)).stat().st_size == 3 << 20


def test_rate_limits(hub: LocalHub, api: HfApi) -> None:
    hub.fault(rate_limited("/api/models/*", wait_s=55))
    with pytest.raises(HfHubHTTPError) as caught:
        api.model_info("acme/Tiny-GGUF")
    told = parse_ratelimit_headers(caught.value.response.headers)
    assert told is not None and (told.remaining, told.reset_in_seconds, told.limit) == (0, 55, 500)
    assert api.model_info("acme/Tiny-GGUF").id == "acme/Tiny-GGUF"


def test_a_folder_of_repositories(tmp_path: Path) -> None:
    (tmp_path / "acme" / "Disk" / "sub").mkdir(parents=True)
    (tmp_path / "acme" / "Disk" / "sub" / "a.gguf").write_bytes(b"GGUF" * 100_000)
    with LocalHub(tmp_path) as hub:
        status, _, data, _ = Raw(hub, "acme/Disk/resolve/main/sub/a.gguf").get()
        assert (status, data) == (200, b"GGUF" * 100_000)


# Bytes and faults


def test_ranges(hub: LocalHub) -> None:
    raw, content = Raw(hub), Noise(3 << 20)
    status, headers, data, _ = raw.get("100-199")
    assert (status, headers["Content-Range"], data) == (206, f"bytes 100-199/{3 << 20}", content.read(100, 100))
    status, headers, data, _ = raw.get(f"{(3 << 20) - 5}-")
    assert (status, data) == (206, content.read((3 << 20) - 5, 5))
    status, headers, data, _ = raw.get(f"{3 << 20}-")
    assert (status, headers["Content-Range"], data) == (416, f"bytes */{3 << 20}", b"")
    last = hub.requests("cdn")[0]
    assert (last.range, last.sent, last.status) == ((100, 199), 100, 206)


@pytest.mark.parametrize(("kind", "error"), [(Kind.CUT, "short"), (Kind.RESET, "ConnectionResetError")])
def test_connections_end_at_the_byte(hub: LocalHub, kind: Kind, error: str) -> None:
    fault = hub.fault(Fault(kind, "*Q4_K_M*", at=1_000_000))
    raw, content = Raw(hub), Noise(3 << 20)
    _, _, data, ended = raw.get()
    assert ended == error
    # A reset takes what the client has not read yet.
    assert len(data) <= 1_000_000 and content.read(0, len(data)) == data
    assert len(data) == 1_000_000 or kind is Kind.RESET
    assert (fault.happened, hub.requests("cdn")[-1].sent, hub.requests("cdn")[-1].faults) == (1, 1_000_000, [kind])
    assert raw.get()[2] == content.read(0, 3 << 20), "it happens once"


def test_faults_beyond_a_range_do_not_happen(hub: LocalHub) -> None:
    fault = hub.fault(Fault(Kind.CUT, at=500))
    assert Raw(hub).get("0-499")[3] == "" and Raw(hub).get("501-600")[3] == ""
    assert fault.happened == 0


def test_one_bit_is_flipped(hub: LocalHub) -> None:
    hub.fault(Fault(Kind.CORRUPT, at=77))
    whole, data = Noise(3 << 20).read(0, 3 << 20), Raw(hub).get()[2]
    assert [index for index in range(len(whole)) if whole[index] != data[index]] == [77]


def test_answers_stall_until_they_are_released(hub: LocalHub) -> None:
    hub.fault(Fault(Kind.STALL, at=1000, then=hub.release))
    hub.fault(Fault(Kind.STALL, at=2000))
    raw = Raw(hub)
    with socket.create_connection((raw.address.hostname or "", raw.address.port or 0), timeout=10) as connection:
        connection.sendall(f"GET {raw.address.path}?{raw.address.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.settimeout(0.2)
        data = b""
        with pytest.raises(TimeoutError):
            while True:
                data += connection.recv(1 << 16)
        assert len(data.partition(b"\r\n\r\n")[2]) in (1000, 2000)


def test_slow_answers_take_their_time(hub: LocalHub) -> None:
    hub.fault(Fault(Kind.SLOW, rate=10_000))
    assert len(Raw(hub).get("0-2999")[2]) == 3000


@pytest.mark.parametrize(
    ("fault", "status", "length", "ended"),
    [
        (Fault(Kind.STATUS, port="cdn", status=503), 503, 0, ""),
        (Fault(Kind.IGNORE_RANGE), 200, 3 << 20, ""),
        (Fault(Kind.WRONG_RANGE, shift=10), 206, 90, ""),
        (Fault(Kind.SHORT, at=150), 206, 50, ""),
        (Fault(Kind.PORTAL, port="cdn"), 200, 96, ""),
        (Fault(Kind.EXPIRED), 403, 116, ""),
        (Fault(Kind.NO_LENGTH, port="cdn"), 206, 100, ""),
        (Fault(Kind.CUT, at=110), 206, 10, "short"),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else "",
)
def test_answers_that_are_not_what_was_asked_for(
    hub: LocalHub, fault: Fault, status: int, length: int, ended: str
) -> None:
    raw = Raw(hub)
    hub.fault(fault)
    found = raw.get("100-199")
    assert (found[0], len(found[2]), found[3]) == (status, length, ended)


def test_more_bytes_than_promised(hub: LocalHub) -> None:
    raw = Raw(hub)
    hub.fault(Fault(Kind.EXTRA, port="cdn", extra=7))
    with socket.create_connection((raw.address.hostname or "", raw.address.port or 0), timeout=10) as connection:
        request = f"GET {raw.address.path}?{raw.address.query} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n"
        connection.sendall(request.encode())
        data = b""
        while piece := connection.recv(1 << 16):
            data += piece
    assert len(data.partition(b"\r\n\r\n")[2]) == 17


def test_an_expired_address_stays_expired_and_a_new_one_works(hub: LocalHub) -> None:
    raw = Raw(hub)
    hub.fault(Fault(Kind.EXPIRED))
    assert [raw.get()[0], raw.get()[0], Raw(hub).get()[0]] == [403, 403, 200]
    other = Raw(hub)
    hub.expire_addresses()
    assert (other.get()[0], Raw(hub).get()[0]) == (403, 200)


def test_a_server_that_is_no_hub(hub: LocalHub, tmp_path: Path) -> None:
    hub.fault(Fault(Kind.NO_COMMIT, times=-1))
    assert not Raw(hub).head("X-Repo-Commit")
    with pytest.raises(OSError, match="X-Repo-Commit"):
        fetch(hub, tmp_path)


def test_something_else_happens_with_a_fault(hub: LocalHub) -> None:
    repository = hub.repositories["acme/Tiny-GGUF"]
    hub.fault(Fault(Kind.CUT, at=10, then=lambda: repository.commit({"Tiny-Q4_K_M.gguf": Bytes(b"other")})))
    raw = Raw(hub)
    before = raw.head("X-Linked-Etag")
    assert len(raw.get()[2]) == 10
    assert Raw(hub).head("X-Linked-Etag") != before


def test_the_record_tells_who_asked(hub: LocalHub, api: HfApi) -> None:
    hub.user("hf_friend")
    api.model_info("acme/Tiny-GGUF", token="hf_friend")
    (record,) = hub.requests("hub", "GET", "/api/models/acme")
    assert (record.token, record.status) == ("hf_friend", 200) and record.headers["user-agent"]


# Files


def test_contents_read_the_same_in_any_pieces(tmp_path: Path) -> None:
    sparse = Sparse(5000, ((0, b"head"), (4, b"more"), (2000, b"x" * 100)))
    (tmp_path / "file").write_bytes(os.urandom(5000))
    for content in (sparse, Noise(3_000_000, seed=4), OnDisk(tmp_path / "file")):
        whole = content.read(0, content.size)
        assert len(whole) == content.size
        assert b"".join(content.read(at, 777) for at in range(0, content.size, 777)) == whole
        assert content.sha256 == hashlib.sha256(whole).hexdigest()
    assert sparse.read(1990, 20) == bytes(10) + b"x" * 10


def test_a_repository_of_twenty_quants() -> None:
    made = model_repository(shape=Shape(vocabulary=2000))
    assert len(RECIPES) == 20 and len(made.files) == 22
    assert made.repository.head.files[made.path("BF16")].size > 6 << 30
    total = 0
    for path, content in made.files.items():
        header = read_header(content)
        assert header.table_end == made.headers[path]
        assert content.size == header.needed_size or (content.size - header.needed_size) < header.alignment
        total += sum(tensor.elements for tensor in header.tensors) if "BF16" in path else 0
    assert total == parameters(Shape(vocabulary=2000))
    held = {id(piece): len(piece) for content in made.files.values() for _, piece in getattr(content, "pieces", ())}
    assert sum(held.values()) < 2 << 20, "twenty quants of 8 billion parameters in two megabytes"


def test_in_a_process_of_its_own(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.hub", "--model", "--vocabulary", "600", "--fault", "status:/api/models:0:1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdout and process.stdin
        endpoint = process.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
        info = HfApi(endpoint=endpoint, token=False).model_info("acme/Acme-8B-GGUF")
        assert info.gguf is not None and info.gguf["architecture"] == "qwen3"
        process.stdin.close()
        assert process.wait(10) == 0
        process.stdout.read()
