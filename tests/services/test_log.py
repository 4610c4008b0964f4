from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator

import pytest

from qtui.services import journal
from qtui.services.log import JournalHandler, start_log
from qtui.services.paths import log_dir


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("qtui")
    before = (list(root.handlers), root.level, ours.level, logging.raiseExceptions)
    yield
    logging.captureWarnings(False)
    root.handlers[:], logging.raiseExceptions = before[0], before[3]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def written() -> str:
    path = log_dir() / journal.FILE
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_records_of_the_level_are_written_and_others_are_not() -> None:
    start_log("info")
    logging.getLogger("qtui.x").info("told")
    logging.getLogger("qtui.x").debug("not told")
    logging.getLogger("library").info("not told")
    logging.getLogger("library").warning("of a library")
    lines = written().splitlines()
    assert len(lines) == 2
    assert "INFO qtui.x: told" in lines[0]
    assert "WARNING library: of a library" in lines[1]


def test_starting_twice_writes_once() -> None:
    start_log("info")
    start_log("warning")
    logging.getLogger("qtui").warning("once")
    assert written().count("once") == 1
    assert sum(isinstance(handler, JournalHandler) for handler in logging.getLogger().handlers) == 1


def test_a_traceback_has_its_lines_and_no_secret_and_no_control() -> None:
    start_log("error")
    secret = "hf_" + "x1y2z3" * 5
    try:
        int(f"refused {secret} \x1b[2J")
    except ValueError:
        logging.getLogger("qtui").exception("it broke")
    text = written()
    assert "Traceback" in text and "ValueError: invalid literal" in text
    assert secret not in text and "\x1b" not in text
    assert len(text.splitlines()) >= 4


def test_warnings_go_to_the_log_and_wrong_arguments_are_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["one"]
    start_log("warning")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("something old", DeprecationWarning, stacklevel=1)
    logging.getLogger("qtui").error("%d of %s", *arguments)
    assert "something old" in written()
    assert "%d of %s" in written()
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_nothing_reaches_the_screen_when_the_log_cannot_be_written() -> None:
    code = (
        "import logging, warnings, asyncio\n"
        "from qtui.services import journal\nfrom qtui.services.log import start_log\n"
        "def broken(): raise journal.QtuiError('no')\n"
        "journal.log_dir = broken\nstart_log('debug')\n"
        "logging.getLogger('x').error('a %s', 'b', 'c')\nwarnings.warn('w')\n"
        "async def f(): asyncio.ensure_future(g())\nasync def g(): raise ValueError('lost')\nasyncio.run(f())\n"
    )
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
