"""The queue between starts, and the manifest."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.downloads.download import State
from qtui.core.errors import Failure, QtuiError
from qtui.services.downloads.entries import Entries
from qtui.services.downloads.manifest import Manifest, line_of
from tests.core.downloads.fake_port import a_download

A, B, C = (a_download(f"{name}-Q4_K_M.gguf") for name in "ABC")


def entries(folder: Path) -> Entries:
    return Entries(lambda: folder)


def test_a_queue_comes_back_in_its_order_with_its_states(tmp_path: Path) -> None:
    first = entries(tmp_path)
    broken = replace(B, state=State.FAILED, failure=Failure("no", "hint", "network"))
    first.keep([C, broken, replace(A, state=State.PAUSED, done=5, rate=2.0, note="x")])
    assert first.load() == [C, broken, replace(A, state=State.PAUSED)]
    first.release()
    assert entries(tmp_path).load() == [C, broken, replace(A, state=State.PAUSED)]


def test_what_another_process_works_on_is_left_to_it(tmp_path: Path) -> None:
    running, mine = entries(tmp_path), entries(tmp_path)
    running.keep([replace(A, state=State.RUNNING)])
    assert mine.load() == [] and mine.adopt(A.id) is None
    assert [one.id for one in mine.others()] == [A.id]
    mine.keep([B])
    assert [one.id for one in running.load()] == [A.id]
    running.release()
    assert mine.others() == []
    assert {one.id for one in mine.load()} == {A.id, B.id}


def test_a_process_that_dies_leaves_its_downloads_to_the_next(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path\n"
        "from qtui.services.downloads.entries import Entries\n"
        "from tests.core.downloads.fake_port import a_download\n"
        "Entries(lambda: Path(sys.argv[1])).keep([a_download('A-Q4_K_M.gguf', sha256='ab' * 32)])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert [one.title for one in entries(tmp_path).load()] == ["A-Q4_K_M.gguf"]


def test_what_is_done_or_cancelled_is_kept_no_more(tmp_path: Path) -> None:
    kept = entries(tmp_path)
    kept.keep([A, B])
    kept.keep([replace(A, state=State.DONE)])
    assert list(tmp_path.iterdir()) == []
    kept.release()
    assert entries(tmp_path).load() == []


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "null", '{"v":1,"type":"Entry"}', '{"v":2}', "\0" * 100, "folder", "evil"]
)
def test_a_file_that_cannot_be_used_is_left_alone(tmp_path: Path, content: str) -> None:
    kept = entries(tmp_path)
    kept.keep([A])
    kept.release()
    path = tmp_path / f"{A.id}.json"
    if content == "folder":
        path.unlink()
        path.mkdir()
    elif content == "evil":
        path.write_text(path.read_text().replace('"A-Q4_K_M.gguf"', '"../../A-Q4_K_M.gguf"'))
    else:
        path.write_text(content)
    (tmp_path / "notes.json").write_text("{}")
    assert entries(tmp_path).load() == []
    assert path.exists()


def test_a_folder_that_cannot_be_written_is_an_error_and_reads_as_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = entries(tmp_path / "file")
    assert kept.load() == [] and kept.adopt(A.id) is None and kept.others() == []
    with pytest.raises(QtuiError, match="cannot be kept"):
        kept.keep([A])


def test_the_manifest_tells_the_newest_and_whether_it_still_holds(tmp_path: Path) -> None:
    manifest = Manifest(lambda: tmp_path)
    assert manifest.of([tmp_path / "a"]) == {}
    path = tmp_path / "a.gguf"
    path.write_bytes(b"x" * 1000)
    line = line_of(A, A.files[0], path)
    assert manifest.add(replace(line, commit="old")) and manifest.add(line)
    with manifest.path.open("ab") as stream:
        stream.write(b'{"torn\n\xff\xfe\n')
    assert manifest.of([path]) == {path: line}
    assert manifest.is_unchanged(line)
    path.write_bytes(b"y" * 1000)
    assert not manifest.is_unchanged(replace(line, mtime_ns=1))
    path.unlink()
    assert not manifest.is_unchanged(line)
    assert line.sha256 == A.files[0].sha256


def test_a_manifest_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert not Manifest(lambda: tmp_path / "missing").add(line_of(A, A.files[0], path))
