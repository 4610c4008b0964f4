"""The session child of a llama-server, started with `-m`: commands on stdin, events on stdout, its log on stderr.

It is the guard of its server as well: the end of its input ends the server and itself, whatever either is doing.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback

from qtui.core.commands import Ask, Score, Serve
from qtui.core.errors import Failure, QtuiError
from qtui.core.events import Failed
from qtui.core.server.failures import server_failure
from qtui.core.text import clean
from qtui.services.engine.child.memory import allow_locking, offer_to_oom_killer
from qtui.services.engine.child.native import claim_stdout, harden
from qtui.services.engine.child.sender import Sender
from qtui.services.engine.child.server.cut import Cut
from qtui.services.engine.child.server.loading import LostError
from qtui.services.engine.child.server.process import ServerProcess
from qtui.services.engine.child.server.session import WATCHER_S, ServedSession, hosts_gone
from qtui.services.engine.child.stdin import Stdin

LOG_LINES = 60


class _Guard:
    """Watches the server that is ours, and tells why it is gone."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._hosts: tuple[str, ...] = ()
        self.doing = ""

    def serves(self, command: Serve) -> None:
        """Remember what a server was started with."""
        self._hosts = command.hosts

    def owns(self, process: ServerProcess) -> None:
        """Watch a server in a thread."""
        threading.Thread(target=self._watch, args=(process,), name="guard", daemon=True).start()

    def _watch(self, process: ServerProcess) -> None:
        status = process.wait()
        if process.ending:
            return
        log = process.tail(LOG_LINES)
        gone = hosts_gone(self._hosts) if self._hosts else ()
        failure = server_failure(status, log, doing=self.doing, gone=gone)
        if failure is None:  # the parent has a sentence for every signal, which a shell reports as 128 + n
            os._exit(128 - status)
        self._sender.send(Failed(failure, fatal=True))
        os._exit(1)


def leave(status: int) -> None:
    """End this process and whatever it started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(status)


def main() -> int:
    """Serve until the input ends; return 1 when nothing could be reached."""
    sender = Sender(claim_stdout())
    harden()
    offer_to_oom_killer()
    allow_locking()
    cut = Cut()
    stdin = Stdin(cut, leave=leave)
    stdin.start()
    guard = _Guard(sender)
    session = ServedSession(cut, sender.send, _log, guard.owns)
    try:
        return _serve(stdin, session, guard)
    except QtuiError as error:
        sender.send(Failed(Failure.of(error), fatal=True))
    except Exception as error:  # noqa: BLE001 (the process's outermost loop)
        traceback.print_exc()
        text = clean(f"{type(error).__name__}: {error}")
        sender.send(
            Failed(Failure(f"the session failed: {text}", "please report it with its log", "engine"), fatal=True)
        )
    finally:
        session.close()
    return 1


def _serve(stdin: Stdin, session: ServedSession, guard: _Guard) -> int:
    while command := stdin.take():
        guard.doing = "loading" if isinstance(command, Serve) else "answering"
        if isinstance(command, Serve):
            guard.serves(command)
            try:
                if not session.load(command):
                    return 1
            except LostError:
                time.sleep(WATCHER_S)  # who watches it tells why, and ends this process
                raise
        elif isinstance(command, Score):
            session.score(command)
        elif isinstance(command, Ask):
            session.ask(command)
        guard.doing = ""
        stdin.done()
    return 0


def _log(line: bytes) -> None:
    os.write(2, line)


if __name__ == "__main__":
    sys.exit(main())
