"""The app as a user starts it, in a real terminal of its own."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import DEMO_F16

LEFT_ALTERNATE_SCREEN = b"\x1b[?1049l"


class Terminal:
    """A pseudo-terminal with qtui in it."""

    def __init__(self, *arguments: str, code: str = "") -> None:
        self.shown = b""
        program = ["-c", code] if code else ["-m", "qtui"]
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execv(sys.executable, [sys.executable, *program, *arguments])
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))

    def until(self, happened: Callable[[], bool], limit: float = 60.0) -> None:
        """Read what is shown until something is there."""
        end = time.monotonic() + limit
        while not happened():
            assert time.monotonic() < end, self.shown[-3000:]
            self._read()

    def press(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def ended(self) -> int:
        """Read to the end and return the exit status."""
        end = time.monotonic() + 60
        while self._read():
            assert time.monotonic() < end, self.shown[-3000:]
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)

    def _read(self) -> bool:
        if not select.select([self._fd], [], [], 0.1)[0]:
            return True
        try:
            piece = os.read(self._fd, 1 << 16)
        except OSError:  # Linux says EIO when the other end is closed
            return False
        self.shown += piece
        return bool(piece)


@pytest.fixture
def open_terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(*arguments: str, code: str = "") -> Terminal:
        opened.append(Terminal(*arguments, code=code))
        return opened[-1]

    yield open_one
    for terminal in opened:
        terminal.close()


def test_the_app_opens_and_a_signal_ends_it_with_the_terminal_restored(
    open_terminal: Callable[..., Terminal], tmp_path: Path
) -> None:
    (tmp_path / "demo-F16.gguf").symlink_to(DEMO_F16)
    terminal = open_terminal("--models-dir", str(tmp_path))
    terminal.until(lambda: b"qtui-demo" in terminal.shown)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.ended() == 130
    assert terminal.shown.count(LEFT_ALTERNATE_SCREEN) == 1
    assert b"Traceback" not in terminal.shown


def test_the_monitor_verb_draws_until_ctrl_c(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("monitor")
    terminal.until(lambda: terminal.shown.count(b"major faults/s") >= 2)
    terminal.press(b"\x03")
    assert terminal.ended() == 130
    assert b"no sessions" in terminal.shown
    assert b"Traceback" not in terminal.shown
    assert terminal.shown.rindex(b"\x1b[?25h") > terminal.shown.rindex(b"\x1b[?25l")


@pytest.mark.slow
def test_the_demo_opens_the_arena_and_answers(open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal("demo")
    terminal.until(lambda: all(text in terminal.shown for text in (b"= 99.", b"= 109.", b"differ from word")))
    terminal.press(b"d")
    terminal.until(lambda: any(text in terminal.shown for text in (b"measures how far", b"model 1 of 2")))
    if b"measures how far" in terminal.shown:  # a slow machine: it must be asked for
        terminal.press(b"m")
    terminal.until(lambda: b"KL divergence of B from A: 0." in terminal.shown)
    terminal.press(b"\x11")
    assert terminal.ended() == 0
    assert LEFT_ALTERNATE_SCREEN in terminal.shown


@pytest.mark.slow
def test_a_crash_of_the_app_is_a_line_and_a_log(open_terminal: Callable[..., Terminal], private_home: Path) -> None:
    code = (
        "import sys\nfrom qtui.cli.main import main\nfrom qtui.ui.places.models import ModelsPlace\n"
        "def broken(self, *_):\n    raise ValueError('boom')\n"
        "ModelsPlace.show_vitals = broken\nsys.exit(main([]))"
    )
    terminal = open_terminal(code=code)
    assert terminal.ended() == 1
    assert b"something unexpected happened: ValueError: boom" in terminal.shown
    assert b"Traceback" not in terminal.shown
    (log,) = private_home.rglob("qtui-*.log")
    assert "boom" in log.read_text()
