"""Answers that are kept: bounded, shared, and as good as none whatever is wrong with the file."""

from __future__ import annotations

import random
import sqlite3
import stat
from pathlib import Path

import pytest

from qtui.services.engine import answers as module
from qtui.services.engine.answers import LONGEST, Answers


@pytest.fixture
def kept(tmp_path: Path) -> Answers:
    return Answers(tmp_path / "answers.sqlite3")


def test_what_is_kept_comes_back_also_to_another_process(kept: Answers) -> None:
    assert kept.get("a") is None and not kept.path.exists()
    kept.put("a", '{"one": 1}')
    kept.put("a", '{"one": 2}')
    assert Answers(kept.path).get("a") == '{"one": 2}' and kept.get("b") is None
    assert stat.S_IMODE(kept.path.stat().st_mode) == 0o600


def test_the_longest_unused_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Answers(tmp_path / "answers.sqlite3", most=20)
    day = 0.0

    def today() -> float:
        return day

    monkeypatch.setattr("qtui.services.engine.answers.time.time", today)
    for number in range(21):
        day = 100_000.0 * number
        kept.put(f"k{number:02}", "line")
        kept.get("k00")  # used every day
    found = [number for number in range(21) if kept.get(f"k{number:02}") is not None]
    assert found == [0, *range(4, 21)]
    kept.put("long", "x" * (LONGEST + 1))
    assert kept.get("long") is None


def test_a_damaged_file_is_begun_anew(kept: Answers) -> None:
    kept.path.write_bytes(b"this is no database, but long enough to be read as one" * 100)
    assert kept.get("a") is None
    kept.put("a", "line")
    assert kept.get("a") == "line"
    kept.path.with_name(kept.path.name + "-wal").unlink(missing_ok=True)
    kept.path.write_bytes(kept.path.read_bytes()[:5000])
    for _ in range(3):
        kept.get("a")
        kept.put("a", "again")
    assert kept.get("a") == "again"


def test_a_flipped_bit_never_changes_an_answer(kept: Answers) -> None:
    lines = {f"k{number}": f'{{"bytes": {number:08}}}' for number in range(40)}
    for key, line in lines.items():
        kept.put(key, line)
    whole = kept.path.read_bytes()
    chance = random.Random(5)
    for _ in range(150):
        damaged = bytearray(whole)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        kept.path.write_bytes(damaged)
        for key, line in lines.items():
            assert kept.get(key) in (line, None)
        kept.put("new", "line")
        for beside in kept.path.parent.glob("*-*"):
            beside.unlink()


def test_a_line_that_was_changed_behind_its_digest_is_not_taken(kept: Answers) -> None:
    kept.put("a", '{"bytes": 1000}')
    database = sqlite3.connect(kept.path)
    with database:
        database.execute("UPDATE answers SET line = ?", ('{"bytes": 9000}',))
    database.close()
    assert kept.get("a") is None


def test_one_in_use_or_of_another_shape_is_as_good_as_none(kept: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_S", 0.01)
    kept.put("a", "line")
    other = sqlite3.connect(kept.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    kept.put("b", "line")
    other.execute("ROLLBACK")
    assert kept.get("a") == "line" and kept.get("b") is None
    other.execute("DROP TABLE answers")
    other.execute("CREATE TABLE answers (other TEXT)")
    other.execute("CREATE INDEX answers_by_use ON answers (other)")
    other.close()
    kept.put("b", "line")
    assert kept.get("b") is None


def test_a_folder_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    kept = Answers(tmp_path / "file" / "answers.sqlite3")
    kept.put("a", "line")
    assert kept.get("a") is None
