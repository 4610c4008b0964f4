"""Where the `qtui` command begins: what ends it by Ctrl-C while Python still imports the rest of it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import NoReturn

INTERRUPTED = 130


def main() -> int:
    """Run the command and return its exit status.

    An interrupt in the midst of an import would be a traceback, or be swallowed by whatever is imported. Until the
    event loop handles signals there is nothing to save, so that the process just ends.
    """
    with contextlib.suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, _leave)
    from qtui.cli.main import main as command

    return command()


def _leave(_number: int, _frame: object) -> NoReturn:
    os._exit(INTERRUPTED)
