"""Folders by the platform's convention, and what happens without a home."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError
from qtui.services import paths
from qtui.services.paths import cache_dir, cache_path, config_dir, data_dir, log_dir, runtime_dir


@pytest.mark.parametrize(
    ("function", "variable"),
    [
        (config_dir, "XDG_CONFIG_HOME"),
        (data_dir, "XDG_DATA_HOME"),
        (cache_dir, "XDG_CACHE_HOME"),
        (log_dir, "XDG_STATE_HOME"),
        (runtime_dir, "XDG_RUNTIME_DIR"),
    ],
)
def test_folders_are_made_where_the_environment_says(function: Callable[[], Path], variable: str) -> None:
    folder = function()
    assert folder.is_dir()
    assert folder.is_relative_to(os.environ[variable])
    assert paths.APP in folder.parts


@pytest.mark.parametrize("function", [runtime_dir, log_dir])
def test_private_folders_are_private(function: Callable[[], Path]) -> None:
    function().chmod(0o755)
    assert stat.S_IMODE(function().stat().st_mode) == 0o700


def test_asking_for_the_path_makes_nothing() -> None:
    assert not cache_path().exists()


def test_a_home_that_is_a_file_is_an_error_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file/x"))
    with pytest.raises(QtuiError) as caught:
        config_dir()
    assert "XDG_CONFIG_HOME" in caught.value.hint


def test_without_a_writable_home_logs_go_to_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file/x"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = log_dir()
    assert folder.is_relative_to(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("value", ["", "/nonexistent/run"])
def test_without_a_runtime_folder_there_is_a_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = runtime_dir()
    assert folder.is_relative_to(tmp_path)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_planted_link_in_the_temporary_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"qtui-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(QtuiError):
        runtime_dir()
