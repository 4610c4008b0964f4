from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError
from qtui.core.library.variant import Variant
from qtui.services.library.library import LocalLibrary
from tests.conftest import write_ghost

LONG_AGO = 1_600_000_000


def settle(*folders: Path) -> None:
    """Let folders look as if nothing had happened in them lately."""
    for folder in folders:
        os.utime(folder, (LONG_AGO, LONG_AGO))


async def scanned(library: LocalLibrary, folder: Path) -> list[Variant]:
    return [variant async for variant in library.scan([folder])]


async def tells(library: LocalLibrary) -> bool:
    return library._watched.changed()


async def test_nothing_is_told_while_nothing_happens(tmp_path: Path) -> None:
    write_ghost("llama-dense", tmp_path)
    settle(tmp_path)
    library = LocalLibrary()
    await scanned(library, tmp_path)
    assert not await tells(library)


@pytest.mark.parametrize("what", ["comes", "goes", "folder", "renamed"])
async def test_files_that_come_and_go_are_told(tmp_path: Path, what: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    file = write_ghost("llama-dense", inner)
    settle(tmp_path, inner)
    library = LocalLibrary()
    await scanned(library, tmp_path)
    match what:
        case "comes":
            write_ghost("qwen3-dense", inner)
        case "goes":
            file.unlink()
        case "folder":
            shutil.rmtree(inner)
        case "renamed":
            file.rename(file.with_name("other.gguf"))
    assert await tells(library)
    await scanned(library, tmp_path)
    settle(*(folder for folder in (tmp_path, inner) if folder.exists()))
    await scanned(library, tmp_path)
    assert not await tells(library)


async def test_a_change_within_the_grain_of_the_clock_is_looked_at_once_more(tmp_path: Path) -> None:
    library = LocalLibrary()
    write_ghost("llama-dense", tmp_path)
    await scanned(library, tmp_path)
    assert await tells(library)  # the folder changed a moment ago: another change might look like the same


async def test_a_place_that_is_made_later_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later = tmp_path / "later"
    library = LocalLibrary([later])
    assert [variant async for variant in library.scan()] == []
    assert not await tells(library)
    later.mkdir()
    assert await tells(library)


async def test_a_file_that_grows_in_place_is_told(tmp_path: Path) -> None:
    file = write_ghost("llama-dense", tmp_path)
    whole = file.stat().st_size
    os.truncate(file, whole // 2)
    settle(tmp_path)
    library = LocalLibrary()
    assert "truncated" in (await scanned(library, tmp_path))[0].problem
    assert not await tells(library)
    os.truncate(file, whole)
    assert await tells(library)
    assert (await scanned(library, tmp_path))[0].loadable


async def test_watch_yields_when_something_changed(tmp_path: Path) -> None:
    settle(tmp_path)
    library = LocalLibrary()
    await scanned(library, tmp_path)
    write_ghost("llama-dense", tmp_path)
    told = 0
    async with asyncio.timeout(20):
        async for _ in library.watch(interval=0.001):
            told += 1
            break
    assert told == 1


async def test_facts_are_read_once_while_the_file_stays(tmp_path: Path) -> None:
    file = write_ghost("qwen3moe-moe", tmp_path)
    library = LocalLibrary()
    variant = (await scanned(library, tmp_path))[0]
    facts = await library.facts(variant)
    assert facts.architecture == "qwen3moe" and facts.experts is not None
    assert await library.facts(variant) is facts
    os.utime(file, (LONG_AGO, LONG_AGO))
    again = await library.facts(variant)
    assert again is not facts and again == facts
    file.unlink()
    with pytest.raises(BadFileError, match="no such file"):
        await library.facts(variant)
