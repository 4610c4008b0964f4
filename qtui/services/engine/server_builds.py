"""llama-server programs, read once each: version, options, devices, and whether they can use other machines.

What was read is kept for as long as the file stays the same one, by path, size and time.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.engines import LLAMA_SERVER, EngineKind, engine_kind, is_url
from qtui.core.errors import EngineError, UsageError
from qtui.core.hardware import EngineInfo
from qtui.core.server.build import ServerBuild, parse_help
from qtui.core.text import clean_name
from qtui.core.user_path import user_path
from qtui.services.engine.brief_run import Outcome, run_briefly
from qtui.services.engine.discovery import CPU, LIMIT, llama_server, parse_devices, plain_environment

NOBODY = "127.0.0.1:9"
"""Where no RPC host listens (the discard port): a build with RPC says that it cannot connect."""
CONNECT_S = 2.0
FRESH_S = 10.0
"""So long what RPC hosts lend counts as known."""
Stamp = tuple[str, int, int, int]


class ServerBuilds:
    """The programs that were read in this process.

    Args:
        setting: the path of a llama-server that the settings name; empty: none.
        limit: seconds per question.
    """

    def __init__(self, setting: Callable[[], str] = lambda: "", limit: float = LIMIT) -> None:
        self._setting = setting
        self._limit = limit
        self._read: dict[Stamp, asyncio.Task[ServerBuild]] = {}
        self._lent: dict[tuple[str, ...], tuple[float, asyncio.Task[ServerBuild]]] = {}
        """By program and hosts: when their devices were asked for, and what came."""

    def program(self, engine: str) -> Path:
        """Return the absolute path of an engine's program: as named, else the settings', else that on PATH.

        Raises:
            EngineError: there is none.
        """
        if "/" in engine:
            return user_path(engine).absolute()
        setting = self._setting()
        if "/" in setting and not is_url(setting):
            return user_path(setting).absolute()
        found = shutil.which(engine or LLAMA_SERVER)
        if found is None:
            raise EngineError(
                f"there is no {clean_name(engine)} on PATH",
                "install llama.cpp, or name the program: --engine /path/to/llama-server",
            )
        return Path(found).absolute()

    async def read(self, program: Path) -> ServerBuild:
        """Return what a program is; `info.usable` is False with the reason where it is no llama-server that works."""
        stamp = await asyncio.to_thread(_stamp, program)
        if stamp not in self._read or (self._read[stamp].done() and not _kept(self._read[stamp])):
            self._read[stamp] = asyncio.create_task(self._ask(program))
        return await asyncio.shield(self._read[stamp])

    async def usable(self, engine: str) -> tuple[Path, ServerBuild]:
        """Return the program of an engine's name and what it is.

        Raises:
            EngineError: there is none, or it does not work.
        """
        program = self.program(engine)
        build = await self.read(program)
        if not build.info.usable:
            raise EngineError(build.info.problem, "name a llama-server that works, or take --engine built-in")
        return program, build

    async def of(self, engine: str, hosts: Sequence[str] = ()) -> EngineInfo | None:
        """Return what an engine's name in a plan means, with what RPC hosts lend it; None: no program that works.

        What is lent is asked for anew after some seconds: a host may have come or gone.
        """
        try:
            if engine_kind(engine) is not EngineKind.SERVER:
                return None
            program, build = await self.usable(engine)
        except (EngineError, UsageError):
            return None
        if not build.rpc or not hosts:
            return build.info
        key = (str(program), *hosts)
        asked, now = self._lent.get(key), time.monotonic()
        if asked is None or now - asked[0] > FRESH_S:
            asked = self._lent[key] = (now, asyncio.create_task(self.with_hosts(program, hosts)))
        return (await asyncio.shield(asked[1])).info

    async def with_hosts(self, program: Path, hosts: Sequence[str]) -> ServerBuild:
        """Return what a program is with the devices of RPC hosts, asked anew: what is free there changes.

        A host that does not answer leaves its devices out, and stands in `info.problem`.
        """
        build = await self.read(program)
        if not build.rpc or not hosts:
            return build
        there = [host for host in hosts if await _answers(host)]
        problem = build.info.problem
        if len(there) < len(hosts):
            problem = f"the RPC host {' and '.join(host for host in hosts if host not in there)} does not answer"
        listed = await self._run(program, "--rpc", ",".join(there), "--list-devices") if there else None
        if listed is None or listed.status != 0:
            problem = problem or f"the RPC hosts {', '.join(hosts)} cannot be asked: are they of the same version?"
            return replace(build, info=replace(build.info, problem=problem))
        return replace(build, info=replace(build.info, devices=(CPU, *parse_devices(listed.out)), problem=problem))

    async def found(self, hosts: Sequence[str]) -> Sequence[EngineInfo]:
        """Return the llama-server that the settings or PATH name, with what RPC hosts lend it; empty: there is none."""
        try:
            program = self.program(LLAMA_SERVER)
        except EngineError:
            return ()
        return ((await self.with_hosts(program, hosts)).info,)

    async def _ask(self, program: Path) -> ServerBuild:
        info = await llama_server(program, self._limit)
        if not info.usable:
            return ServerBuild(info)
        helped = await self._run(program, "--help")
        options = parse_help(helped.out) if helped is not None and helped.status == 0 else {}
        if "--model" not in options:
            problem = f"{info.name}: its --help names no options of llama-server"
            return ServerBuild(replace(info, problem=problem, usable=False))
        rpc = False
        if "--rpc" in options:
            tried = await self._run(program, "--rpc", NOBODY, "--list-devices")
            rpc = tried is not None and (tried.status == 0 or any("to connect" in line for line in tried.lines))
        return ServerBuild(replace(info, rpc=rpc), options)

    async def _run(self, program: Path, *arguments: str) -> Outcome | None:
        environment = {**plain_environment(), "GGML_NO_BACKTRACE": "1"}
        try:
            return await run_briefly((str(program), *arguments), self._limit, environment)
        except OSError:
            return None


async def _answers(host: str) -> bool:
    """Tell whether somebody takes connections at `host:port`."""
    name, _, port = host.rpartition(":")
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(name.strip("[]"), int(port))
    except (OSError, ValueError):  # TimeoutError too
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


def _kept(task: asyncio.Task[ServerBuild]) -> bool:
    """Tell whether an answer may be given again: one that failed is asked again."""
    return not task.cancelled() and task.exception() is None and task.result().info.usable


def _stamp(program: Path) -> Stamp:
    try:
        told = program.stat()
    except OSError:
        return (str(program), 0, 0, 0)
    return (str(program.absolute()), told.st_size, told.st_mtime_ns, told.st_ino)
