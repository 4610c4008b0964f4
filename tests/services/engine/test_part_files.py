"""Parts of what is being made: whole under the target's name or not there, and nothing left of a killed process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from qtui.core.errors import QtuiError, UsageError
from qtui.services.engine.part_files import making, refuse_target, sweep

HOLDER = """
import sys
from pathlib import Path
from qtui.services.engine.part_files import making
with making(Path(sys.argv[1]), overwrite=False) as part:
    part.write_bytes(b"12345")
    print(part, flush=True)
    sys.stdin.read()
"""


def killed(target: Path) -> Path:
    """Return the part that a process left which was killed while it made `target`."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(target)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdin is not None
    part = Path(holder.stdout.readline().strip())
    assert sweep([target.parent]) == []  # it is being made
    assert part.exists()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdout.close()
    holder.stdin.close()
    return part


def test_what_a_killed_process_left_is_removed_from_the_folders_on_record(tmp_path: Path) -> None:
    part = killed(tmp_path / "q.gguf")
    assert part.exists()
    removed = sweep()
    assert [(leftover.path, leftover.size) for leftover in removed] == [(part, 5)]
    assert list(tmp_path.iterdir()) == []
    assert sweep() == []


def test_it_is_found_without_a_record_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = killed(tmp_path / "q.gguf")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "another"))
    assert sweep() == []
    assert [leftover.path for leftover in sweep([tmp_path])] == [part]


def test_nothing_but_parts_is_removed(tmp_path: Path, private_home: Path) -> None:
    (tmp_path / ".model.gguf.quantise.part").write_bytes(b"of a user")
    (tmp_path / "model.abcdefgh.quantise.part").write_bytes(b"of a user")
    (tmp_path / ".m.gguf.abcdefgh.quantise.part").symlink_to(tmp_path / "model.abcdefgh.quantise.part")
    record = private_home / "xdg_data_home" / "qtui" / "making"
    record.mkdir(parents=True)
    (record / "one.json").write_text('{"part": "%s"}' % (tmp_path / "model.abcdefgh.quantise.part"))
    (record / "two.json").write_text("no json")
    assert sweep([tmp_path]) == []
    assert len(list(tmp_path.iterdir())) == 3


def test_a_result_takes_its_name_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "q.gguf"
    with making(target, overwrite=False) as part:
        part.write_bytes(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert target.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [target]


def test_nothing_stays_of_what_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), making(tmp_path / "q.gguf", overwrite=False) as part:
        part.write_bytes(b"half")
        _ = 1 // 0
    assert list(tmp_path.iterdir()) == []


def test_what_came_to_be_at_the_target_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "q.gguf"
    with pytest.raises(UsageError, match="came to be while"), making(target, overwrite=False) as part:
        part.write_bytes(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


def test_targets_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.gguf").touch()
    with pytest.raises(UsageError, match="is a folder"):
        refuse_target(tmp_path, overwrite=True)
    with pytest.raises(UsageError, match="is there already"):
        refuse_target(tmp_path / "old.gguf", overwrite=False)
    refuse_target(tmp_path / "old.gguf", overwrite=True)
    with pytest.raises(QtuiError, match="its folder is not there"):
        refuse_target(tmp_path / "no" / "q.gguf", overwrite=False)
    with pytest.raises(QtuiError, match="File name too long") as refused:
        refuse_target(tmp_path / ("q" * 300), overwrite=False)
    assert refused.value.hint == "choose a shorter name"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is no file"):
        refuse_target(tmp_path / "pipe", overwrite=True)


def test_a_folder_that_is_read_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(QtuiError, match="its folder is read-only"):
        refuse_target(tmp_path / "q.gguf", overwrite=False)
