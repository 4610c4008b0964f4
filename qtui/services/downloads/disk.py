"""What downloads have on the disk and will need there."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from qtui.core.downloads.download import Download
from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.landing import Landing, landing_of
from qtui.core.downloads.queue import Room
from qtui.core.text import clean_name


def landings(cache: Path, download: Download) -> list[tuple[RemoteFile, Landing]]:
    """Return each file of a download with its paths."""
    return [
        (
            file,
            landing_of(
                file, cache=cache, folder=download.folder,
                repository=download.repository, commit=download.commit, revision=download.revision,
            ),
        )
        for file in download.files
    ]  # fmt: skip


def kept_bytes(cache: Path, download: Download) -> int:
    """Return the bytes that are here of a download, in place or in part."""
    return sum(_here(landing, file) for file, landing in landings(cache, download))


def rooms(cache: Path, downloads: Iterable[Download]) -> list[Room]:
    """Return each disk that is written to: what is free there, and what is still to come; equal files count once."""
    needed: dict[int, int] = {}
    folders: dict[int, Path] = {}
    seen: set[Path] = set()
    for download in downloads:
        for file, landing in landings(cache, download):
            if landing.partial in seen:
                continue
            seen.add(landing.partial)
            folder = _existing(landing.partial.parent)
            with contextlib.suppress(OSError):
                device = folder.stat().st_dev
                folders.setdefault(device, folder)
                needed[device] = needed.get(device, 0) + max(0, file.size - _here(landing, file))
    return [
        Room(clean_name(str(folders[device])), shutil.disk_usage(folders[device]).free, size)
        for device, size in needed.items()
    ]


def discard(cache: Path, download: Download) -> None:
    """Remove the partials of a download; what is complete stays, and nothing is removed through a link."""
    for _, landing in landings(cache, download):
        for path in (landing.partial, landing.state):
            with contextlib.suppress(OSError):
                if stat.S_ISREG(path.lstat().st_mode) and _is_below(path.parent, landing.root):
                    path.unlink()


def _here(landing: Landing, file: RemoteFile) -> int:
    for path in (landing.name, landing.final):
        with contextlib.suppress(OSError):
            if path.stat().st_size == file.size:
                return file.size
    with contextlib.suppress(OSError):
        return min(landing.partial.lstat().st_size, file.size)
    return 0


def _existing(folder: Path) -> Path:
    """Return the folder, or the nearest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), folder)


def _is_below(folder: Path, root: Path) -> bool:
    return os.path.realpath(folder) == os.path.join(os.path.realpath(root), folder.relative_to(root))  # noqa: PTH118
