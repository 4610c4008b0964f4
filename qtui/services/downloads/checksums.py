"""FileChecksums: the Checksums port over the files of this machine, the manifest and the names of the cache."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import threading
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from qtui.core.downloads.expected import Expected, Source
from qtui.core.errors import BadFileError
from qtui.core.hub.address import Address, parse_address
from qtui.core.library.variant import Variant
from qtui.core.ports import Library
from qtui.services.downloads.manifest import Manifest, ManifestLine
from qtui.services.library.hf_cache import repository_of
from qtui.services.library.lookup import existing, item_at
from qtui.services.library.source import FileSource

CHUNK = 4 << 20
TOLD_S = 0.2
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileChecksums:
    """Looks files up and reads them, in threads."""

    def __init__(self, library: Library, manifest: Manifest | None = None) -> None:
        self._library = library
        self._manifest = manifest or Manifest()

    async def expected(self, name: str) -> Sequence[Expected]:
        """Return the files that a name means, and what they should be as far as this machine knows."""
        path = await asyncio.to_thread(existing, name)
        if path is not None:
            if path.is_dir():
                raise BadFileError(f"{name} is a directory", "Name a file in it.")
            paths: Sequence[Path] = item_at(path).shards.paths
        else:
            variant = await self._named(name)
            paths = variant.shards or (variant.path,)
        return await asyncio.to_thread(self._expected, paths)

    async def _named(self, name: str) -> Variant:
        """Return the variant that is here under a name of the Hub, one that cannot be loaded too.

        Raises:
            UsageError: there is none.
            BadFileError: it cannot be loaded, and is not found by its name alone.
        """
        try:
            return await self._library.find(name)
        except BadFileError:
            address = parse_address(name)
            if address is not None:
                here = [variant async for variant in self._library.scan()]
                called = next((variant for variant in here if _is_called(variant, address)), None)
                if called is not None:
                    return called
            raise

    async def digest(self, path: Path) -> AsyncGenerator[int | str]:
        """Read a file in a thread: the bytes read so far, at last its SHA-256; closing ends the thread."""
        loop = asyncio.get_running_loop()
        state = _Reading()
        task = loop.run_in_executor(None, state.read, path)
        try:
            while not task.done():
                await asyncio.wait([task], timeout=TOLD_S)
                yield state.done
            yield await task
        finally:
            state.stop.set()
            with contextlib.suppress(BadFileError, _StoppedError):
                await task

    def _expected(self, paths: Sequence[Path]) -> list[Expected]:
        known = self._manifest.of(paths)
        return [_expected(path, known.get(path)) for path in paths]


def _is_called(variant: Variant, address: Address) -> bool:
    """Tell whether a variant of this machine is what an address means, by names alone."""
    paths = [path.as_posix().casefold() for path in variant.shards or (variant.path,)]
    repository = address.repository.casefold()
    if variant.repository.casefold() != repository and f"/{repository}/" not in paths[0]:
        return False
    if address.file:
        return any(path.endswith(f"/{address.file.casefold()}") for path in paths)
    return variant.quant.casefold() == address.quant.casefold()


def _expected(path: Path, line: ManifestLine | None) -> Expected:
    """Return what a file should be: what the cache calls it goes before what we noted, for others may have put it."""
    inside = repository_of(path)
    repository = inside[0] if inside else line.repository if line is not None else ""
    try:
        here = path.stat().st_size
    except OSError:
        here = None
    size = line.size if line is not None else None
    digest = blob_digest(path)
    if digest is not None and (line is None or line.sha256 != digest):
        return Expected(path, here, None, digest, Source.CACHE, repository)
    if line is not None:
        return Expected(path, here, size, line.sha256, Source.MANIFEST, repository)
    return Expected(path, here, repository=repository)


def blob_digest(path: Path) -> str | None:
    """Return the SHA-256 that a Hugging Face cache calls the bytes of a name by; None: it is no such name.

    Only the first link tells it: where huggingface_hub shares blobs between repositories, the next one leads to a file
    whose name is another hash of as many digits.
    """
    if repository_of(path) is None:
        return None
    try:
        target = path.readlink()
    except OSError:
        return None
    return target.name if _SHA256.fullmatch(target.name) and target.parent.name == "blobs" else None


class _StoppedError(Exception):
    """Nobody waits for the digest any more."""


class _Reading:
    """One file being read in a thread."""

    def __init__(self) -> None:
        self.done = 0
        self.stop = threading.Event()

    def read(self, path: Path) -> str:
        """Return the SHA-256 of a file.

        Raises:
            BadFileError: it cannot be read.
        """
        whole = hashlib.sha256()
        with FileSource(path) as source:
            while piece := source.read(self.done, CHUNK):
                if self.stop.is_set():
                    raise _StoppedError
                whole.update(piece)
                self.done += len(piece)
        return whole.hexdigest()
