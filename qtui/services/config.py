"""A TOML file that the user and several qtui processes write: read with forgiveness, changed key by key, never lost.

Only what changes is touched: comments, order and unknown keys stay. A file that is no TOML is kept under another name
before anything is written in its place.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.text import MIB, clean, clean_name
from qtui.services.files import write_atomic
from qtui.services.toml_edit import KeyPath, changed_table, edited, written

MAX_BYTES = MIB


@dataclass(frozen=True, slots=True)
class TomlContent:
    """What a file held at one moment."""

    text: str = ""
    table: Mapping[str, object] = field(default_factory=dict)
    problem: str = ""
    """Why nothing in it can be used; empty when the file is well, or not there."""
    broken: bool = False
    """It was read, and is no TOML: the user's text, to be kept under another name."""


class TomlFile:
    """One TOML file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> tuple[int, ...]:
        """Return what changes whenever the file does; empty when it is not there or cannot be asked for."""
        try:
            state = self.path.stat()
        except (OSError, ValueError):
            return ()
        return (state.st_mtime_ns, state.st_size, state.st_ino)

    def read(self) -> TomlContent:
        """Read the file; what is wrong with it as a whole is in `problem`."""
        raw, text = b"", ""
        try:
            raw = self._bytes()
            text = raw.decode("utf-8-sig")
            return TomlContent(text, tomllib.loads(text))
        except FileNotFoundError:
            return TomlContent()
        except tomllib.TOMLDecodeError as error:
            return _broken(f"is not valid TOML: {clean_name(str(error))}", text)
        except UnicodeDecodeError as error:
            line = raw[: error.start].count(b"\n") + 1
            return _broken(f"is not UTF-8 (line {line})")
        except RecursionError:
            return _broken("is nested too deeply", text)
        except (OSError, ValueError) as error:
            said = clean(getattr(error, "strerror", None) or str(error))
            return TomlContent(problem=f"cannot be read: {said}; nothing in it is used")

    def change(
        self, changes: Mapping[KeyPath, object | None], instead: Mapping[str, object] | None = None
    ) -> Path | None:
        """Set keys (None: remove them) over what the file holds by now.

        Args:
            changes: the keys.
            instead: what to write when the file is broken; the changes alone when not given.

        Returns:
            Where the old text went, when it could not be kept in the file; None otherwise.

        Raises:
            QtuiError: it cannot be written; the file is untouched.
        """
        with _locked(self.path):
            now = self.read()
            if now.problem and not now.broken:
                raise QtuiError(f"{_shown(self.path)} {now.problem}", "make it readable, or move it away")
            text = None if now.broken else edited(now.text, changes)
            kept = None
            if text is None:
                kept = _set_aside(self.path)
                text = written(_rewritten({} if now.broken else now.table, changes, instead if now.broken else None))
            try:
                self._write(text)
            except QtuiError:
                if kept:
                    kept.unlink(missing_ok=True)
                raise
        return kept

    def _write(self, text: str) -> None:
        # A link, as into a folder of dotfiles, stays one: its target is replaced.
        target = Path(os.path.realpath(self.path))
        mode = stat.S_IMODE(target.stat().st_mode) if target.is_file() else 0o600
        try:
            content = text.encode("utf-8")
        except UnicodeEncodeError as error:
            name = clean_name(error.object[max(0, error.start - 30) : error.end + 30])
            raise QtuiError(f"cannot write {name}: TOML holds only valid Unicode", "rename what it names") from error
        write_atomic(target, content, mode)

    def _bytes(self) -> bytes:
        if not stat.S_ISREG(self.path.stat().st_mode):
            raise ValueError("it is no file")
        with self.path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError("it is larger than 1 MiB")
        return raw


def _broken(problem: str, text: str = "") -> TomlContent:
    return TomlContent(text, {}, f"{problem}; nothing in it is used", broken=True)


def _rewritten(
    table: Mapping[str, object], changes: Mapping[KeyPath, object | None], instead: Mapping[str, object] | None
) -> Mapping[str, object]:
    if instead is not None:
        return instead
    for path, value in changes.items():
        table = changed_table(table, path, value)
    return table


def _set_aside(path: Path) -> Path:
    """Give the file a second name beside it; a copy where there are no hard links."""
    stem = f"{path.name}.broken-{time.strftime('%Y%m%d-%H%M%S')}"
    for number in range(1, 1000):
        kept = path.with_name(stem if number == 1 else f"{stem}-{number}")
        try:
            os.link(path, kept)
        except FileExistsError:
            continue
        except OSError:
            _copy(path, kept)
        return kept
    raise QtuiError(f"cannot keep the old text of {_shown(path)}", "remove some of the copies beside it")


def _copy(path: Path, kept: Path) -> None:
    try:
        with path.open("rb") as source, kept.open("xb") as target:
            shutil.copyfileobj(source, target)
    except OSError as error:
        raise QtuiError(
            f"cannot keep the old text of {_shown(path)}: {clean(error.strerror or str(error))}",
            "check the free space and the permissions of the folder",
        ) from error


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time read, change and write; where locks are not to be had, the last one wins."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    try:
        stream = path.with_name(f".{path.name}.lock").open("wb")
    except OSError as error:
        raise QtuiError(
            f"cannot write {_shown(path)}: {clean(error.strerror or str(error))}",
            "check the free space and the permissions of the folder",
        ) from error
    with stream:
        with contextlib.suppress(OSError):  # some network file systems have no locks
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _shown(path: Path) -> str:
    return clean_name(str(path), 400)
