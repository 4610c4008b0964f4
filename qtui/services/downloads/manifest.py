"""The manifest: what qtui has fetched and verified, a JSON line a file: the same quant can be proved later."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from qtui.core.downloads.download import Download
from qtui.core.downloads.files import RemoteFile
from qtui.core.errors import QtuiError
from qtui.core.wire import decode, encode
from qtui.services.paths import data_dir, data_path

FILE = "downloads.jsonl"


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One file that was fetched and had the right SHA-256."""

    repository: str
    commit: str
    path: str
    """In the repository."""
    size: int
    sha256: str
    time: float
    """When, in seconds since 1970."""
    file: str
    """The name under which it was put."""
    mtime_ns: int = 0
    """When the bytes were changed last then: other times mean that somebody wrote to it since."""


class Manifest:
    """The file, in qtui's data folder; one that cannot be read or written says nothing."""

    def __init__(self, folder: Callable[[], Path] = data_path) -> None:
        self._folder = folder

    @property
    def path(self) -> Path:
        """Return where it lies, or would."""
        return self._folder() / FILE

    def add(self, line: ManifestLine) -> bool:
        """Append a line; tell whether it was written."""
        try:
            if self._folder is data_path:
                data_dir()
            # One short write to a file that is open for appending cannot be torn by another process.
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self.path, flags, 0o600)
            try:
                os.write(descriptor, encode(line).encode("ascii"))
            finally:
                os.close(descriptor)
        except (OSError, QtuiError):
            return False
        return True

    def of(self, files: Iterable[Path]) -> dict[Path, ManifestLine]:
        """Return the newest line of each of these names that has one."""
        names = {str(path): path for path in files}
        found: dict[Path, ManifestLine] = {}
        with contextlib.suppress(OSError), self.path.open("rb") as stream:
            for text in stream:
                line = decode(text, (ManifestLine,))
                if isinstance(line, ManifestLine) and line.file in names:
                    found[names[line.file]] = line
        return found

    def is_unchanged(self, line: ManifestLine) -> bool:
        """Tell whether the bytes are as they were when they were verified, by size and time."""
        try:
            status = Path(line.file).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (line.size, line.mtime_ns)


def line_of(download: Download, file: RemoteFile, name: Path) -> ManifestLine:
    """Return the line of a file that was put under its name just now."""
    try:
        mtime_ns = name.stat().st_mtime_ns
    except OSError:
        mtime_ns = 0
    return ManifestLine(
        download.repository, download.commit, file.path, file.size, file.sha256, time.time(), str(name), mtime_ns
    )
