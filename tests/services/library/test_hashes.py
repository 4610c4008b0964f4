"""Hashes of whole files: right, remembered, and stopped at once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError
from qtui.core.library.hashing import CopiesMarked, settle_copies
from qtui.core.library.variant import Variant
from qtui.services.library import hashes
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.library import LocalLibrary
from qtui.services.library.source import FileSource
from tests.services.library.tree import model_image, put_cached, put_model, put_shards, scanned


async def hashed(library: LocalLibrary, variant: Variant) -> list[str]:
    steps = [step async for step in library.hash(variant)]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total == variant.size
    return [each.sha256 for each in steps[-1].prints]


async def test_the_hash_of_every_shard_is_told_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = put_shards(tmp_path, "Big-Q4_K_M", 3)
    library = LocalLibrary()
    (row,) = await scanned(tmp_path, library=library)
    told = await hashed(library, row)
    assert told == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]

    def never(*_: object) -> str:
        raise AssertionError("read again")

    monkeypatch.setattr(hashes, "file_sha256", never)
    (again,) = await scanned(tmp_path, library=LocalLibrary())
    assert [each.sha256 for each in again.prints] == told


async def test_a_changed_file_loses_its_hash(tmp_path: Path) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    library = LocalLibrary()
    (row,) = await scanned(tmp_path, library=library)
    await hashed(library, row)
    os.utime(path, ns=(5, 5))
    (row,) = await scanned(tmp_path, library=library)
    assert row.prints[0].sha256 == ""


async def test_a_file_that_is_written_to_meanwhile_has_no_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    library = LocalLibrary()
    (row,) = await scanned(tmp_path, library=library)
    real = FileSource.read

    def read(source: FileSource, offset: int, length: int) -> bytes:
        os.utime(path, ns=(7, 7))
        return real(source, offset, length)

    monkeypatch.setattr(FileSource, "read", read)
    with pytest.raises(BadFileError, match="written to"):
        await hashed(library, row)


async def test_a_file_that_is_gone_has_no_hash(tmp_path: Path) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")
    library = LocalLibrary()
    (row,) = await scanned(tmp_path, library=library)
    path.unlink()
    with pytest.raises(BadFileError, match="no such file"):
        await hashed(library, row)


async def test_closing_stops_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashes, "CHUNK", 16)
    monkeypatch.setattr(hashes, "TOLD_EVERY", 16)
    put_model(tmp_path / "Tiny-Q8_0.gguf")
    library = LocalLibrary(cache=HeaderCache(tmp_path / "headers.json"))
    (row,) = await scanned(tmp_path, library=library)
    closing = threading.Event()
    real = FileSource.read

    def read(source: FileSource, offset: int, length: int) -> bytes:
        if length == 16 and offset == 64:
            closing.wait(30)
        return real(source, offset, length)

    monkeypatch.setattr(FileSource, "read", read)
    steps = library.hash(row)
    assert (await anext(steps)).done == 16
    closed = asyncio.create_task(steps.aclose())  # type: ignore[attr-defined]
    await asyncio.sleep(0)  # it has begun, and waits for the read that is under way
    closing.set()
    await closed
    (row,) = await scanned(tmp_path, library=library)
    assert row.prints[0].sha256 == ""


async def test_a_copy_of_a_cached_file_is_found_by_hashing_the_copy_alone(tmp_path: Path, private_home: Path) -> None:
    image = model_image()
    digest = hashlib.sha256(image.bytes()).hexdigest()
    cached = put_cached(private_home / "huggingface/hub", "a/b", "c", "Tiny-Q8_0.gguf", image, digest=digest)
    own = put_model(tmp_path / "own/Tiny-Q8_0.gguf")
    library = LocalLibrary([tmp_path / "own"])
    rows = await scanned(library=library)
    events = [event async for event in settle_copies(library, rows)]
    first, last = events[0], events[-1]
    assert isinstance(first, CopiesMarked)
    assert isinstance(last, CopiesMarked)
    assert {row.path: row.possible_duplicate_of for row in first.variants} == {cached: None, own: cached}
    assert {row.path: (row.duplicate_of, row.reclaimable) for row in last.variants} == {
        cached: (None, 0), own: (cached, own.stat().st_size),
    }  # fmt: skip
