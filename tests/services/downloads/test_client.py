"""The Downloads port over real children: what crosses the process boundary, and what a killed one leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from huggingface_hub import HFCacheInfo, scan_cache_dir
from huggingface_hub.utils import WeakFileLock  # type: ignore[attr-defined]

from qtui.core.downloads.download import Download
from qtui.core.downloads.messages import (
    Fetched,
    FetchEvent,
    FetchFailed,
    FetchNoted,
    FetchProgressed,
    FileFetched,
    Pace,
)
from qtui.core.downloads.queue import DISK_MARGIN, lack_of_room
from qtui.core.wire import encode
from qtui.services.downloads.child.hub import BUSY
from qtui.services.downloads.client import DownloadsClient, Endpoint
from qtui.services.downloads.manifest import Manifest
from qtui.services.paths import data_dir, log_dir
from tests.hub.faults import Fault, Kind
from tests.services.downloads.place import MIB, NAME, REPOSITORY, Place, noise

FILE = f"*{NAME}"
PACE = Pace(stall=10.0, backoff=0.01, longest=0.05, tries=4, lock=0.1)
TOKEN = "hf_" + "MarkedTokenOfTheTests" * 2


def client_of(place: Place, *, send_token: bool = False, pace: Pace = PACE) -> DownloadsClient:
    return DownloadsClient(lambda: Endpoint(place.hub.endpoint, send_token), pace=pace)


async def fetched(client: DownloadsClient, download: Download) -> list[FetchEvent]:
    """Fetch to the end; the last event tells how it ended."""
    async with aclosing(client.fetch(download)) as events:
        return [event async for event in events]


async def until_stalled(place: Place, fault: Fault, events: AsyncGenerator[FetchEvent]) -> None:
    """Read events until the server has stopped to send and the child has written what came."""
    async for event in events:
        if fault.happened and isinstance(event, FetchProgressed) and event.done >= fault.at:
            return


def children() -> list[psutil.Process]:
    """Return the downloading children of this process."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if any("downloads.child" in word for word in child.cmdline()):
                found.append(child)
    return found


async def test_a_download_is_reported_placed_and_on_record(place: Place) -> None:
    events = await fetched(client_of(place), place.download())
    arrived = [event for event in events if isinstance(event, FileFetched)]
    assert events[-1] == Fetched(3 * MIB)
    assert arrived == [FileFetched(0, str(place.landing().name))]
    assert place.is_right()
    line = Manifest().of([place.landing().name])[place.landing().name]
    assert (line.repository, line.commit, line.path) == (REPOSITORY, place.commit, NAME)
    assert (line.size, line.sha256) == (3 * MIB, place.remote().sha256)
    assert line.time > 1.7e9
    assert children() == []


async def test_what_is_on_record_is_not_read_again_and_what_was_touched_is(place: Place) -> None:
    client, download = client_of(place), place.download()
    await fetched(client, download)
    place.hub.clear()
    assert not any(event.checking for event in await fetched(client, download) if isinstance(event, FetchProgressed))
    os.utime(place.landing().final, (1, 1))
    blob = place.landing().final
    blob.write_bytes(b"\1" * (3 * MIB))
    events = await fetched(client, download)
    assert events[-1] == Fetched(3 * MIB)
    assert any(isinstance(event, FetchNoted) and "damaged" in event.text for event in events)
    assert place.is_right()


async def test_huggingface_hub_finds_what_we_placed_as_its_own(place: Place, tmp_path: Path) -> None:
    """Two caches, one filled by us and one by huggingface_hub, look alike to it, links and refs included."""
    from huggingface_hub import constants, hf_hub_download

    place.repository.commit({"UD-Q8_0/Big-00001-of-00002.gguf": noise(999, 3)})
    files = (NAME, "UD-Q8_0/Big-00001-of-00002.gguf")
    await fetched(client_of(place), place.download(*files))
    theirs = tmp_path / "theirs"
    place.hub.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        for name in files:
            hf_hub_download(REPOSITORY, name, cache_dir=theirs, endpoint=place.hub.endpoint, token=False)
            place.hub.clear()
            found = hf_hub_download(REPOSITORY, name, cache_dir=place.cache, endpoint=place.hub.endpoint, token=False)
            assert Path(found) == place.landing(name).name
            assert place.hub.requests("cdn") == [], "it has nothing to fetch"
    assert looks(scan_cache_dir(place.cache)) == looks(scan_cache_dir(theirs))
    assert tree(place.cache) == tree(theirs)


def looks(info: HFCacheInfo) -> object:
    """Return what huggingface_hub sees in a cache, without where it is and when."""
    assert info.warnings == [] and info.incomplete_files == frozenset()
    return {
        (repo.repo_id, repo.size_on_disk, revision.commit_hash, tuple(revision.refs), file.file_name, file.size_on_disk)
        for repo in info.repos
        for revision in repo.revisions
        for file in revision.files
    }


def tree(cache: Path) -> set[tuple[str, str, int]]:
    """Return every name in a cache with what it links to and who may read it; locks aside."""
    return {
        (str(path.relative_to(cache)), str(path.readlink()) if path.is_symlink() else "", path.lstat().st_mode)
        for path in cache.rglob("*")
        if ".locks" not in path.parts
    }


async def test_closing_stops_the_child_and_the_next_run_goes_on(place: Place) -> None:
    stall = place.hub.fault(Fault(Kind.STALL, FILE, at=MIB))
    client, download = client_of(place), place.download()
    async with aclosing(client.fetch(download)) as events:
        await until_stalled(place, stall, events)
        assert len(children()) == 1
    assert children() == []
    assert await client.kept(download) == MIB
    place.hub.clear()
    assert (await fetched(client, download))[-1] == Fetched(2 * MIB)
    assert [record.range for record in place.hub.requests("cdn")] == [(MIB, None)]
    assert place.is_right()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_a_child_that_is_ended_from_outside_loses_nothing(place: Place, number: signal.Signals) -> None:
    stall = place.hub.fault(Fault(Kind.STALL, FILE, at=MIB))
    client, download = client_of(place), place.download()
    async with aclosing(client.fetch(download)) as events:
        await until_stalled(place, stall, events)
        children()[0].send_signal(number)
        rest = [event async for event in events]
    assert isinstance(rest[-1], FetchFailed) and "died" in rest[-1].failure.message
    assert await client.kept(download) == MIB
    place.hub.clear()
    events_after = await fetched(client, download)
    assert events_after[-1] == Fetched(2 * MIB)
    assert place.is_right()


async def test_the_end_of_the_parent_ends_the_child(place: Place, tmp_path: Path) -> None:
    """The parent is killed: nothing of it can say good-bye, and its child must go by itself."""
    stall = place.hub.fault(Fault(Kind.STALL, FILE, at=MIB))
    script = (
        "import asyncio, sys\n"
        "from qtui.core.wire import decode\n"
        "from qtui.core.downloads.download import Download\n"
        "from qtui.services.downloads.client import DownloadsClient, Endpoint\n"
        "async def main():\n"
        "    download = decode(sys.argv[2], (Download,))\n"
        "    async for event in DownloadsClient(lambda: Endpoint(sys.argv[1], False)).fetch(download):\n"
        "        print(event, flush=True)\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, place.hub.endpoint, encode(place.download()),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout is not None
    while not stall.happened:
        assert await parent.stdout.readline()
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(child.wait, 10)
    assert not child.is_running()
    assert place.landing().partial.stat().st_size > 0


async def test_two_processes_fetch_one_file_once(place: Place) -> None:
    stall = place.hub.fault(Fault(Kind.STALL, FILE, at=2 * MIB))
    client, download = client_of(place), place.download()
    first = asyncio.create_task(fetched(client, download))
    while not stall.happened:
        await asyncio.sleep(0)
    waiting = asyncio.Event()

    async def second() -> list[FetchEvent]:
        seen: list[FetchEvent] = []
        async for event in client.fetch(download):
            seen.append(event)
            if event == FetchNoted(BUSY):
                waiting.set()
        return seen

    other = asyncio.create_task(second())
    await waiting.wait()
    place.hub.release()
    assert (await first)[-1] == Fetched(3 * MIB)
    assert (await other)[-1] == Fetched(0)
    assert len(place.hub.requests("cdn")) == 1
    assert place.is_right()


async def test_a_lock_of_huggingface_hub_is_respected(place: Place) -> None:
    lock = place.landing().lock
    lock.parent.mkdir(parents=True)
    with WeakFileLock(lock):
        async with aclosing(client_of(place).fetch(place.download())) as events:
            async for event in events:
                if event == FetchNoted(BUSY):
                    break
        assert place.hub.requests() == []
    assert (await fetched(client_of(place), place.download()))[-1] == Fetched(3 * MIB)


async def test_room_counts_what_is_missing_on_each_disk(place: Place) -> None:
    client, download = client_of(place), place.download()
    (room,) = await client.room([download, download])
    assert room.needed == 3 * MIB
    assert room.free > 0
    place.run(stop_at=1)
    here = await client.kept(download)
    assert here > 0
    (room,) = await client.room([download])
    assert room.needed == 3 * MIB - here
    large = replace(download, id="x", files=(replace(download.files[0], size=1 << 43, sha256="a" * 64),))
    lack = lack_of_room(await client.room([download, large]), DISK_MARGIN)
    assert lack is not None and "not enough room" in lack.message


async def test_discarding_removes_partials_and_never_through_a_link(place: Place, tmp_path: Path) -> None:
    client, download = client_of(place), place.download()
    place.run(stop_at=1)
    assert place.landing().partial.exists()
    await client.discard(download)
    assert place.leftovers() == []
    blobs = place.landing().final.parent
    elsewhere = tmp_path / "elsewhere"
    blobs.rename(elsewhere)
    (elsewhere / place.landing().partial.name).write_bytes(b"precious")
    blobs.symlink_to(elsewhere)
    await client.discard(download)
    assert (elsewhere / place.landing().partial.name).read_bytes() == b"precious"


async def test_a_token_goes_to_the_hub_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.repository.gated = "auto"
    place.repository.granted.add(place.hub.user(TOKEN))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    refused = (await fetched(client_of(place), place.download()))[-1]
    assert isinstance(refused, FetchFailed) and refused.failure.kind == "access"
    assert {record.token for record in place.hub.requests()} == {""}
    place.hub.fault(Fault(Kind.CUT, FILE, at=MIB))
    assert (await fetched(client_of(place, send_token=True), place.download()))[-1] == Fetched(3 * MIB)
    assert {record.token for record in place.hub.requests("hub")} == {"", TOKEN}
    assert {record.token for record in place.hub.requests("cdn")} == {""}
    assert_nowhere(TOKEN)


async def test_a_token_from_its_file_is_used_and_not_told(
    place: Place, private_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.repository.private = True
    place.hub.user(TOKEN)
    (private_home / "huggingface").mkdir(exist_ok=True)
    (private_home / "huggingface" / "token").write_text(TOKEN)
    monkeypatch.setenv("HF_DEBUG", "1")
    events = await fetched(client_of(place, send_token=True), place.download())
    assert isinstance(events[-1], FetchFailed), "the user may not see it"
    assert TOKEN in {record.token for record in place.hub.requests("hub")}
    assert TOKEN not in str(events)
    assert_nowhere(TOKEN, besides=private_home / "huggingface" / "token")


def assert_nowhere(token: str, besides: Path | None = None) -> None:
    """No file that was written holds a token, nor a signature of an address."""
    for folder in (log_dir(), data_dir(), Path(os.environ["HF_HOME"])):
        for path in folder.rglob("*"):
            if path.is_file() and path != besides and path.stat().st_size < MIB:
                content = path.read_bytes()
                assert token.encode() not in content, path
                assert b"Signature=" not in content, path
