"""What the app is handed by the command."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qtui.cli.app_verbs import _parts
from qtui.cli.console import Console
from qtui.cli.main import _parser
from qtui.cli.running import Context, Interrupts
from qtui.cli.wiring import local_services
from qtui.core.settings import Settings
from qtui.core.text import GIB
from qtui.services.settings import SettingsFile


async def context_of(*arguments: str) -> Context:
    task = asyncio.current_task()
    assert task is not None
    return Context(_parser(arguments).parse_args(arguments), Console(), local_services, Interrupts(task))


async def test_problems_beyond_the_file_are_handed_over_and_those_of_the_file_are_not() -> None:
    SettingsFile().save(Settings(preset="gone", engine="/opt/llama-server", theme="none"))
    path = SettingsFile().path
    path.write_text(path.read_text() + "wrong = 1\n")
    context = await context_of()
    parts = _parts(context)
    await context.close()
    assert {problem.key for problem in parts.problems} == {"preset"}


async def test_changed_settings_reach_library_and_guard(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    context = await context_of("--models-dir", str(tmp_path))
    parts = _parts(context)
    parts.apply(Settings(models_dirs=(tmp_path / "more",), margin_ram=3 * GIB))
    assert tmp_path / "more" in [folder for _, folder in parts.library.places()]
    assert tmp_path in [folder for _, folder in parts.library.places()]
    headroom = await parts.guard.headroom()
    await context.close()
    assert headroom.margin_ram == 3 * GIB


@pytest.mark.parametrize("arguments", [[], ["--theme", "light"], ["--log-level=debug"], ["--models-dir=/x"]])
def test_the_app_is_parsed_alike_with_and_without_the_verbs(arguments: list[str]) -> None:
    from qtui.cli.parser import build_parser

    assert vars(_parser(arguments).parse_args(arguments)) == vars(build_parser().parse_args(arguments))
