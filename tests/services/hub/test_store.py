from __future__ import annotations

import os
from pathlib import Path

import pytest

from qtui.core.errors import EngineError, QtuiError
from qtui.core.hub.repository import RepositoryFile
from qtui.services.hub.store import HeaderStore
from tests.builders.gguf import tiny_model

TINY = tiny_model()


def file(number: int, size: int = TINY.size, date: float | None = None) -> RepositoryFile:
    return RepositoryFile(f"{number}.gguf", size, f"{number:064x}", date=date)


def test_a_header_stands_for_its_file(tmp_path: Path) -> None:
    store = HeaderStore(tmp_path)
    assert store.get(file(1)) is None
    path = store.put(file(1, 50 << 30, date=1000.0), TINY.header)
    header = store.get(file(1, 50 << 30))
    assert header is not None and header.file_size == path.stat().st_size == 50 << 30
    assert path.stat().st_blocks * 512 < 1 << 20 and path.stat().st_mtime == 1000.0
    assert path == store.path(file(1)) and path.suffix == ".header", "no scan for models takes it for one"
    assert path.stat().st_mode & 0o077 == 0


def test_other_sizes_and_damaged_files_are_as_good_as_none(tmp_path: Path) -> None:
    store = HeaderStore(tmp_path)
    path = store.put(file(1), TINY.header)
    assert store.get(file(1, TINY.size + 1)) is None
    path.write_bytes(bytes(TINY.size))
    assert store.get(file(1)) is None


def test_what_was_not_looked_at_for_longest_goes(tmp_path: Path) -> None:
    store = HeaderStore(tmp_path, most_bytes=40 << 10)
    paths = [store.put(file(number, 1 << 20), TINY.header + bytes(12 << 10)) for number in range(4)]
    for age, path in enumerate(paths):
        os.utime(path, (1000.0 + age, 0))
    assert store.get(file(0, 1 << 20)) is not None, "looked at just now"
    store.sweep()
    left = {path.name for path in paths if path.exists()}
    assert paths[0].name in left and paths[1].name not in left
    assert sum(path.stat().st_blocks * 512 for path in paths if path.exists()) <= 40 << 10


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QtuiError, match="cannot be kept"):
        HeaderStore(tmp_path / "file").put(file(1), TINY.header)


def test_without_sparse_files_it_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtui.services.hub.store.SPARE", -TINY.size - (1 << 20))
    with pytest.raises(EngineError, match="sparse"):
        HeaderStore(tmp_path).put(file(1), TINY.header)
    assert list(tmp_path.glob("*/*")) == []
