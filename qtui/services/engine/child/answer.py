"""The session child, started with `-m`: commands on stdin, events on stdout, llama.cpp's log on stderr."""

from __future__ import annotations

import sys
import traceback

from qtui.core.commands import Ask, Load, Score
from qtui.core.errors import Failure, QtuiError
from qtui.core.events import Failed
from qtui.core.text import clean
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.memory import offer_to_oom_killer
from qtui.services.engine.child.native import claim_stdout, harden, open_native
from qtui.services.engine.child.sender import Sender
from qtui.services.engine.child.session import Session
from qtui.services.engine.child.stdin import Stdin

LOG_LINES = 20


def main() -> int:
    """Serve until the input ends; return 1 when nothing could be loaded."""
    sender = Sender(claim_stdout())
    harden()
    offer_to_oom_killer()
    interrupt = Interrupt()
    stdin = Stdin(interrupt)
    stdin.start()
    try:
        return _serve(stdin, interrupt, sender)
    except QtuiError as error:
        sender.send(Failed(Failure.of(error), fatal=True))
    except Exception as error:  # noqa: BLE001 (the process's outermost loop)
        traceback.print_exc()
        text = clean(f"{type(error).__name__}: {error}")
        sender.send(
            Failed(Failure(f"the session failed: {text}", "please report it with its log", "engine"), fatal=True)
        )
    return 1


def _serve(stdin: Stdin, interrupt: Interrupt, sender: Sender) -> int:
    def aborted(text: str) -> None:
        failure = Failure(
            f"llama.cpp gave up: {text}",
            "the file may be damaged or made for another llama.cpp",
            "engine",
            native.log.tail(LOG_LINES),
        )
        sender.send(Failed(failure, fatal=True))

    native = open_native(aborted, sys.stderr)
    session = Session(native, interrupt, sender.send)
    while command := stdin.take():
        if isinstance(command, Load):
            if not session.load(command):
                return 1
        elif isinstance(command, Score):
            session.score(command)
        elif isinstance(command, Ask):
            session.ask(command)
        stdin.done()
    session.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
