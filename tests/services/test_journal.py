from __future__ import annotations

import stat
from pathlib import Path

import pytest

from qtui.services import journal
from qtui.services.paths import log_dir


def test_a_line_is_appended_with_the_time_and_without_control_characters() -> None:
    assert journal.note("first") and journal.note("se\x1b[31mcond\nline")
    path = log_dir() / journal.FILE
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0][20:] == "first" and len(lines) == 2 and "\x1b" not in lines[1]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_log_starts_anew_and_keeps_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_BYTES", 50)
    for number in range(4):
        assert journal.note(f"a line of some length {number}")
    path = log_dir() / journal.FILE
    assert path.with_suffix(".log.1").is_file() and path.stat().st_size < 200


def test_a_log_that_cannot_be_written_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(journal, "log_dir", lambda: tmp_path / "file")
    assert not journal.note("lost")
