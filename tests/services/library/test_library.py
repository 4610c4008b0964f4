"""The library as a whole: rows of a tree with everything in it, as they are found, without opening anything twice."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError
from qtui.core.library.report import library_report
from qtui.core.library.variant import Role, Variant
from qtui.services.library.header_cache import HeaderCache
from qtui.services.library.library import LocalLibrary
from qtui.services.library.source import FileSource
from tests.builders.gguf import build
from tests.services.library.tree import Opened, model_image, put_cached, put_model, put_shards, put_vocabulary, scanned

HOSTILE = os.fsdecode(b"evil\x1b[2J\xff[/red]\n-Q8_0.gguf")


def make_tree(root: Path) -> None:
    """Write one of everything that a library may meet."""
    put_model(root / "Tiny-Q8_0.gguf")
    put_model(root / "nested/deep/Tiny-Q4_0.GGUF", quant="Q4_0")
    put_shards(root / "whole", "Big-70B-Q4_K_M", 3)
    put_shards(root / "half", "Big-70B-Q4_K_M", 3, skip=[2])
    put_shards(root / "headless", "Big-70B-Q4_K_M", 2, skip=[1])
    put_vocabulary(root / "ggml-vocab-tiny.gguf")
    put_model(root / "mmproj-Tiny-F16.gguf", quant="F16", arch="clip")
    put_model(root / "adapter.gguf", quant="F16", general__type="adapter")
    put_model(root / "bge-small-F16.gguf", "bge small", "F16", "bert")
    whole = model_image().bytes()
    (root / "truncated-Q8_0.gguf").write_bytes(whole[:-100])
    (root / "cut-in-header-Q8_0.gguf").write_bytes(whole[:60])
    (root / "empty.gguf").write_bytes(b"")
    (root / "page.gguf").write_bytes(b"<html>not found</html>" * 40)
    (root / "Big.Q8_0.gguf.part1of2").write_bytes(whole[:500])
    (root / "Big.Q8_0.gguf.part2of2").write_bytes(whole[500:])
    (root / "imatrix_unsloth.dat").write_bytes(b"\1")
    (root / "other-Q8_0.gguf.incomplete").write_bytes(b"")
    (root / "link-Q8_0.gguf").symlink_to("Tiny-Q8_0.gguf")
    os.link(root / "Tiny-Q8_0.gguf", root / "nested/hard-Q8_0.gguf")
    (root / "nested/loop").symlink_to(root)
    (root / "gone-Q8_0.gguf").symlink_to("nowhere")
    os.mkfifo(root / "pipe.gguf")
    put_model(root / HOSTILE, name="")


async def test_a_tree_with_everything_in_it(tmp_path: Path) -> None:
    make_tree(tmp_path)
    rows = {row.path.relative_to(tmp_path).as_posix(): row for row in await scanned(tmp_path)}
    assert len(rows) == 18

    tiny = rows.pop("Tiny-Q8_0.gguf")
    assert (tiny.model, tiny.quant, tiny.role, tiny.architecture) == ("Tiny", "Q8_0", Role.MODEL, "llama")
    assert (tiny.context_length, tiny.layers, tiny.parameters) == (4096, 16, 256 * 8 + 256)
    assert tiny.bits_per_weight == pytest.approx(8 * (256 * 8 // 32 * 34 + 1024) / (256 * 9))
    assert {path.name for path in tiny.paths} == {"Tiny-Q8_0.gguf", "link-Q8_0.gguf", "hard-Q8_0.gguf"}
    assert tiny.loadable
    assert rows.pop("nested/deep/Tiny-Q4_0.GGUF").quant == "Q4_0"

    whole = rows.pop("whole/Big-70B-Q4_K_M-00001-of-00003.gguf")
    assert (whole.model, whole.shard_count, len(whole.shards), whole.complete) == ("Big 70B", 3, 3, True)
    assert whole.parameters == 256 * (1 + 2 + 3)
    assert whole.size == sum(path.stat().st_size for path in whole.shards)
    assert whole.loadable
    half = rows.pop("half/Big-70B-Q4_K_M-00001-of-00003.gguf")
    assert (half.complete, half.problem, half.shard_count, len(half.shards)) == (False, "2 of 3 shards here", 3, 2)
    assert half.parameters is None
    headless = rows.pop("headless/Big-70B-Q4_K_M-00002-of-00002.gguf")
    assert (headless.problem, headless.model, headless.quant) == ("1 of 2 shards here", "Big-70B", "Q4_K_M")

    roles = {"ggml-vocab-tiny.gguf": Role.VOCAB, "mmproj-Tiny-F16.gguf": Role.MMPROJ, "adapter.gguf": Role.ADAPTER}
    roles |= {"bge-small-F16.gguf": Role.EMBEDDING, "imatrix_unsloth.dat": Role.IMATRIX}
    assert {name: rows.pop(name).role for name in roles} == roles
    parts = rows.pop("Big.Q8_0.gguf.part1of2")
    assert (parts.role, parts.complete, parts.loadable) == (Role.RAWPART, False, False)
    assert "joining" in parts.problem

    truncated = rows.pop("truncated-Q8_0.gguf")
    assert truncated.problem.startswith("truncated: 100 of ")
    assert (truncated.model, truncated.architecture, truncated.loadable) == ("Tiny", "llama", False)
    problems = {name: rows.pop(name) for name in ("cut-in-header-Q8_0.gguf", "empty.gguf", "page.gguf")}
    assert all(row.problem and not row.loadable for row in problems.values())
    assert "not a GGUF file" in problems["page.gguf"].problem
    assert rows.pop("gone-Q8_0.gguf").problem == "a link to a file that is gone"
    partial = rows.pop("other-Q8_0.gguf.incomplete")
    assert (partial.model, partial.quant, partial.loadable) == ("other", "Q8_0", False)
    assert partial.problem.startswith("partial: ")

    ((name, hostile),) = rows.items()
    assert os.fsencode(name) == os.fsencode(HOSTILE)
    assert hostile.loadable
    assert not any(sign in hostile.model for sign in "\x1b\n\udcff")


async def test_the_report_has_every_documented_key(tmp_path: Path) -> None:
    make_tree(tmp_path)
    rows = await scanned(tmp_path)
    report = library_report(rows)["variants"]
    keys = "path paths shards model quant architecture role parameters size bits_per_weight context_length source"
    for entry, row in zip(report, rows, strict=True):
        assert set(keys.split()) <= entry.keys()
        assert {"complete", "duplicate_of", "possible_duplicate_of", "reclaimable"} <= entry.keys()
        assert entry["path"] == str(row.path)


async def test_a_second_scan_of_a_thousand_files_opens_none(tmp_path: Path) -> None:
    image = model_image()
    for number in range(1000):
        folder = tmp_path / "models" / str(number % 10)
        folder.mkdir(parents=True, exist_ok=True)
        image.write(folder / f"Tiny{number}-Q8_0.gguf")
    first, second, third = Opened(), Opened(), Opened()
    before = await scanned(tmp_path, library=LocalLibrary(open_file=first))
    again = await scanned(tmp_path, library=LocalLibrary(open_file=second))
    assert len(before) == len(first.paths) == 1000
    assert again == before
    assert second.paths == []
    changed = tmp_path / "models/3/Tiny13-Q8_0.gguf"
    model_image(name="Renamed").write(changed)
    os.utime(changed, ns=(1, 1))
    rows = await scanned(tmp_path, library=LocalLibrary(open_file=third))
    assert third.paths == [changed]
    assert [row.model for row in rows if row.path == changed] == ["Renamed"]


async def test_damaged_files_are_remembered_too(tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_bytes(b"<html>")
    opened = Opened()
    first = await scanned(tmp_path)
    assert await scanned(tmp_path, library=LocalLibrary(open_file=opened)) == first
    assert opened.paths == []


async def test_a_file_that_may_not_be_read_is_a_row_and_is_tried_again(tmp_path: Path) -> None:
    path = put_model(tmp_path / "Tiny-Q8_0.gguf")

    def refuse(_: Path) -> FileSource:
        raise BadFileError(f"{path}: may not be read", "Check its permissions.") from PermissionError(13, "denied")

    cache = HeaderCache(tmp_path / "headers.json")
    (row,) = await scanned(tmp_path, library=LocalLibrary(cache=cache, open_file=refuse))
    assert (row.problem, row.loadable, row.model) == ("may not be read", False, "Tiny")
    (row,) = await scanned(tmp_path, library=LocalLibrary(cache=HeaderCache(tmp_path / "headers.json")))
    assert row.loadable


async def test_rows_appear_while_other_headers_are_still_unread(tmp_path: Path) -> None:
    for name in "ab":
        put_model(tmp_path / f"{name}-Q8_0.gguf")
    seen_first = threading.Event()

    def opener(path: Path) -> FileSource:
        if path.name.startswith("b"):
            assert seen_first.wait(30)
        return FileSource(path)

    names = []
    async for row in LocalLibrary(open_file=opener).scan([tmp_path]):
        names.append(row.path.name)
        seen_first.set()
    assert names == ["a-Q8_0.gguf", "b-Q8_0.gguf"]


async def test_closing_the_scan_ends_it_and_keeps_what_was_read(tmp_path: Path) -> None:
    for number in range(50):
        put_model(tmp_path / f"{number:02}-Q8_0.gguf")
    reached, closed = threading.Event(), threading.Event()
    opened = Opened()

    def opener(path: Path) -> FileSource:
        if path.name.startswith("01"):
            reached.set()
            assert closed.wait(30)
        return opened(path)

    scan = LocalLibrary(open_file=opener).scan([tmp_path])
    first = await anext(scan)
    assert first.path.name == "00-Q8_0.gguf"
    while not reached.is_set():
        await asyncio.sleep(0)
    closing = asyncio.create_task(scan.aclose())  # type: ignore[attr-defined]
    await asyncio.sleep(0)  # it has begun, and waits for the header that is being read
    assert not closing.done()
    closed.set()
    await closing
    assert len(opened.paths) == 2
    again = Opened()
    await scanned(tmp_path, library=LocalLibrary(open_file=again))
    assert len(again.paths) == 48


async def test_folders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadFileError) as caught:
        await scanned(tmp_path / "none")
    assert "no such folder" in caught.value.message
    put_model(tmp_path / "here/Tiny-Q8_0.gguf")
    assert len(await scanned(tmp_path / "none", tmp_path / "here")) == 1


async def test_an_unreadable_place_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_model(tmp_path / "Tiny-Q8_0.gguf")
    (tmp_path / "sub").mkdir()
    real = os.scandir

    def scandir(path: Path) -> object:
        if Path(path).name == "sub":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    library = LocalLibrary()
    assert len(await scanned(tmp_path, library=library)) == 1
    assert library.problems == (f"{tmp_path}/sub: Permission denied",)


async def test_known_places_are_the_users_folders_the_cache_and_the_demo(tmp_path: Path, private_home: Path) -> None:
    put_model(tmp_path / "own/Tiny-Q8_0.gguf")
    put_cached(private_home / "huggingface/hub", "a/b", "c", "Tiny-Q4_0.gguf", model_image(quant="Q4_0"), digest="d1")
    put_model(private_home / "xdg_cache_home/qtui/demo/qtui-demo-Q2_K.gguf", "qtui-demo", "Q2_K")
    library = LocalLibrary([tmp_path / "own"])
    assert [label for label, _ in library.places()] == [str(tmp_path / "own"), "HF cache", "demo"]
    rows = await scanned(library=library)
    assert {(row.quant, row.source) for row in rows} == {
        ("Q8_0", str(tmp_path / "own")),
        ("Q4_0", "HF cache"),
        ("Q2_K", "demo"),
    }


async def test_without_any_place_there_are_no_rows() -> None:
    assert await scanned() == []


def only(rows: list[Variant]) -> Variant:
    (row,) = rows
    return row


async def test_a_renamed_shard_is_told_from_its_header(tmp_path: Path) -> None:
    paths = put_shards(tmp_path / "set", "Big-Q4_K_M", 3)
    (tmp_path / "alone").mkdir()
    paths[0].rename(tmp_path / "alone/model-Q4_K_M.gguf")
    row = only(await scanned(tmp_path / "alone"))
    assert not row.complete
    assert "one of 3 shards" in row.problem


async def test_a_file_of_another_kind_keeps_its_role_unknown(tmp_path: Path) -> None:
    build({"general.architecture": "flux"}, []).write(tmp_path / "picture-Q8_0.gguf")
    row = only(await scanned(tmp_path))
    assert (row.role, row.loadable) == (Role.UNKNOWN, False)
