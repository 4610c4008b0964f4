"""Walking folders: what is looked at, once, and what is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qtui.services.library.walk import PARTIAL, Walk, is_wanted


def names(root: Path, walk: Walk | None = None) -> list[str]:
    return [found.path.relative_to(root).as_posix() for found in (walk or Walk()).files(root, "here")]


def touch(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.gguf", True),
        ("A.GGUF", True),
        ("a.gguf.part", False),
        ("a.gguf.part1of2", True),
        ("a.gguf-split-a", True),
        ("fp16_part_a", True),
        ("a.gguf.incomplete", False),
        ("a.gguf.downloadInProgress", False),
        ("a.gguf.aria2", False),
        ("a.gguf.crdownload", False),
        (".hidden.gguf", False),
        ("._a.gguf", False),
        ("imatrix.dat", True),
        ("X-GGUF_imatrix.dat", True),
        ("X.imatrix", True),
        ("imatrix_unsloth.gguf_file", True),
        ("readme.md", False),
        ("photo.dat", False),
        ("model.safetensors", False),
    ],
)
def test_names_that_belong_to_a_library(name: str, wanted: bool) -> None:
    assert is_wanted(name) is wanted


def test_order_hidden_folders_and_sizes(tmp_path: Path) -> None:
    touch(tmp_path, "b.gguf", "a.gguf", "sub/c.gguf", ".cache/d.gguf", "x.gguf/inside_part_a", "notes.txt")
    assert names(tmp_path) == ["a.gguf", "b.gguf", "sub/c.gguf", "x.gguf/inside_part_a"]


def test_a_hidden_folder_that_was_named_is_walked(tmp_path: Path) -> None:
    touch(tmp_path, ".models/a.gguf")
    assert names(tmp_path / ".models") == ["a.gguf"]


def test_linked_folders_are_entered_once_and_loops_end(tmp_path: Path) -> None:
    touch(tmp_path, "real/a.gguf")
    (tmp_path / "real/up").symlink_to(tmp_path)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert names(tmp_path) == ["link/a.gguf"]


def test_a_folder_outside_is_reached_by_its_link(tmp_path: Path) -> None:
    touch(tmp_path, "outside/a.gguf")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/disk").symlink_to(tmp_path / "outside")
    assert names(tmp_path / "root") == ["disk/a.gguf"]


def test_two_places_that_overlap_are_walked_once(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.gguf")
    walk = Walk()
    assert names(tmp_path / "sub", walk) == ["a.gguf"]
    assert names(tmp_path, walk) == []


def test_fifos_are_left_alone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")
    assert names(tmp_path) == []


def test_downloads_under_way_are_found_as_such(tmp_path: Path) -> None:
    touch(tmp_path, "half.gguf", "half.gguf.aria2", "b-Q4_0.gguf.part", ".c-Q4_0.gguf.x.part", "notes.part", "d.gguf")
    found = {file.path.name: (file.name, file.problem) for file in Walk().files(tmp_path, "here")}
    assert found == {
        "half.gguf": ("half.gguf", PARTIAL),
        "b-Q4_0.gguf.part": ("b-Q4_0.gguf", PARTIAL),
        "d.gguf": ("d.gguf", ""),
    }


def test_a_link_to_nothing_is_found_with_its_problem(tmp_path: Path) -> None:
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
    (found,) = Walk().files(tmp_path, "here")
    assert found.problem == "a link to a file that is gone"


def test_what_cannot_be_entered_is_reported_and_the_rest_walked(tmp_path: Path) -> None:
    touch(tmp_path, "file", "ok/a.gguf")
    walk = Walk()
    assert list(walk.files(tmp_path / "file", "here")) == []
    assert list(walk.files(tmp_path / "none", "here")) == []
    assert names(tmp_path / "ok", walk) == ["a.gguf"]
    assert len(walk.problems) == 2
    assert all(str(tmp_path) in problem for problem in walk.problems)


def test_a_folder_without_permission_is_reported(tmp_path: Path) -> None:
    touch(tmp_path, "locked/a.gguf", "b.gguf")
    (tmp_path / "locked").chmod(0)
    try:
        walk = Walk()
        found = names(tmp_path, walk)
        readable = os.access(tmp_path / "locked", os.R_OK)
    finally:
        (tmp_path / "locked").chmod(0o755)
    if readable:  # root may read it all the same
        assert found == ["b.gguf", "locked/a.gguf"]
    else:
        assert found == ["b.gguf"]
        assert len(walk.problems) == 1


def test_repositories_of_a_cache_are_set_aside(tmp_path: Path) -> None:
    touch(tmp_path, "models--a--b/snapshots/1/x.gguf", "blobs/aa/y.gguf", "trees/z.gguf", "own/w.gguf")
    walk = Walk()
    assert names(tmp_path, walk) == ["own/w.gguf"]
    assert [path.name for path in walk.repositories] == ["models--a--b"]


def test_a_walk_can_be_stopped(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.gguf", "b/2.gguf")
    seen: list[str] = []
    walk = Walk(stop=lambda: bool(seen))
    for found in walk.files(tmp_path, "here"):
        seen.append(found.path.name)
    assert seen == ["1.gguf"]
