"""From a started llama-server to one that answers: how far it is, and that it is ours that answers."""

from __future__ import annotations

import os
import re
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtui.core.commands import Serve
from qtui.core.errors import EngineError, QtuiError
from qtui.core.server.launch import KEY, ROUTER
from qtui.services.engine.child.memory import memory_of
from qtui.services.engine.child.server.cut import Cut
from qtui.services.engine.child.server.http import BrokenOffError, Http, RefusedError
from qtui.services.engine.child.server.process import ServerProcess

LOOK_S = 0.05
NOT_READY = 503
LISTENING = "0A"
_NO_PORT = re.compile(r"couldn't bind|bind to server|failed to (?:start|bind)", re.IGNORECASE)
LOOKS = 10
"""In a row must find that a port is not our server's before that is believed."""
PORTS = 3
"""Ports that are tried where a build cannot choose one by itself."""


class StoppedError(QtuiError):
    """The load was stopped."""

    kind = "cancelled"


class LostError(QtuiError):
    """Our server is gone; its process tells why."""

    def __init__(self, process: ServerProcess) -> None:
        super().__init__("llama-server ended")
        self.process = process


@dataclass(frozen=True, slots=True)
class Reached:
    """A server that answers."""

    http: Http
    props: dict[str, Any]
    """What `/props` tells."""
    process: ServerProcess | None = None
    """None: it is not ours."""


class Loading:
    """Starts what a command says, or attaches to it.

    Args:
        cut: stops it.
        log: takes what the server says, in bytes.
        progress: told how far the load is, from 0 to 1.
        started: told of the process as soon as there is one.
    """

    def __init__(
        self, cut: Cut, log: Callable[[bytes], object], progress: Callable[[float], object],
        started: Callable[[ServerProcess], object],
    ) -> None:  # fmt: skip
        self._cut = cut
        self._log = log
        self._progress = progress
        self._started = started
        self._foreign = 0
        """Looks in a row that found the port of our server with somebody else."""

    def reach(self, command: Serve) -> Reached:
        """Return the server once it answers.

        Raises:
            StoppedError: it was stopped.
            LostError: it ended instead.
            EngineError: it cannot be started, or what answers is something else.
        """
        if not command.program:
            return self._attach(command)
        chosen: int | None = None
        for _ in range(PORTS):
            key_file = _key_file(command.key) if command.key_file else None
            try:
                process = self._start(command, chosen, key_file)
                found = self._wait(process, command, chosen)
            finally:
                if key_file is not None:  # it was read before anything else
                    key_file.unlink(missing_ok=True)
            if found is not None:
                return found
            process.kill()
            process.wait()
            chosen = _free_port()
        raise EngineError("no port of this machine could be taken", "see which programs listen, or try again")

    def _start(self, command: Serve, port: int | None, key_file: Path | None) -> ServerProcess:
        arguments = command.arguments if port is None else _with_port(command.arguments, port)
        environment = {**os.environ, ROUTER: "1", "GGML_NO_BACKTRACE": "1"}
        if key_file is not None:
            arguments = (*arguments, "--api-key-file", str(key_file))
        else:
            environment[KEY] = command.key
        try:
            process = ServerProcess((command.program, *arguments), environment, self._log)
        except OSError as error:
            raise EngineError(f"llama-server cannot be started: {error.strerror}", "see qtui doctor") from error
        self._started(process)
        return process

    def _wait(self, process: ServerProcess, command: Serve, chosen: int | None) -> Reached | None:
        """Wait until our server answers; None: it must be given another port."""
        told = -1.0
        while True:
            if self._cut.wait(LOOK_S):
                process.kill()
                raise StoppedError("loading was cancelled")
            if not process.running:
                if chosen is not None and process.wait() > 0 and _NO_PORT.search("\n".join(process.tail())):
                    return None
                raise LostError(process)
            fraction = process.progress if process.progress is not None else _resident(process, command.weights)
            if fraction > told:
                told = fraction
                self._progress(fraction)
            if process.port == 0 and listening_ports(process.pid) is None:
                return None
            port = self._own_port(process)
            if port is None:
                continue
            http = Http(f"http://127.0.0.1:{port}", command.key, self._cut)
            try:
                props = http.get("/props")
            except RefusedError as error:
                if error.status != NOT_READY:
                    raise
                continue
            except BrokenOffError:
                continue
            if process.running:
                return Reached(http, props, process)

    def _own_port(self, process: ServerProcess) -> int | None:
        """Return the port at which our server listens, None while it does not.

        Another server may hold the port that ours was given: it must get neither the key nor a question, so the
        system is asked whose port it is before anything is sent there.

        Raises:
            EngineError: ours says that it listens where another one does.
        """
        held = listening_ports(process.pid)
        if held is None:  # nobody tells: it says that it listens once it has the port
            return process.port or None
        said = process.port
        if not said:
            return held[0] if held else None
        if said in held:
            self._foreign = 0
            return said
        self._foreign += 1
        if self._foreign < LOOKS or not process.running:
            return None
        process.kill()
        raise EngineError(
            f"another program holds port {said}, at which llama-server says that it listens",
            "see which programs listen there (ss -ltnp), or try again",
        )

    def _attach(self, command: Serve) -> Reached:
        http = Http(command.url, command.key, self._cut)
        begun = time.monotonic()
        while True:
            try:
                return Reached(http, http.get("/props"))
            except RefusedError as error:
                if error.status == NOT_READY:
                    self._progress(min(0.99, (time.monotonic() - begun) / 60))
                elif error.status in (401, 403):
                    raise
                else:
                    raise EngineError(f"{http.where} is no llama-server: {error.message}", "give its address") from None
            except BrokenOffError as error:
                hint = "is it started, with --host, and may this machine reach it?"
                raise EngineError(error.message, hint) from None
            if self._cut.wait(0.5):
                raise StoppedError("attaching was cancelled")


def _resident(process: ServerProcess, weights: int) -> float:
    """Return how much of the weights is resident, which says how far a load is where nothing else does."""
    held = memory_of(process.pid).resident
    return 0.0 if not weights or held is None else min(held / weights, 0.99)


def _with_port(arguments: tuple[str, ...], port: int) -> tuple[str, ...]:
    place = arguments.index("--port") + 1
    return (*arguments[:place], str(port), *arguments[place + 1 :])


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _key_file(key: str) -> Path:
    """Write the key where only this user may read it."""
    descriptor, name = tempfile.mkstemp(prefix="qtui-key-")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(key + "\n")
    return Path(name)


def listening_ports(pid: int) -> tuple[int, ...] | None:
    """Return the ports at which a process listens, as /proc tells; None where this system does not tell."""
    try:
        rows = Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except (OSError, UnicodeDecodeError):
        return None
    try:
        links = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:  # it is gone
        return ()
    found = []
    for row in rows:
        fields = row.split()  # proc(5): sl local_address rem_address st … inode
        if len(fields) > 9 and fields[3] == LISTENING and f"socket:[{fields[9]}]" in links:
            found.append(int(fields[1].rpartition(":")[2], 16))
    return tuple(found)
