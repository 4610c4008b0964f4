"""What a process holds, mapping by mapping: of made-up smaps, of this process, and of a driver's list."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qtui.core.memory.actual import Actual
from qtui.core.text import KIB, MIB
from qtui.services.machine.machine import LocalMachine
from qtui.services.machine.mappings import actual_ram, parse_smaps
from tests.services.machine.test_nvml import FakeCards

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


def mapping(name: str, rss: int, anonymous: int = 0, *, inode: int = 7, swap: int = 0, locked: int = 0) -> str:
    return (
        f"7f00-7f80 r--s 00000000 08:01 {inode} {name}\n"
        f"Size: 9999 kB\nRss: {rss:>8} kB\nPss: 1 kB\nAnonymous: {anonymous:>8} kB\nSwap: {swap} kB\n"
        f"SwapPss: 3 kB\nLocked: {locked} kB\nVmFlags: rd mr\n"
    )


def test_pages_are_told_apart_by_what_stands_behind_them(tmp_path: Path) -> None:
    model = tmp_path / "m.gguf"
    model.write_bytes(b"x")
    text = "".join((
        mapping(str(model), 100, 10, locked=40),
        mapping("", 50, 50, inode=0, swap=5),
        mapping("[heap]", 20, 20, inode=0),
        mapping("/usr/lib/libllama.so", 30, 2),
        mapping("/dev/shm/pinned", 8),
        mapping("/memfd:x (deleted)", 4),
    ))  # fmt: skip
    found = parse_smaps(text.encode(), [model])
    assert found == Actual((10 + 50 + 20 + 2 + 8 + 4) * KIB, 90 * KIB, 28 * KIB, 5 * KIB, 40 * KIB)


def test_a_file_is_known_through_a_link_and_by_its_inode(tmp_path: Path) -> None:
    blob, link = tmp_path / "blob\n1", tmp_path / "m.gguf"
    blob.write_bytes(b"x")
    link.symlink_to(blob)
    by_path = mapping(str(blob).replace("\n", "\\012"), 10)
    assert parse_smaps(by_path.encode(), [link]).model_pages == 10 * KIB
    plain = tmp_path / "plain.gguf"
    plain.write_bytes(b"x")
    elsewhere = mapping("/overlay/upper/plain.gguf", 10, inode=plain.stat().st_ino)
    assert parse_smaps(elsewhere.encode(), [plain]).model_pages == 10 * KIB
    other = mapping("/lib/other.so", 10, inode=plain.stat().st_ino)
    assert parse_smaps(other.encode(), [plain]).model_pages == 0


def test_a_process_without_mappings_is_unknown(tmp_path: Path) -> None:
    assert parse_smaps(b"", []) == Actual()
    assert actual_ram(1, [], root=tmp_path) == Actual()


@LINUX
def test_this_process_and_its_own_mapping(tmp_path: Path) -> None:
    path = tmp_path / "weights"
    path.write_bytes(b"w" * (4 * MIB))
    before = actual_ram(os.getpid(), [path])
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        assert sum(pages[offset] for offset in range(0, len(pages), 4096)) > 0
        after = actual_ram(os.getpid(), [path])
    assert (before.model_pages, after.model_pages) == (0, 4 * MIB)
    assert before.other_files and before.anonymous


@LINUX
def test_a_process_that_has_ended_is_unknown() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert actual_ram(child.pid, []) == Actual()


def card(*processes: tuple[int, int | None]) -> dict[str, object]:
    return {
        "name": "A card", "uuid": "GPU-1", "memory": (8 * MIB, MIB), "processes": list(processes), "busy": 0.0,
        "temperature": 30, "power": 20.0, "reasons": 1, "divided": False,
    }  # fmt: skip


@LINUX
async def test_cards_are_added_by_the_machine() -> None:
    pid = os.getpid()
    told = LocalMachine(nvml=FakeCards([card((pid, 300 * MIB), (1, MIB)), card((1, MIB))]))
    assert (await told.actual(pid, [])).vram == (300 * MIB, 0)
    in_a_container = LocalMachine(nvml=FakeCards([card((1, MIB))]))
    assert (await in_a_container.actual(pid, [])).vram == (None,)
    without_sizes = LocalMachine(nvml=FakeCards([card((pid, None))]))
    found = await without_sizes.actual(pid, [])
    assert (found.vram, found.cards) == ((None,), ("A card",))
