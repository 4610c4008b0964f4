"""LocalRemover: the Remover port. Looks at every name of a variant, and takes away those that may go.

No name is followed out of its place: a link goes as a link, its target stays. Between the look and the deletion every
name is looked at again through its folder's descriptor, so that what was put there meanwhile is not deleted.
"""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.library.owner import Owner
from qtui.core.library.removal import Doomed, Mechanism, Removal, Removed
from qtui.core.text import clean, clean_name
from qtui.services.hub.cache import delete_cached
from qtui.services.library.hf_cache import cache_of
from qtui.services.library.items import Item
from qtui.services.library.library import LocalLibrary
from qtui.services.library.walk import PARTIAL, Found

UNDER_WAY_S = 600.0
"""A download that was written to so lately is left to whoever writes it."""
_BESIDE = {Owner.LLAMA_CPP: ("{}.json", "{}.etag")}
"""Notes that a program keeps beside a file under its name, and that say nothing without it."""


class LocalRemover:
    """Deletes variants of this machine.

    Args:
        library: finds every name of a variant.
        delete_from_cache: takes snapshot entries out of a Hugging Face cache; returns the bytes freed.
        clock: seconds since the epoch.
    """

    def __init__(
        self,
        library: LocalLibrary,
        delete_from_cache: Callable[[Path, Iterable[Path]], int] = delete_cached,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._library = library
        self._delete_from_cache = delete_from_cache
        self._clock = clock

    async def preview(self, name: str) -> Removal:
        """Return what deleting the variant of this name means; see `core.ports.Remover`."""
        return await asyncio.to_thread(self._preview, name)

    async def remove(self, removal: Removal) -> Removed:
        """Delete what a preview says; see `core.ports.Remover`."""
        return await asyncio.to_thread(self._remove, removal)

    def _preview(self, name: str) -> Removal:
        item = self._library.locate_item(name)
        doomed: list[Doomed] = []
        kept: list[tuple[Path, str]] = []
        for found in _names(item):
            looked = self._look(found)
            if isinstance(looked, str):
                kept.append((found.path, looked))
            else:
                doomed.append(looked)
                doomed.extend(_beside(found, looked))
        commands = tuple(("ollama", "rm", alias) for alias in item.aliases) if item.first.owner is Owner.OLLAMA else ()
        return Removal(
            variant=self._library.build(item),
            doomed=tuple(doomed),
            kept=tuple(kept),
            frees=0 if kept else item.releases,
            commands=commands,
        )

    def _look(self, found: Found) -> Doomed | str:
        """Return a name that may go, or why it stays."""
        if found.owner is Owner.OLLAMA:
            return "Ollama's store is only read"
        cache = cache_of(found.path) if found.owner is Owner.HF else None
        root = Path(os.path.realpath(cache or found.root))
        try:
            status = found.path.lstat()
        except OSError as error:
            return clean(error.strerror or str(error))
        if not Path(os.path.realpath(found.path.parent)).is_relative_to(root):
            return "a link leads out of the place to it"
        if found.problem == PARTIAL and self._clock() - status.st_mtime < UNDER_WAY_S:
            return "it was written to just now: a program may be downloading it"
        entry = cache is not None and "snapshots" in found.path.relative_to(cache).parts
        mechanism = Mechanism.HF_CACHE if entry else Mechanism.UNLINK
        return Doomed(
            found.path, mechanism, root, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        )  # fmt: skip

    def _remove(self, removal: Removal) -> Removed:
        changed = [one.path for one in removal.doomed if not _as_seen(one)]
        if changed:
            raise QtuiError(
                f"{clean_name(str(changed[0]), 400)} has changed since it was looked at: nothing was deleted",
                "look again, then decide",
            )
        gone: list[Path] = []
        # Links of the user's first: were the blob gone before them, they would lead to nothing.
        for one in removal.doomed:
            if one.mechanism is Mechanism.UNLINK:
                _unlink(one)
                gone.append(one.path)
        for cache, paths in _by_cache(removal.doomed).items():
            self._delete_from_cache(cache, paths)
            gone.extend(paths)
        return Removed(tuple(gone), removal.frees)


def _names(item: Item) -> list[Found]:
    """Return every name of every file of an item, each path once."""
    return list({found.path: found for files in (item.files, *item.others) for found in files}.values())


def _beside(found: Found, doomed: Doomed) -> Iterable[Doomed]:
    for pattern in _BESIDE.get(found.owner, ()):
        path = found.path.with_name(pattern.format(found.path.name))
        try:
            status = path.lstat()
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            yield Doomed(
                path, Mechanism.UNLINK, doomed.root, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
            )


def _by_cache(doomed: Sequence[Doomed]) -> dict[Path, list[Path]]:
    caches: dict[Path, list[Path]] = {}
    for one in doomed:
        if one.mechanism is Mechanism.HF_CACHE and (cache := cache_of(one.path)) is not None:
            caches.setdefault(cache, []).append(one.path)
    return caches


def _as_seen(one: Doomed) -> bool:
    """Tell whether a name still is what it was when it was looked at."""
    try:
        return _same(one, one.path.lstat()) and Path(os.path.realpath(one.path.parent)).is_relative_to(one.root)
    except OSError:
        return False


def _same(one: Doomed, status: os.stat_result) -> bool:
    seen = (one.device, one.inode, one.size, one.mtime_ns)
    return seen == (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def _unlink(one: Doomed) -> None:
    """Take one name away, by the folder that it was seen in and no other.

    Raises:
        QtuiError: it may not be deleted, or is another file now.
    """
    try:
        if os.unlink not in os.supports_dir_fd:
            one.path.unlink()
            return
        folder = os.open(os.path.realpath(one.path.parent), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if not _same(one, os.stat(one.path.name, dir_fd=folder, follow_symlinks=False)):
                raise QtuiError(f"{clean_name(str(one.path), 400)} has changed meanwhile", "look again, then decide")
            os.unlink(one.path.name, dir_fd=folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise QtuiError(
            f"cannot delete {clean_name(str(one.path), 400)}: {clean(error.strerror or str(error))}",
            "check who owns it and the permissions of its folder",
        ) from error
