"""Places side by side: one that does not answer holds up no other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from qtui.services.library.crew import Crew, Job, answered
from qtui.services.library.library import LocalLibrary
from qtui.services.library.source import FileSource
from qtui.services.library.walk import Walk
from tests.services.library.tree import put_model, scanned

A, B = Path("/a"), Path("/b")


@pytest.fixture
def dead() -> threading.Event:
    """What a call on a dead mount waits for; set when the test has ended, so that no thread stays."""
    return threading.Event()


def test_a_place_that_does_not_answer_is_left_behind_once(dead: threading.Event) -> None:
    crew, entered = Crew(patience_s=0.05), []

    def hang(_: Job[str]) -> str:
        entered.append(1)
        dead.wait(60)
        return "late"

    for _ in range(2):
        results, silent = crew.run({A: hang, B: lambda _: "here"})
        assert (results, silent) == ({B: "here"}, (A,))
    assert len(entered) == 1  # the second run started no second thread that hangs
    dead.set()


def test_work_that_says_that_it_goes_on_may_take_its_time() -> None:
    def slow(job: Job[str]) -> str:
        for _ in range(40):
            threading.Event().wait(0.01)
            assert not job.beat()
        return "done"

    assert Crew(patience_s=0.2).run({A: slow}) == ({A: "done"}, ())


def test_one_that_was_left_behind_is_told_to_stop(dead: threading.Event) -> None:
    told: list[bool] = []
    ended = threading.Event()

    def hang(job: Job[str]) -> str:
        dead.wait(60)
        told.append(job.beat())
        ended.set()
        return ""

    Crew(patience_s=0.05).run({A: hang})
    dead.set()
    assert ended.wait(30)
    assert told == [True]


def test_errors_reach_whoever_waits() -> None:
    def fail(_: Job[str]) -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        Crew().run({A: fail})


def test_a_question_that_hangs_is_answered_otherwise(dead: threading.Event) -> None:
    assert answered(lambda: 3, 4) == 3
    assert answered(lambda: dead.wait(60), True, 0.05) is True
    dead.set()


async def test_a_dead_mount_leaves_the_rest_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dead: threading.Event
) -> None:
    put_model(tmp_path / "mount/Far-Q8_0.gguf")
    put_model(tmp_path / "disk/Near-Q8_0.gguf", "Near")
    real = Walk.entries

    def entries(walk: Walk, folder: Path) -> object:
        if folder.name == "mount":
            dead.wait(60)
        return real(walk, folder)

    monkeypatch.setattr(Walk, "entries", entries)
    library = LocalLibrary(patience_s=0.05)
    rows = await scanned(tmp_path / "mount", tmp_path / "disk", library=library)
    dead.set()
    assert [row.model for row in rows] == ["Near"]
    assert library.problems == (f"{tmp_path}/mount: does not answer; it is left out",)


async def test_a_mount_that_dies_between_names_and_headers(tmp_path: Path, dead: threading.Event) -> None:
    put_model(tmp_path / "mount/Far-Q8_0.gguf")
    put_model(tmp_path / "disk/Near-Q8_0.gguf", "Near")

    def opener(path: Path) -> FileSource:
        if path.parent.name == "mount":
            dead.wait(60)
        return FileSource(path)

    library = LocalLibrary(patience_s=0.05, open_file=opener)
    rows = await scanned(tmp_path / "mount", tmp_path / "disk", library=library)
    dead.set()
    assert [row.model for row in rows] == ["Near"]
    assert library.problems == (f"{tmp_path}/mount: does not answer; it is left out",)


async def test_a_folder_that_may_not_be_entered_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_model(tmp_path / "disk/Near-Q8_0.gguf")
    (tmp_path / "closed").mkdir()
    real = Path.stat

    def stat(path: Path, **how: bool) -> object:
        if path.name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path, **how)

    monkeypatch.setattr(Path, "stat", stat)
    library = LocalLibrary()
    assert len(await scanned(tmp_path / "closed", tmp_path / "disk", library=library)) == 1
    assert library.problems == (f"{tmp_path}/closed: Permission denied",)
