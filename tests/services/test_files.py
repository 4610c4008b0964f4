"""Whole files or none."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.services.files import replacing, write_atomic


def test_a_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    write_atomic(path, b"one")
    write_atomic(path, b"two", mode=0o644)
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_in_the_middle_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".part"
        temporary.write_bytes(b"half")
        raise RuntimeError("cancelled")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(QtuiError) as caught:
        write_atomic(tmp_path / "none" / "file\x1b[2J", b"")
    assert caught.value.hint
    assert "\x1b" not in caught.value.message


def test_a_folder_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(QtuiError):
        write_atomic(tmp_path / "folder", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
