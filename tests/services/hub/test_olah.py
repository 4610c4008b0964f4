"""The Hub's door against a server that nobody here wrote: olah, a mirror, in front of the test Hub (`make olah`)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from qtui.core.errors import AccessError, NotOnHubError
from qtui.core.gguf.reader import read_header
from qtui.core.hub.events import ReadingEnded
from qtui.core.hub.reading import read_repository
from qtui.services.library.library import LocalLibrary
from tests.hub.model_repository import RECIPES, Shape, model_repository
from tests.hub.repository import Repository
from tests.hub.server import LocalHub
from tests.services.hub.conftest import make_client

OLAH = Path(__file__).parents[3] / ".olah" / "bin" / "olah-cli"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def mirror(server: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Start olah before the test Hub, as what HF_ENDPOINT names."""
    command = OLAH if OLAH.is_file() else shutil.which("olah-cli")
    if command is None:
        pytest.skip("needs olah: make olah")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        own = f"127.0.0.1:{free.getsockname()[1]}"
    hub, cdn = server.endpoint.removeprefix("http://"), server.cdn.removeprefix("http://")
    folder = tmp_path / "olah"
    folder.mkdir()
    with (folder / "output").open("wb") as output, subprocess.Popen(
        [
            command, "--host", "127.0.0.1", "--port", own.partition(":")[2], "--hf-scheme", "http", "--hf-netloc", hub,
            "--hf-lfs-netloc", cdn, "--mirror-netloc", own, "--mirror-lfs-netloc", own,
            "--repos-path", folder / "repositories", "--log-path", folder / "logs",
        ],
        cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            _wait_for(f"http://{own}/", process)
            monkeypatch.setenv("HF_ENDPOINT", f"http://{own}")
            yield own
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(address: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers, with whatever status."""
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            time.sleep(0.1)  # nothing tells when another program listens
            continue
        return
    raise AssertionError("olah does not answer")


async def test_a_repository_behind_a_mirror(mirror: str, server: LocalHub, tmp_path: Path) -> None:
    made = model_repository(shape=Shape(vocabulary=1000, layers=1), recipes=(RECIPES[0], *RECIPES[3:6]))
    server.add(made.repository)
    client = make_client(tmp_path)
    events = [event async for event in read_repository(client.hub, LocalLibrary(), made.repository.id)]
    ended = events[-1]
    assert isinstance(ended, ReadingEnded)
    listing = ended.listing
    assert listing.repository.commit == made.repository.head.sha
    assert [(row.variant.quant, row.header_read, row.problem) for row in listing.rows] == [
        ("BF16", True, ""), ("Q5_K_M", True, ""), ("Q5_K_S", True, ""), ("Q4_K_M", True, ""),
    ]  # fmt: skip
    for row in listing.rows:
        assert row.size == sum(made.files[file.path].size for file in row.files)
        assert row.variant.bits_per_weight is not None and row.variant.context_length == 40960
        assert row.sha256 in (None, made.files[row.key].sha256)
    largest = max(read_header(content).table_end for content in made.files.values())
    assert largest < ended.fetched < 4 << 20
    await client.hub.close()


async def test_what_a_mirror_refuses(mirror: str, server: LocalHub, tmp_path: Path) -> None:
    gated = server.add(Repository("acme/Gated-GGUF"))
    gated.commit({"a-Q4_0.gguf": b"GGUF" + bytes(100)})
    client = make_client(tmp_path)
    with pytest.raises(NotOnHubError):
        await client.last(client.hub.repository("acme/Nothing"))
    found, files = await client.files("acme/Gated-GGUF")
    gated.gated = "manual"
    with pytest.raises(AccessError, match="gated"):
        await client.last(client.hub.header(found, files["a-Q4_0.gguf"]))
    await client.hub.close()
