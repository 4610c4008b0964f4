"""Where files come to lie: in folders that are really ours, under names that huggingface_hub finds in its cache."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.landing import Landing
from qtui.core.errors import BadFileError
from qtui.core.text import clean_name
from qtui.services.downloads.child.partial import refuse, sync_folder

CACHE_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file is a cache directory tag; for what that is see https://bford.info/cachedir/\n"
)
"""Lets backup programs pass over a cache; huggingface_hub puts the same signature there."""


def prepare(landing: Landing) -> None:
    """Make the folders that a file needs.

    Raises:
        BadFileError: a link or a file stands where a folder should be.
        QtuiError: they cannot be made.
    """
    folders = [landing.final.parent, landing.partial.parent]
    folders += [path.parent for path in (landing.link, landing.ref) if path is not None]
    try:
        landing.root.mkdir(parents=True, exist_ok=True)
        landing.lock.parent.mkdir(parents=True, exist_ok=True)
        if landing.link is not None:
            _tag(landing.root.parent)
    except OSError as error:
        refuse(landing.root, error)
    _make_below(landing.root, folders)


def name_it(landing: Landing, commit: str) -> None:
    """Give the bytes their name in the snapshot, and note the branch's commit; nothing to do in a plain folder.

    Raises:
        QtuiError: the disk refuses it.
    """
    if landing.link is None:
        return
    try:
        _link(landing.final, landing.link)
        if landing.ref is not None:
            _replace_text(landing.ref, commit)
    except OSError as error:
        refuse(landing.link, error)


def whole(landing: Landing, file: RemoteFile) -> Path | None:
    """Return where bytes of the right length lie already, None where none do; they have not been compared."""
    for path in (landing.final, landing.link):
        # The name in a snapshot is looked at for systems without links, where it is the file itself.
        if path is None or (path is landing.link and path.is_symlink()):
            continue
        with contextlib.suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode) and status.st_size == file.size:
                return path
    return None


def _make_below(root: Path, folders: Iterable[Path]) -> None:
    """Make folders one after the other, and refuse to go through a link: it could lead anywhere."""
    for folder in folders:
        path = root
        for part in folder.relative_to(root).parts:
            path /= part
            try:
                path.mkdir(exist_ok=True)
                mode = path.lstat().st_mode
            except FileExistsError:
                mode = path.lstat().st_mode
            except OSError as error:
                refuse(path, error)
            if not stat.S_ISDIR(mode):
                what = "a link" if stat.S_ISLNK(mode) else "a file"
                raise BadFileError(f"{clean_name(str(path))}: {what} stands where a folder should be", "Remove it.")


def _link(blob: Path, name: Path) -> None:
    """Make `name` a relative link to `blob`, in one step; where there are no links the bytes move there."""
    target = os.path.relpath(blob, name.parent)
    if name.is_symlink() and os.readlink(name) == target:  # noqa: PTH115 - compared as it is written
        return
    if not blob.exists():
        return
    temporary = name.with_name(f".{os.getpid()}.{blob.name[:16]}.part")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(target)
    except OSError:
        blob.replace(name)
    else:
        temporary.replace(name)
    sync_folder(name.parent)


def _replace_text(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        if path.read_text(encoding="ascii") == text:
            return
    temporary = path.with_name(f".{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)
    temporary.replace(path)


def _tag(cache: Path) -> None:
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(cache / "CACHEDIR.TAG", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        os.write(descriptor, CACHE_TAG.encode())
        os.close(descriptor)
