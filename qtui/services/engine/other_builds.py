"""Programs of other builds of llama.cpp on this machine, asked about memory where they have cards.

A llama-server may be built for a GPU while the built-in engine is not; what a plan needs under it then depends on its
cards. One without cards needs what the built-in engine would, which is asked with that program's reservations.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from qtui.core.hardware import EngineInfo
from qtui.core.memory.consumers import BUILT_IN, consumer_of
from qtui.core.memory.simulation import NotAsked
from qtui.core.memory.unaccounted import LeftOut
from qtui.core.ports import DryRun
from qtui.core.text import clean_name
from qtui.core.user_path import user_path
from qtui.services.engine.answers import Answers
from qtui.services.engine.discovery import llama_server
from qtui.services.engine.fit_params import TOOL, FitParamsClient
from qtui.services.engine.remembered import Info, Remembered
from qtui.services.engine.server_builds import ServerBuilds


class OtherBuild:
    """A program as something that is asked, not run. Implements `core.ports.Described`."""

    def __init__(self, info: EngineInfo) -> None:
        self._info = info

    async def info(self) -> EngineInfo:
        """Return its build and devices."""
        return self._info


async def other_build(
    engine: str, built_in: Info, *, answers: Answers | None = None, left_out: LeftOut | None = None
) -> tuple[OtherBuild, DryRun] | None:
    """Return the program that an engine's name means, and what asks its build; None: ask the built-in engine.

    Args:
        engine: a plan's: a name, or the path of a program.
        built_in: tells the CPU features, which the other program does not.
        answers: where answers are kept.
        left_out: what past runs have shown that llama.cpp leaves out.
    """
    program = _program(engine)
    if program is None:
        return None
    info = await llama_server(program)
    if not info.usable or not info.gpus:
        return None
    return asked_build(program, replace(info, features=info.features or (await built_in()).features), answers, left_out)


def asked_build(
    program: Path, info: EngineInfo, answers: Answers | None, left_out: LeftOut | None, hosts: Sequence[str] = ()
) -> tuple[OtherBuild, DryRun]:
    """Return a build with devices of its own, and what asks it about memory; `hosts` lend it some of them."""
    build = OtherBuild(info)
    tool = _tool(program)
    if tool is None:
        reason = f"{TOOL} is not beside {clean_name(str(program))}, whose cards the built-in engine cannot ask"
        return build, NotAsked(reason, f"build or install {TOOL} of the same llama.cpp")
    remembered = Remembered(OtherBuild(replace(info, name=str(tool))).info, answers)
    return build, FitParamsClient(tool, build.info, remembered=remembered, left_out=left_out, hosts=hosts)


class OtherBuilds:
    """The programs that plans name, each with what asks it; made anew where its devices are others.

    Args:
        builds: reads llama-server programs.
        built_in: tells the CPU features.
        hosts: tells the RPC hosts of the settings.
        answers: where answers are kept.
        left_out: what past runs have shown that llama.cpp leaves out.
    """

    def __init__(
        self, builds: ServerBuilds, built_in: Info, *,
        hosts: Callable[[], Sequence[str]] = tuple, answers: Answers | None = None, left_out: LeftOut | None = None,
    ) -> None:  # fmt: skip
        self._builds = builds
        self._built_in = built_in
        self._hosts = hosts
        self._answers = answers
        self._left_out = left_out
        self._known: dict[tuple[object, ...], tuple[OtherBuild, DryRun]] = {}

    async def info(self, engine: str) -> EngineInfo | None:
        """Return the build that an engine's name means, with lent devices; None: no program that works."""
        return await self._builds.of(engine, self._hosts())

    async def of(self, engine: str) -> tuple[OtherBuild, DryRun] | None:
        """Return the program of an engine's name and what asks it; None: the built-in engine answers for it."""
        info = await self.info(engine)
        if info is None:
            return await other_build(engine, self._built_in, answers=self._answers, left_out=self._left_out)
        if not info.gpus:
            return None
        lent = tuple(self._hosts()) if any(device.lent for device in info.gpus) else ()
        key = (info.name, info.build, lent, *((device.name, device.description) for device in info.gpus))
        if key not in self._known:
            program = self._builds.program(engine)
            known = replace(info, features=info.features or (await self._built_in()).features)
            self._known[key] = asked_build(program, known, self._answers, self._left_out, lent)
        return self._known[key]


def _program(engine: str) -> Path | None:
    """Return the program of an engine's name, None where there is none."""
    consumer = consumer_of(engine)
    if consumer is BUILT_IN:
        return None
    if os.sep in engine:
        return user_path(engine)
    found = next(filter(None, map(shutil.which, consumer.programs)), None)
    return Path(found) if found else None


def _tool(program: Path) -> Path | None:
    """Return the build's `llama-fit-params`: beside the program, also where that is a link."""
    for folder in dict.fromkeys((program.absolute().parent, program.resolve().parent)):
        tool = folder / TOOL
        if tool.is_file() and os.access(tool, os.X_OK):
            return tool
    return None
