"""What is being made: a part under a name of its own beside the target, locked by the process that makes it.

The target appears when the part is whole and on the disk. What a killed process leaves has no lock: it is told from
what another qtui makes at this moment, and removed when something is made the next time. Parts end in `.part`, which
scans of the library skip; a list of the folders with parts lies in the data folder.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from qtui.core.errors import QtuiError, UsageError
from qtui.core.quantise.ports import Leftover
from qtui.core.text import clean, clean_name
from qtui.services.files import write_atomic
from qtui.services.paths import data_path

SUFFIX = ".quantise.part"
_PART = re.compile(r"\..{1,70}\.[a-z0-9_]{8}" + re.escape(SUFFIX))


@contextlib.contextmanager
def making(target: Path, *, overwrite: bool, folder: bool = False) -> Iterator[Path]:
    """Give a locked part beside `target` to fill, a file or a folder; what comes of a file takes the target's place.

    The part is removed when the block raises; of a folder whose files were moved away what is left of it, too.

    Raises:
        UsageError: the target is there and may not be overwritten, or is a folder.
        QtuiError: the folder is missing or cannot be written, or the disk is full.
    """
    refuse_target(target, overwrite=overwrite)
    part: Path | None = None
    record: Path | None = None
    lock = -1
    try:
        part, lock = _new_part(target, folder=folder)
        record = _record(part)
        yield part
        if not folder:
            part.chmod(0o644)
            os.fsync(lock)
            place(part, target, overwrite=overwrite)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        if part is not None:
            _remove(part)
        if lock >= 0:
            os.close(lock)
        if record is not None:
            record.unlink(missing_ok=True)


def refuse_target(target: Path, *, overwrite: bool) -> None:
    """Make sure that a target may be written.

    Raises:
        UsageError: it is a folder, no regular file, or there already.
        QtuiError: its folder is not there or cannot be written, or there can be no such name.
    """
    try:
        _refuse_target(target, overwrite=overwrite)
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(path: Path, error: OSError) -> QtuiError:
    """Return what to tell of a file that cannot be written."""
    long = error.errno == errno.ENAMETOOLONG
    return QtuiError(
        f"cannot write {clean_name(str(path))}: {clean(error.strerror or str(error))}",
        "choose a shorter name" if long else "check the free space and the permissions of the folder",
    )


def _refuse_target(target: Path, *, overwrite: bool) -> None:
    name = clean_name(str(target))
    if target.is_dir():
        raise UsageError(f"{name} is a folder", "name the file that is to be made in it")
    if not target.parent.is_dir():
        raise QtuiError(f"cannot write {name}: its folder is not there", "make it, or write to another one")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise QtuiError(f"cannot write {name}: its folder is read-only", "write to another one")
    if os.path.lexists(target):
        if target.exists() and not target.is_file():
            raise UsageError(f"{name} is no file", "choose another name for the result")
        if not overwrite:
            raise UsageError(f"{name} is there already", "choose another name, or --overwrite")


def place(part: Path, target: Path, *, overwrite: bool) -> None:
    """Give a whole part its name, and bring the folder's entries to the disk.

    Raises:
        UsageError: something came to be at the target meanwhile, and may not be overwritten.
        OSError: the disk or the file system fails.
    """
    if overwrite:
        part.replace(target)
    else:
        try:
            os.link(part, target)  # a rename would replace what came to be there meanwhile
        except FileExistsError:
            raise UsageError(
                f"{clean_name(str(target))} came to be while this was made", "choose another name"
            ) from None
        except OSError:  # file systems without hard links
            refuse_target(target, overwrite=False)
            part.rename(target)
        else:
            part.unlink()
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some file systems cannot
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sweep(folders: list[Path] | None = None) -> list[Leftover]:
    """Remove the parts that killed processes left, in the folders on record and in these; returns what was removed."""
    removed: list[Leftover] = []
    for record in _records():
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            part = Path(json.loads(record.read_bytes())["part"])
            if not part.parent.is_dir():
                continue  # a disk that is not mounted now
            removed += _swept(part)
            if not os.path.lexists(part):
                record.unlink(missing_ok=True)
    for folder in folders or []:
        with contextlib.suppress(OSError):
            for path in list(folder.iterdir()):
                removed += _swept(path)
    return removed


def _swept(path: Path) -> list[Leftover]:
    """Remove a path if it is a part without a lock."""
    if not _PART.fullmatch(path.name) or path.is_symlink():
        return []
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return []
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = sum(one.stat().st_size for one in path.iterdir()) if path.is_dir() else path.stat().st_size
        _remove(path)
        return [Leftover(path, size)]
    except OSError:  # another qtui makes it, or it cannot be removed
        return []
    finally:
        os.close(descriptor)


def _new_part(target: Path, *, folder: bool) -> tuple[Path, int]:
    prefix = f".{target.name[:64]}."
    if folder:
        part = Path(tempfile.mkdtemp(prefix=prefix, suffix=SUFFIX, dir=target.parent))
        lock = os.open(part, os.O_RDONLY)
    else:
        lock, name = tempfile.mkstemp(prefix=prefix, suffix=SUFFIX, dir=target.parent)
        part = Path(name)
    try:
        # Before anything else can find it; children of ours do not inherit the descriptor.
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        _remove(part)
        os.close(lock)
        raise
    return part, lock


def _record(part: Path) -> Path | None:
    """Put a part on record; None where nothing can be written."""
    folder = data_path() / "making"
    record = folder / f"{uuid.uuid4().hex}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomic(record, json.dumps({"part": str(part.absolute())}).encode())
    except (OSError, QtuiError):
        return None
    return record


def _records() -> list[Path]:
    with contextlib.suppress(OSError):
        return sorted((data_path() / "making").glob("*.json"))
    return []


def _remove(part: Path) -> None:
    if part.is_dir() and not part.is_symlink():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)
