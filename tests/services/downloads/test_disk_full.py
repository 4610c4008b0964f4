"""A disk that fills up in the middle of a download."""

from __future__ import annotations

import contextlib
import resource
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.downloads.download import State
from qtui.core.downloads.run import DownloadRun
from qtui.core.downloads.trouble import DiskFullError
from qtui.services.downloads.client import DownloadsClient, Endpoint
from tests.services.downloads.place import MIB, NAME, QUICK, Place, noise


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB; where none can be mounted, files may not grow beyond that."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted.returncode != 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * MIB, before[1]))
    try:
        yield folder
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if mounted.returncode == 0:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_disk_that_fills_up_keeps_what_came(place: Place, small_disk: Path, tmp_path: Path) -> None:
    full = replace(place, cache=small_disk)
    ran = full.run()
    assert isinstance(ran.error, DiskFullError)
    assert "the disk is full" in ran.error.message
    assert not full.is_right()
    kept = full.landing().partial.stat().st_size
    assert MIB <= kept <= 2 * MIB
    with contextlib.ExitStack():
        larger = tmp_path / "larger"
        larger.mkdir()
        moved = replace(place, cache=larger)
        moved.landing().partial.parent.mkdir(parents=True)
        for path in (full.landing().partial, full.landing().state):
            (moved.landing().partial.parent / path.name).write_bytes(path.read_bytes())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    again = moved.run()
    assert again.error is None and moved.is_right()
    assert again.received == 3 * MIB - kept


async def test_a_full_disk_stops_every_download_and_keeps_the_partials(place: Place, small_disk: Path) -> None:
    other = "Other-Q4_K_M.gguf"
    place.repository.commit({other: noise(4 * MIB, 5)})
    full = replace(place, cache=small_disk)
    port = DownloadsClient(lambda: Endpoint(place.hub.endpoint, False), cache=lambda: small_disk, pace=QUICK)

    class Boundless(DownloadRun):
        """Starts without asking for room, as when another program fills the disk meanwhile."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qtui.core.downloads.run.lack_of_room", lambda rooms, margin=0: None)
        run = Boundless(port)
        first, second = await run.add(full.download(NAME)), await run.add(full.download(other))
        async for _ in run.follow(first.id):
            pass
        async for _ in run.follow(second.id):
            pass
    for download in run.queue.downloads:
        assert download.state is State.PAUSED
        assert download.failure is not None and download.failure.kind == "disk_full"
    here = sorted((str(path), path.stat().st_size) for path in small_disk.rglob("*") if path.is_file())
    assert sum(download.done for download in run.queue.downloads) >= MIB, (run.queue.downloads, here)
    assert not full.is_right() and not full.is_right(other)
    await run.close()


async def test_a_queue_without_room_is_refused_before_the_first_byte(place: Place, small_disk: Path) -> None:
    port = DownloadsClient(lambda: Endpoint(place.hub.endpoint, False), cache=lambda: small_disk, pace=QUICK)
    run = DownloadRun(port, margin=1 << 60)
    with pytest.raises(DiskFullError, match="not enough room"):
        await run.add(place.download())
    assert run.queue.downloads == ()
    assert place.hub.requests() == []
    await run.close()
