"""Programs of other builds of llama.cpp on this machine, asked about memory where they have cards.

A llama-server may be built for a GPU while the built-in engine is not; what a plan needs under it then depends on its
cards. One without cards needs what the built-in engine would, which is asked with that program's reservations.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from qtui.core.hardware import EngineInfo
from qtui.core.memory.consumers import BUILT_IN, consumer_of
from qtui.core.memory.simulation import NotAsked
from qtui.core.memory.unaccounted import LeftOut
from qtui.core.ports import DryRun
from qtui.core.text import clean_name
from qtui.services.engine.answers import Answers
from qtui.services.engine.discovery import llama_server
from qtui.services.engine.fit_params import TOOL, FitParamsClient
from qtui.services.engine.remembered import Info, Remembered


class OtherBuild:
    """A program as something that is asked, not run. Implements `core.ports.Described`."""

    def __init__(self, info: EngineInfo) -> None:
        self._info = info

    async def info(self) -> EngineInfo:
        """Return its build and devices."""
        return self._info


class Builds:
    """Tells the builds of other programs, each asked once while its file stays as it is."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], EngineInfo] = {}

    async def of(self, engine: str) -> EngineInfo | None:
        """Return what an engine's name in a plan means; None where it means no program that works."""
        program = _program(engine)
        if program is None:
            return None
        try:
            key = (str(program), program.stat().st_mtime_ns)
        except OSError:
            return None
        if key not in self._known:
            self._known[key] = await llama_server(program)
        info = self._known[key]
        return info if info.usable else None


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
    info = replace(info, features=info.features or (await built_in()).features)
    build = OtherBuild(info)
    tool = _tool(program)
    if tool is None:
        reason = f"{TOOL} is not beside {clean_name(str(program))}, whose cards the built-in engine cannot ask"
        return build, NotAsked(reason, f"build or install {TOOL} of the same llama.cpp")
    remembered = Remembered(OtherBuild(replace(info, name=str(tool))).info, answers)
    return build, FitParamsClient(tool, build.info, remembered=remembered, left_out=left_out)


def _program(engine: str) -> Path | None:
    """Return the program of an engine's name, None where there is none."""
    consumer = consumer_of(engine)
    if consumer is BUILT_IN:
        return None
    if os.sep in engine:
        return Path(engine).expanduser()
    found = next(filter(None, map(shutil.which, consumer.programs)), None)
    return Path(found) if found else None


def _tool(program: Path) -> Path | None:
    """Return the build's `llama-fit-params`: beside the program, also where that is a link."""
    for folder in dict.fromkeys((program.absolute().parent, program.resolve().parent)):
        tool = folder / TOOL
        if tool.is_file() and os.access(tool, os.X_OK):
            return tool
    return None
