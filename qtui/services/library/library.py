"""LocalLibrary: the Library port over the folders of this machine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.gguf.facts import Facts
from qtui.core.library.build import Files, build_variant
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name
from qtui.services.library.facts import FactsCache
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.headers import Headers, Opener
from qtui.services.library.items import Item, has_header, items_of
from qtui.services.library.lookup import Name, existing, item_at, matching, no_match
from qtui.services.library.places import known_places, label_of
from qtui.services.library.source import FileSource
from qtui.services.library.survey import survey
from qtui.services.library.walk import Walk
from qtui.services.library.watching import Watched


class LocalLibrary:
    """The GGUF files of this machine.

    Args:
        folders: the user's own folders, looked at besides the known places.
        cache: remembers headers; by default in qtui's cache folder.
        open_file: opens a file for its header.
    """

    def __init__(
        self, folders: Sequence[Path] = (), cache: HeaderCache | None = None, open_file: Opener = FileSource
    ) -> None:
        self._folders = tuple(folders)
        self._headers = Headers(cache or HeaderCache(), open_file)
        self._problems: tuple[str, ...] = ()
        self._facts = FactsCache()
        self._watched = Watched()

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what the last scan could not enter, and why."""
        return self._problems

    def places(self) -> Sequence[tuple[str, Path]]:
        """Return the places that are looked at, as (label, folder); they need not exist."""
        return known_places(self._folders)

    def look_in(self, folders: Sequence[Path]) -> None:
        """Look into other folders of the user's from the next scan on."""
        self._folders = tuple(folders)

    async def scan(self, folders: Sequence[Path] = ()) -> AsyncIterator[Variant]:
        """Yield variants as their headers are read, in a thread; closing the generator ends the scan.

        Names are gathered first (that opens no file), so that a file with several names is one row from the start.

        Args:
            folders: looked at instead of the known places.

        Raises:
            BadFileError: none of the `folders` is a folder.
        """
        places = _given(folders) if folders else self.places()
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Variant | None] = asyncio.Queue()
        stop = threading.Event()

        def work() -> None:
            try:
                for variant in self._variants(places, stop):
                    loop.call_soon_threadsafe(queue.put_nowait, variant)
            finally:
                loop.call_soon_threadsafe(queue.put_nowait, None)

        task = asyncio.create_task(asyncio.to_thread(work))
        try:
            while (variant := await queue.get()) is not None:
                yield variant
            await task
        finally:
            stop.set()
            # At most one header is still being read; the thread must not outlive the loop that it reports to.
            await asyncio.wait([task])

    async def watch(self, interval: float = 5.0) -> AsyncIterator[None]:
        """Yield each time files may have come or gone since the last scan, looked at every `interval` seconds."""
        while True:
            await asyncio.sleep(interval)
            if await asyncio.to_thread(self._watched.changed):
                yield

    async def facts(self, variant: Variant) -> Facts:
        """Return what the headers of a variant tell, remembered while its files stay as they are.

        Raises:
            BadFileError: missing, unreadable, not GGUF, damaged; a file that is only too short is read all the same.
        """
        return await asyncio.to_thread(self._facts.read, variant)

    async def find(self, name: str) -> Variant:
        """Return the variant that a path (any of its shards), `REPO/FILE` or `REPO:QUANT` names.

        Raises:
            BadFileError: no such file, a directory, unreadable, not GGUF, truncated.
            UsageError: the name fits nothing here; the hint says what is there.
        """
        return await asyncio.to_thread(self._find, name)

    def _find(self, name: str) -> Variant:
        path = existing(name)
        if path is not None:
            return self._at(path)
        wanted = Name(name)
        places = self.places()
        items = items_of(survey(_present(places), Walk()))
        variant = matching(items, wanted, self._build)
        self._headers.save()
        if variant is None:
            raise no_match(items, wanted, places)
        return self._at(variant.path)

    def _at(self, path: Path) -> Variant:
        item = item_at(path)
        # Read anew, whatever a cache knows: the error is then about the file as it is now.
        try:
            record = self._headers.read(path)
        except BadFileError as error:
            if error.message.startswith(clean_name(str(path))):
                raise
            raise BadFileError(f"{clean_name(str(path))}: {error.message}", error.hint) from error
        if record.problem:
            raise _bad(path, record.problem)
        for file in item.files:
            problem = self._headers.record(file).problem
            if problem:
                raise _bad(file.path, problem)
        variant = self._build(item, by_path=True)
        self._headers.save()
        return variant

    def _variants(self, places: Sequence[tuple[str, Path]], stop: threading.Event) -> Iterator[Variant]:
        walk = Walk(stop.is_set)
        items = items_of(survey(_present(places), walk))
        self._problems = tuple(walk.problems)
        unfinished: list[Path] = []
        try:
            for item in items:
                if stop.is_set():
                    return
                variant = self._build(item)
                if variant.problem:
                    unfinished.extend(file.path for file in item.files)
                yield variant
        finally:
            self._headers.save()
        self._watched.saw(walk.seen, [folder for _, folder in places], unfinished)

    def _build(self, item: Item, by_path: bool = False) -> Variant:
        readable = by_path or has_header(item)
        return build_variant(
            Files(
                shards=item.shards,
                records=tuple(self._headers.record(file) if readable else None for file in item.files),
                sizes=tuple(file.size for file in item.files),
                name=item.name,
                names=item.names,
                source=item.first.source,
                repository=item.first.repository,
            )
        )


def _given(folders: Sequence[Path]) -> list[tuple[str, Path]]:
    places = [(label_of(folder), folder) for folder in folders]
    if not _present(places):
        raise BadFileError(
            f"{', '.join(clean_name(str(folder)) for folder in folders)}: no such folder", "Name an existing folder."
        )
    return places


def _present(places: Sequence[tuple[str, Path]]) -> list[tuple[str, Path]]:
    return [(label, folder) for label, folder in places if folder.is_dir()]


def _bad(path: Path, problem: str) -> BadFileError:
    return BadFileError(f"{clean_name(str(path))}: {problem}", "Fetch the file again; `qtui ls` shows what is whole.")
