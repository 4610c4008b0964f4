from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError
from qtui.services.library.source import FileSource, read_file_header
from tests.builders.gguf import tiny_model


def test_bytes_are_read_by_position(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bytes(range(100)))
    with FileSource(path) as source:
        assert source.size == 100
        assert source.read(10, 5) == bytes(range(10, 15))
        assert source.read(90, 50) == bytes(range(90, 100))
        assert source.read(200, 5) == b""


def test_a_header_is_read_through_links(tmp_path: Path) -> None:
    path = tiny_model().write(tmp_path / "tiny.gguf")
    link = tmp_path / "link.gguf"
    link.symlink_to(path)
    assert read_file_header(link).metadata["general.name"] == "Tiny"


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "bad\x1b[1m.gguf"
    path.write_bytes(b"nothing")
    with pytest.raises(BadFileError, match="not a GGUF file") as caught:
        read_file_header(path)
    assert caught.value.message.startswith("bad\ufffd[1m.gguf: ")
    whole = tiny_model()
    path.write_bytes(whole.bytes()[:-100])
    with pytest.raises(BadFileError, match="100 bytes are missing"):
        read_file_header(path)
    assert read_file_header(path, check_data=False).missing_bytes == 100


@pytest.mark.parametrize(
    "kind", ["missing", "below a file", "directory", "fifo", "device", "socket", "loop", "long", "nul"]
)
def test_what_is_no_regular_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    words = {"directory": "is a directory", "fifo": "a FIFO", "device": "a device", "missing": "no such file"}
    if kind == "below a file":
        path.write_bytes(b"")
        path = path / "y"
    elif kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        path = Path(os.devnull)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    elif kind == "loop":
        path.symlink_to(path)
    elif kind == "long":
        path = tmp_path / ("x" * 300)
    elif kind == "nul":
        path = Path("a\0b")
    with pytest.raises(BadFileError, match=words.get(kind, "cannot be read|no such file|not a path")) as caught:
        FileSource(path)
    assert caught.value.hint
    assert caught.value.message.isprintable()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = open_files()
    for _ in range(5):
        with pytest.raises(BadFileError):
            FileSource(tmp_path)
    with FileSource(tiny_model().write(tmp_path / "a.gguf")) as source:
        source.close()
        source.close()
    assert open_files() == before


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tiny_model().write(tmp_path / "a.gguf")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:  # root may read everything
        os.seteuid(65534)
    try:
        with pytest.raises(BadFileError, match="may not be read"):
            FileSource(path)
    finally:
        os.seteuid(user)
