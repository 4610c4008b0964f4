"""Which engine a plan's `engine` means: the built-in one, a llama-server of this machine, or one that runs already."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from enum import StrEnum
from urllib.parse import urlsplit

from qtui.core.errors import UsageError
from qtui.core.memory.consumers import BUILT_IN, consumer_of
from qtui.core.text import clean_name

LLAMA_SERVER = "llama-server"
NAMES = f"{BUILT_IN.name}, {LLAMA_SERVER}, the path of one, or http://HOST:PORT of one that runs"


class EngineKind(StrEnum):
    """Who runs a model."""

    BUILT_IN = "built-in"
    SERVER = "llama-server"
    """A program of this machine, started for the session."""
    REMOTE = "remote"
    """A llama-server that runs already, mostly on another machine: its memory is unknown."""


def engine_kind(engine: str) -> EngineKind:
    """Return what an engine's name means.

    Raises:
        UsageError: it means nothing that runs models.
    """
    if engine in ("", BUILT_IN.name):
        return EngineKind.BUILT_IN
    if is_url(engine):
        server_address(engine)
        return EngineKind.REMOTE
    if engine == LLAMA_SERVER or "/" in engine or consumer_of(engine).name == LLAMA_SERVER:
        return EngineKind.SERVER
    raise UsageError(f"there is no engine {clean_name(engine)}", f"--engine takes {NAMES}")


def is_url(engine: str) -> bool:
    """Tell whether an engine is named by an address."""
    return engine.startswith(("http://", "https://"))


def server_address(url: str) -> str:
    """Return the address of a server as it is asked: without user, query and closing slash.

    Raises:
        UsageError: it is no address.
    """
    shown = clean_name(url, 200)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise UsageError(f"not an address: {shown}", "http://HOST:PORT") from error
    if not parts.hostname or parts.username is not None or parts.query or parts.fragment or not url.isprintable():
        raise UsageError(f"not an address of a server: {shown}", "http://HOST:PORT; its key stands in QTUI_ENGINE_KEY")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def leaves_machine(host: str) -> bool:
    """Tell whether a host's name or address (`host`, `host:port`, a URL) is not this machine's loopback."""
    name = urlsplit(host).hostname if is_url(host) else host.rpartition(":")[0] or host
    name = (name or "").strip("[]")
    if name == "localhost":
        return False
    try:
        return not ipaddress.ip_address(name).is_loopback
    except ValueError:
        return True


def untrusted(engine: str) -> str:
    """Return what is risky about a server's address, empty where nothing is."""
    if not engine.startswith("http://") or not leaves_machine(engine):
        return ""
    return "prompts, answers and the key go over the network as plain text: use https, or a tunnel (ssh -L)"


def untrusted_hosts(hosts: Iterable[str]) -> str:
    """Return what is risky about RPC hosts, as `host:port`; empty where all of them are this machine."""
    beyond = [clean_name(host, 120) for host in dict.fromkeys(hosts) if leaves_machine(host)]
    if not beyond:
        return ""
    return f"{' and '.join(beyond)}: the RPC protocol knows no key and no encryption"
