"""The socket of an endpoint, bound before anything is loaded, so that a port in use is told at once."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from dataclasses import dataclass

from qtui.core.errors import QtuiError, UsageError
from qtui.core.serving.gate import loopback, wildcard
from qtui.core.text import clean, clean_name

BACKLOG = 128
"""Connections that may wait to be taken."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint may listen."""

    host: str
    """As the user wrote it."""
    family: int
    address: str
    """In figures."""
    here_only: bool
    """Only this machine can reach it."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens; who connects waits until somebody answers."""

    socket: socket.socket
    place: Place
    port: int

    @property
    def url(self) -> str:
        """Return the address for programs on this machine, without a path."""
        host = self.place.address
        if wildcard(host):
            host = "::1" if ":" in host else "127.0.0.1"
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def close(self) -> None:
        """Give the port back."""
        with contextlib.suppress(OSError):
            self.socket.close()


async def find_place(host: str) -> Place:
    """Look a host up; of several addresses the first is taken.

    Raises:
        UsageError: there is no such host.
    """
    name = host.strip("[]")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = clean(getattr(error, "strerror", None) or str(error))
        raise UsageError(f"there is no host {clean_name(host)}: {reason}", "127.0.0.1 is this machine alone") from error
    addresses = [str(entry[4][0]) for entry in found]
    if not addresses:
        raise UsageError(f"there is no host {clean_name(host)}", "127.0.0.1 is this machine alone")
    return Place(host, found[0][0], addresses[0], loopback(addresses))


def bind(place: Place, port: int) -> Listener:
    """Take a port; 0: any that is free.

    Raises:
        QtuiError: it is taken, or may not be.
    """
    made = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((place.address, port))
        made.listen(BACKLOG)  # a port that is only bound can be bound again
        made.setblocking(False)
    except OSError as error:
        made.close()
        raise _refused(place, port, error) from error
    return Listener(made, place, int(made.getsockname()[1]))


def _refused(place: Place, port: int, error: OSError) -> QtuiError:
    where = f"port {port} of {clean_name(place.host)}"
    if error.errno == errno.EADDRINUSE:
        return QtuiError(f"{where} is in use", "another --port, or --port 0 for any that is free")
    if error.errno == errno.EACCES:
        return QtuiError(f"{where} may not be used by you", "ports below 1024 belong to the system: another --port")
    if error.errno == errno.EADDRNOTAVAIL:
        return QtuiError(f"{clean_name(place.host)} is no address of this machine", "leave --host out")
    return QtuiError(f"{where} cannot be used: {clean(error.strerror or str(error))}", "another --port")


def machine_names() -> tuple[str, ...]:
    """Return the names under which other machines may know this one."""
    name = socket.gethostname()
    return (name, f"{name}.local") if name else ()
