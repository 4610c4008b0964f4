"""LocalLibrary: the Library port over the folders of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.gguf.facts import Facts
from qtui.core.library.build import Files, build_variant
from qtui.core.library.hash_step import HashStep
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name
from qtui.services.library.crew import PATIENCE_S, Crew, Job, answered
from qtui.services.library.facts import FactsCache
from qtui.services.library.hashes import hash_steps
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.headers import Headers, Opener
from qtui.services.library.items import Item, has_header, items_of
from qtui.services.library.lookup import Name, existing, item_at, matching, no_match
from qtui.services.library.places import Place, known_places, own_places
from qtui.services.library.source import FileSource
from qtui.services.library.surveyor import Surveyed, Surveyor, no_answer
from qtui.services.library.walk import PARTIAL
from qtui.services.library.watching import Watched


class LocalLibrary:
    """The GGUF files of this machine.

    Args:
        folders: the user's own folders, looked at besides the known places.
        cache: remembers headers; by default in qtui's cache folder.
        open_file: opens a file for its header.
        patience_s: how long a place may say nothing before it is left out.
    """

    def __init__(
        self, folders: Sequence[Path] = (), cache: HeaderCache | None = None, open_file: Opener = FileSource,
        patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        self._folders = tuple(folders)
        self._headers = Headers(cache or HeaderCache(), open_file)
        self._problems: tuple[str, ...] = ()
        self._facts = FactsCache()
        self._watched = Watched()
        self._patience_s = patience_s
        self._crew = Crew(patience_s)
        self._surveyor = Surveyor(self._crew)

    @property
    def problems(self) -> tuple[str, ...]:
        """Return what the last scan could not enter, and why."""
        return self._problems

    def places(self) -> Sequence[tuple[str, Path]]:
        """Return the places that are looked at, as (label, folder): those that exist, and those to fill."""
        return [(p.label, p.folder) for p in known_places(self._folders) if p.always_named or p.folder.is_dir()]

    def look_in(self, folders: Sequence[Path]) -> None:
        """Look into other folders of the user's from the next scan on."""
        self._folders = tuple(folders)

    async def scan(self, folders: Sequence[Path] = ()) -> AsyncIterator[Variant]:
        """Yield variants as their headers are read, in threads; closing the generator ends the scan.

        Names are gathered first (that opens no file), so that a file with several names is one row from the start.
        Places are read side by side; one that does not answer is left out, and stands in `problems`.

        Args:
            folders: looked at instead of the known places.

        Raises:
            BadFileError: none of the `folders` is a folder.
        """
        places = own_places(folders) if folders else known_places(self._folders)
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[Variant | None] = asyncio.Queue()
        stop = threading.Event()

        def emit(variant: Variant | None) -> None:
            # A thread that was left behind may come back when the loop is closed.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(queue.put_nowait, variant)

        def work() -> None:
            try:
                self._scan(places, emit, stop.is_set, named=bool(folders))
            finally:
                emit(None)

        task = asyncio.create_task(asyncio.to_thread(work))
        try:
            while (variant := await queue.get()) is not None:
                yield variant
            await task
        finally:
            stop.set()
            # At most one header of each place is still being read.
            await asyncio.wait([task])

    async def watch(self, interval: float = 5.0) -> AsyncIterator[None]:
        """Yield each time files may have come or gone since the last scan, looked at every `interval` seconds."""
        while True:
            await asyncio.sleep(interval)
            # A place that hangs now is left out by the scan that follows, and no longer looked at.
            if await asyncio.to_thread(answered, self._watched.changed, True, self._patience_s):
                yield

    async def facts(self, variant: Variant) -> Facts:
        """Return what the headers of a variant tell, remembered while its files stay as they are.

        Raises:
            BadFileError: missing, unreadable, not GGUF, damaged; a file that is only too short is read all the same.
        """
        return await asyncio.to_thread(self._facts.read, variant)

    def hash(self, variant: Variant) -> AsyncIterator[HashStep]:
        """Yield how far the hashes of a variant's files are, at last with all of them; see `core.ports.Library`."""
        return hash_steps(variant, self._headers)

    async def find(self, name: str) -> Variant:
        """Return the variant that a path (any of its shards), `REPO/FILE` or `REPO:QUANT` names.

        Raises:
            BadFileError: no such file, a directory, unreadable, not GGUF, truncated.
            UsageError: the name fits nothing here; the hint says what is there.
        """
        return await asyncio.to_thread(self._find, name)

    async def locate(self, name: str) -> Variant:
        """Return the variant of that name with every name of its bytes in the known places, whole or not.

        Raises:
            BadFileError: no such file, or it may not be looked at.
            UsageError: the name fits nothing here.
        """
        return self.build(await asyncio.to_thread(self.locate_item, name))

    def locate_item(self, name: str) -> Item:
        """Return the item of a name, with every other name of it that the known places hold; blocks."""
        path = existing(name, links=True)
        surveyed = self._surveyor.survey(known_places(self._folders))
        items = surveyed.all_items
        if path is None:
            variant = matching(items, Name(name), self.build)
            if variant is None:
                raise no_match(items, Name(name), known_places(self._folders), wanted_here=True)
            return next(item for item in items if item.first.path == variant.path)
        known = next((item for item in items if any(path in each for each in _paths(item))), None)
        if known is not None:
            return known
        found = item_at(path).files
        everything = [*(file for item in items for files in (item.files, *item.others) for file in files), *found]
        return next(item for item in items_of(everything) if any(path in each for each in _paths(item)))

    def _find(self, name: str) -> Variant:
        path = existing(name)
        if path is not None:
            return self._checked(item_at(path))
        wanted = Name(name)
        places = known_places(self._folders)
        items = self._surveyor.survey(places).all_items
        variant = matching(items, wanted, self.build)
        self._headers.save()
        if variant is None:
            raise no_match(items, wanted, places)
        return self._checked(next(item for item in items if item.first.path == variant.path))

    def _checked(self, item: Item) -> Variant:
        """Return the variant of an item whose files can all be loaded.

        Raises:
            BadFileError: one cannot.
        """
        path = item.first.path
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
        variant = self.build(item, by_path=True)
        self._headers.save()
        return variant

    def _scan(
        self, places: Sequence[Place], emit: Callable[[Variant], object], stop: Callable[[], bool], *, named: bool
    ) -> None:
        """Hand every variant of the places to `emit`; blocks."""
        surveyed = self._surveyor.survey(places, stop)
        self._problems = surveyed.problems
        if named and not surveyed.any_there:
            folders = ", ".join(clean_name(str(place.folder)) for place in places)
            raise BadFileError(f"{folders}: no such folder", "Name an existing folder.")
        try:
            unfinished, silent = self._crew.run(
                {folder: partial(self._read, items, emit) for folder, items in surveyed.items.items()}, stop
            )
        finally:
            self._headers.save()
        self._problems += tuple(map(no_answer, silent))
        if not stop():
            self._saw(surveyed, silent, [path for paths in unfinished.values() for path in paths])

    def _read(self, items: Sequence[Item], emit: Callable[[Variant], object], job: Job[list[Path]]) -> list[Path]:
        """Build the variants of one place; returns the files that could not be used as they are."""
        unfinished: list[Path] = []
        for item in items:
            variant = self.build(item)
            if job.beat():
                break
            if variant.problem and item.first.problem != PARTIAL:
                unfinished.extend(file.path for file in item.files)
            emit(variant)
        return unfinished

    def _saw(self, surveyed: Surveyed, silent: Sequence[Path], unfinished: Sequence[Path]) -> None:
        roots = [folder for folder in surveyed.answered if folder not in silent]
        seen = {path: then for path, then in surveyed.seen.items() if not any(map(path.is_relative_to, silent))}
        self._watched.saw(seen, roots, unfinished)

    def build(self, item: Item, by_path: bool = False) -> Variant:
        """Return the variant of an item, its headers read where they are not known; `by_path`: the user named it."""
        readable = by_path or has_header(item)
        first = item.first
        return build_variant(
            Files(
                shards=item.shards,
                records=tuple(self._headers.record(f) if readable or f.problem else None for f in item.files),
                sizes=tuple(file.size for file in item.files),
                name=item.name,
                names=item.names,
                source=first.source,
                repository=first.repository,
                owner=first.owner,
                aliases=item.aliases,
                written=max(file.mtime_ns for file in item.files) / 1e9 or None,
                hashes=tuple(file.sha256 for file in item.files),
                releases=item.releases,
            )
        )


def _paths(item: Item) -> list[tuple[Path, ...]]:
    """Return the paths of an item's files under each of its names."""
    return [tuple(file.path for file in files) for files in (item.files, *item.others)]


def _bad(path: Path, problem: str) -> BadFileError:
    return BadFileError(f"{clean_name(str(path))}: {problem}", "Fetch the file again; `qtui ls` shows what is whole.")
