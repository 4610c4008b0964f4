"""Where measurements are worked on: what stays of them, and for how long."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, QtuiError
from qtui.core.measure.scores import ChunkScores
from qtui.services.measure_files import KEPT_DAYS, LOGITS, MeasureFolder
from qtui.services.texts import TextFiles


@pytest.fixture
def home(tmp_path: Path) -> MeasureFolder:
    return MeasureFolder(tmp_path / "measure", kept_bytes=1000)


async def used(home: MeasureFolder, key: str, size: int, *, done: bool = True) -> str:
    desk = await home.open(key)
    Path(desk.logits).write_bytes(bytes(size))
    return await desk.close(done=done)


def left(home: MeasureFolder) -> set[str]:
    return {path.name for path in home.folder.iterdir()}


async def test_scores_are_kept_line_by_line_and_a_torn_line_ends_them(home: MeasureFolder) -> None:
    desk = await home.open("k")
    first, second = ChunkScores(255, 1.5, 2.5, klds=(0.1, 0.2), peak=7), ChunkScores(255, 2.5, 3.5)
    assert list(await desk.chunks("sha256:a/b")) == []
    await desk.add("sha256:a/b", first)
    await desk.add("sha256:a/b", second)
    assert list(await desk.chunks("sha256:a/b")) == [first, second]
    (file,) = list((home.folder / "k").glob("*.jsonl"))
    file.write_bytes(file.read_bytes()[:-5])
    assert list(await desk.chunks("sha256:a/b")) == [first]
    await desk.cut("sha256:a/b", 1)
    await desk.add("sha256:a/b", second)
    assert list(await desk.chunks("sha256:a/b")) == [first, second]
    await desk.close(done=False)
    fresh = await home.open("k", fresh=True)
    assert list(await fresh.chunks("sha256:a/b")) == []
    await fresh.close(done=False)


async def test_the_newest_logits_stay_and_older_ones_go(home: MeasureFolder) -> None:
    assert "kept in the cache" in await used(home, "one", 900)
    assert left(home) == {"one"}
    assert "14 days" in await used(home, "broken", 900, done=False)
    assert left(home) == {"broken"}  # what was complete goes, the interrupted stays
    assert "removed" in await used(home, "large", 1001)
    assert left(home) == {"broken"}
    await used(home, "two", 10)
    assert left(home) == {"broken", "two"}
    old = time.time() - KEPT_DAYS * 86400 - 60
    os.utime(home.folder / "broken", (old, old))
    await used(home, "three", 10)
    assert left(home) == {"three"}


async def test_what_another_works_on_is_left_alone(home: MeasureFolder) -> None:
    desk = await home.open("mine")
    with pytest.raises(QtuiError, match="another qtui"):
        await home.open("mine")
    await used(home, "other", 10)
    (home.folder / "mine" / LOGITS).write_bytes(bytes(50))
    assert await home.clean() == 10
    assert left(home) == {"mine"}
    await desk.close(done=True)
    assert await home.clean() == 50 and left(home) == set()
    assert await MeasureFolder(home.folder / "nowhere").clean() == 0


async def test_a_folder_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QtuiError, match="cannot work in"):
        await MeasureFolder(tmp_path / "file").open("k")
    desk = await MeasureFolder(tmp_path / "work").open("k", str(tmp_path / "none" / "x.kld"))
    with pytest.raises(QtuiError, match="none: No such file"):
        await desk.free()
    await desk.close(done=False)
    with pytest.raises(BadFileError, match="cannot read"):
        await MeasureFolder(tmp_path).look(str(tmp_path / "none"))


async def test_texts_by_name_and_by_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = TextFiles()
    assert {"demo", "mixed"} <= set(texts.names())
    assert (await texts.find("demo")).size > 40_000
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text("mine")
    mine = await texts.find("demo")  # a file of that name wins
    assert (mine.name, mine.size, mine.path) == ("demo", 4, str(tmp_path / "demo"))
    for name in ("none.txt", str(tmp_path), "a\0b"):
        with pytest.raises(BadFileError, match="cannot read"):
            await texts.find(name)


async def test_the_mixed_text_is_what_it_is_said_to_be() -> None:
    mixed = await TextFiles().find("mixed")
    text = Path(mixed.path).read_text(encoding="utf-8")
    assert mixed.size >= 64 * 1024
    russian = sum("а" <= letter.lower() <= "я" for letter in text)
    assert 0.08 < russian / len(text) < 0.5
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) > 30]
    assert len(set(lines)) > 0.97 * len(lines)
    assert "def " in text and "|" in text and "\t" not in text


async def test_of_scratch_work_nothing_stays_and_nothing_else_goes(home: MeasureFolder) -> None:
    await used(home, "kept", 900)
    desk = await home.scratch()
    Path(desk.logits).write_bytes(bytes(5000))
    assert len(left(home)) == 2 and await desk.free() > 0
    assert await home.clean() == 900, "what is worked on is left alone"
    assert await desk.close(done=True) == "" and left(home) == set()


async def test_scratch_work_of_a_qtui_that_was_killed_goes_with_the_next_measurement(home: MeasureFolder) -> None:
    desk = await home.scratch()
    Path(desk.logits).write_bytes(bytes(5000))
    os.close(desk._lock)  # the system lets go of it when a process ends
    await used(home, "next", 10)
    assert left(home) == {"next"}
