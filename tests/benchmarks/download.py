"""How fast a download is against curl, with verification on, and what it takes: `python -m tests.benchmarks.download`.

A server in a process of its own sends a file over loopback by sendfile; everything is written to the same folder. In
turn, several times each: curl (which verifies nothing); a real downloading child (state, SHA-256, fsync, rename);
httpx2 with SHA-256, which is what the child would be on huggingface_hub's HTTP library. The median counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import huggingface_hub
import psutil

from qtui.core.downloads.download import new_download
from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.messages import FetchFailed, FileFetched
from qtui.services.downloads.client import DownloadsClient, Endpoint
from qtui.services.downloads.entries import Entries
from qtui.services.downloads.manifest import Manifest

REPOSITORY = "acme/Bench-GGUF"
SMALL, LARGE = "Small-Q8_0.gguf", "Large-Q8_0.gguf"
MB = 10**6
HTTPX2 = """
import hashlib, sys, time, httpx2
whole, started = hashlib.sha256(), time.perf_counter()
with httpx2.stream("GET", sys.argv[1], follow_redirects=True, timeout=60) as answer, open(sys.argv[2], "wb", 0) as file:
    for piece in answer.iter_raw(1 << 20):
        file.write(piece)
        whole.update(piece)
print(time.perf_counter() - started)
"""


@contextlib.contextmanager
def serving(root: Path) -> Iterator[str]:
    """Serve the folder's repositories and give the endpoint."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.hub", "--root", str(root), "--quiet"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None
    try:
        yield server.stdout.readline().strip().removeprefix("HF_ENDPOINT=")
    finally:
        server.stdin.close()
        server.wait(10)
        server.stdout.close()


def curl(url: str, target: Path) -> float:
    """Return the seconds that curl takes."""
    started = time.perf_counter()
    subprocess.run(["curl", "-sfL", "-o", str(target), url], check=True)
    return time.perf_counter() - started


def httpx2(url: str, target: Path) -> float:
    """Return the seconds that httpx2 takes, its import left out."""
    done = subprocess.run([sys.executable, "-c", HTTPX2, url, str(target)], check=True, capture_output=True, text=True)
    return float(done.stdout)


async def child(endpoint: str, commit: str, files: list[RemoteFile], cache: Path) -> tuple[float, float, int]:
    """Return the seconds of the large file's transfer and of the whole, and the bytes that the child took at most."""
    state = cache.parent / "state"
    state.mkdir(parents=True)
    client = DownloadsClient(
        lambda: Endpoint(endpoint),
        cache=lambda: cache,
        entries=Entries(lambda: state),
        manifest=Manifest(lambda: state),
    )
    started = time.perf_counter()
    between, peak, ended = started, 0, 0.0
    async with aclosing(client.fetch(new_download(REPOSITORY, commit, files))) as events:
        async for event in events:
            for process in psutil.Process().children():
                with contextlib.suppress(psutil.Error, OSError):
                    if "downloads.child" in " ".join(process.cmdline()):
                        peak = max(peak, high_water(process.pid))
            if isinstance(event, FetchFailed):
                raise SystemExit(event.failure.message)
            if isinstance(event, FileFetched) and event.index == 0:
                between = time.perf_counter()
            elif isinstance(event, FileFetched):
                ended = time.perf_counter()
    return ended - between, time.perf_counter() - started, peak


def high_water(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def prepare(root: Path, size: int) -> list[RemoteFile]:
    """Write a small and a large file, and return them as the Hub will list them."""
    folder = root / REPOSITORY
    folder.mkdir(parents=True)
    files = []
    for name, length in ((SMALL, 4096), (LARGE, size)):
        whole = hashlib.sha256()
        with (folder / name).open("wb") as stream:
            left = length
            while left:
                piece = os.urandom(min(left, 1 << 22))
                stream.write(piece)
                whole.update(piece)
                left -= len(piece)
        files.append(RemoteFile(name, length, whole.hexdigest()))
    return files


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.download", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="size of the file (default: 1024)")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where to write (default: /dev/shm)")
    options = parser.parse_args()
    size = options.mib << 20
    times: dict[str, list[float]] = {"curl": [], "qtui": [], "qtui, process start included": [], "httpx2 + sha256": []}
    peaks = []
    with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
        base = Path(temporary)
        files = prepare(base / "root", size)
        with serving(base / "root") as endpoint:
            commit = huggingface_hub.HfApi(endpoint=endpoint, token=False).model_info(REPOSITORY).sha
            assert commit is not None
            url = f"{endpoint}/{REPOSITORY}/resolve/main/{LARGE}"
            for _ in range(options.repeats):
                target = base / "target"
                times["curl"].append(curl(url, target))
                target.unlink()
                transfer, whole, peak = asyncio.run(child(endpoint, commit, files, base / "own" / "cache"))
                times["qtui"].append(transfer)
                times["qtui, process start included"].append(whole)
                peaks.append(peak)
                shutil.rmtree(base / "own")
                times["httpx2 + sha256"].append(httpx2(url, target))
                target.unlink()
    middle = {name: size / statistics.median(values) / MB for name, values in times.items()}
    for name, values in times.items():
        each = " ".join(f"{size / value / MB:.0f}" for value in values)
        print(f"{name:30} {middle[name]:6.0f} MB/s   ({each})")
    print(f"{'qtui / curl':30} {middle['qtui'] / middle['curl']:6.2f}")
    print(f"{'most memory of the child':30} {max(peaks) / MB:6.1f} MB")


if __name__ == "__main__":
    main()
