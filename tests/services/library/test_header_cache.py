"""Remembered headers: valid for an unchanged file, worth nothing when damaged, never in the way."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.library.record import FileRecord
from qtui.core.library.variant import Role
from qtui.services.library.header_cache import FILE, VERSION, HeaderCache
from qtui.services.library.walk import Found
from qtui.services.paths import cache_dir

RECORD = FileRecord("llama", "Tiny", "Q8_0", Role.MODEL, 100, None, 4096, 16, 1, True, "truncated")
FOUND = Found(Path("/m/a.gguf"), 1000, 5_000_000_001, 1, 2, "/m", Path("/m"))


def test_what_was_put_is_there_in_the_next_process(tmp_path: Path) -> None:
    path = tmp_path / "headers.json"
    first = HeaderCache(path)
    assert first.get(FOUND) is None
    first.put(FOUND, RECORD)
    assert first.get(FOUND) == RECORD
    assert first.save()
    assert HeaderCache(path).get(FOUND) == RECORD


@pytest.mark.parametrize("change", [{"size": 1001}, {"mtime_ns": 5_000_000_002}, {"path": Path("/m/b.gguf")}])
def test_a_changed_file_is_not_known(tmp_path: Path, change: dict[str, object]) -> None:
    cache = HeaderCache(tmp_path / "headers.json")
    cache.put(FOUND, RECORD)
    assert cache.get(replace(FOUND, **change)) is None  # type: ignore[arg-type]


def test_by_default_it_lies_in_the_cache_folder() -> None:
    cache = HeaderCache()
    cache.put(FOUND, RECORD)
    assert cache.save()
    assert (cache_dir() / FILE).is_file()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 0, "files": {}}',
        b'{"version": 1, "files": {"/m/a.gguf": 7}}',
        b'{"version": 1, "files": {"/m/a.gguf": [1000, 5000000001, {"role": "none such"}]}}',
        b'{"version": 1, "files": {"/m/a.gguf": [1000, 5000000001, {"name": 7}]}}',
        b'{"version": 1, "files": {"/m/a.gguf": [1000, 5000000001, null]}}',
    ],
    ids=["empty", "cut", "a list", "no text", "deep", "other version", "a number", "bad role", "bad name", "null"],
)
def test_a_damaged_cache_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "headers.json"
    path.write_bytes(content)
    cache = HeaderCache(path)
    assert cache.get(FOUND) is None
    cache.put(FOUND, RECORD)
    assert cache.save()
    assert HeaderCache(path).get(FOUND) == RECORD


def test_fields_of_other_versions_are_ignored(tmp_path: Path) -> None:
    path = tmp_path / "headers.json"
    values = {**RECORD.as_json(), "colour": "red"}
    entry = [FOUND.size, FOUND.mtime_ns, FOUND.inode, values]
    path.write_text(json.dumps({"version": VERSION, "files": {str(FOUND.path): entry}}))
    assert HeaderCache(path).get(FOUND) == RECORD


def test_another_file_under_the_same_name_is_not_taken_for_the_old_one(tmp_path: Path) -> None:
    cache = HeaderCache(tmp_path / "headers.json")
    cache.put(FOUND, RECORD)
    assert cache.get(FOUND) == RECORD
    assert cache.get(replace(FOUND, inode=FOUND.inode + 1)) is None  # `cp -p` and `rsync -t` keep size and time


def test_a_folder_that_cannot_be_written_costs_nothing_but_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file/cache"))
    cache = HeaderCache()
    cache.put(FOUND, RECORD)
    assert not cache.save()
    assert cache.get(FOUND) == RECORD


def test_two_processes_keep_each_others_entries(tmp_path: Path) -> None:
    path = tmp_path / "headers.json"
    one, two = HeaderCache(path), HeaderCache(path)
    other = replace(FOUND, path=Path("/m/b.gguf"))
    assert one.get(FOUND) is two.get(FOUND) is None
    one.put(FOUND, RECORD)
    two.put(other, RECORD)
    assert one.save()
    assert two.save()
    assert HeaderCache(path).get(FOUND) == HeaderCache(path).get(other) == RECORD


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    odd = replace(FOUND, path=Path(os.fsdecode(b"/m/\xff\xfe\n.gguf")))
    cache = HeaderCache(tmp_path / "headers.json")
    cache.put(odd, RECORD)
    assert cache.save()
    assert HeaderCache(tmp_path / "headers.json").get(odd) == RECORD


def test_the_oldest_entries_are_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qtui.services.library.header_cache.MAX_ENTRIES", 2)
    path = tmp_path / "headers.json"
    for name in "abc":
        cache = HeaderCache(path)
        cache.put(replace(FOUND, path=Path(f"/m/{name}.gguf")), RECORD)
        assert cache.save()
    known = json.loads(path.read_bytes())["files"]
    assert list(known) == ["/m/b.gguf", "/m/c.gguf"]
