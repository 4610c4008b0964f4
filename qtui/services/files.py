"""Whole files or none: writes that a crash or a full disk cannot leave half done."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.text import clean, clean_name


def write_atomic(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by a file of this content; readers see the old one or the new one, never a part.

    Raises:
        QtuiError: the folder is missing or read-only, or the disk is full; the old file is untouched.
    """
    with replacing(path, mode) as temporary:
        temporary.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Give a temporary file in the folder of `path` to fill; it takes the place of `path` when the block ends well.

    For files that others write (llama.cpp quantising, a download). The temporary file ends in `.part`, which scans
    skip, and is removed when the block raises.

    Raises:
        QtuiError: the folder is missing or read-only, or the disk is full; the old file is untouched.
    """
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name[:64]}.", suffix=".part", dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        temporary.chmod(mode)
        _flush(temporary)
        temporary.replace(path)
        temporary = None
        _flush(path.parent)
    except OSError as error:
        raise QtuiError(
            f"cannot write {clean_name(str(path))}: {clean(error.strerror or str(error))}",
            "check the free space and the permissions of the folder",
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Bring a file, or a folder's entries, to the disk; some file systems cannot sync a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError) if path.is_dir() else contextlib.nullcontext():
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
