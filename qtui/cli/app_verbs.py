"""`qtui` without a verb: the app, on the same services as the verbs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtui.cli.crash import crash_report
from qtui.cli.making_wiring import app_measures, made_measuring
from qtui.cli.running import INTERRUPTED, Context
from qtui.core.errors import UsageError
from qtui.core.settings import LogLevel, Problem

if TYPE_CHECKING:
    from qtui.core.advice.loss import Losses
    from qtui.core.library.variant import Variant
    from qtui.ui.parts import Parts


async def open_app(context: Context) -> int:
    """Open the app on the library."""
    need_terminal()
    return await show_app(context)


def need_terminal() -> None:
    """Refuse to draw where there is no terminal.

    Raises:
        UsageError: standard input or output is not a terminal.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the app needs a terminal", "qtui --help lists the verbs that do not")


async def show_app(context: Context, sides: Sequence[Variant] = (), prompt: str = "") -> int:
    """Run the app, on the Arena with `sides` and `prompt` when they are given; returns its status.

    Nothing is imported for it but what its first frame shows; the services follow when that is painted. Until then
    no garbage is collected: importing makes none, and looking for it takes a tenth of the time (CPython 3.11).
    """
    gc.disable()
    from qtui.services.log import start_log
    from qtui.services.settings import SettingsFile
    from qtui.services.themes import read_themes
    from qtui.ui.app import QtuiApp
    from qtui.ui.parts import ArenaStart

    options = context.options
    log_level = getattr(options, "log_level", None) or ""
    start_log(log_level or LogLevel.WARNING)
    app = QtuiApp(
        lambda: _parts(context), store=SettingsFile(),
        start=ArenaStart(dict(zip("AB", sides, strict=False)), prompt) if sides else None,
        theme=getattr(options, "theme", None) or "", theme_files=read_themes(),
        log_level=log_level, on_crash=_crash_text,
    )  # fmt: skip

    async def leave() -> None:
        app.exit(return_code=INTERRUPTED)

    try:
        with context.interrupts.stop_first(leave):
            await app.run_async()
    finally:
        gc.enable()
    return app.return_code or 0


def _parts(context: Context) -> Parts:
    from qtui.ui.parts import Parts

    services = context.services
    gc.enable()
    problems = services.settings_problems()
    of_the_file = services.settings_store.problems() if services.settings_store is not None else ()

    def losses() -> tuple[Losses, Sequence[Problem]]:
        evidence, problems = services.evidence()
        return services.losses(evidence), problems

    return Parts(
        library=services.library, machine=services.machine, engine=services.engine, guard=services.guard,
        footprints=services.footprints, sessions=services.sessions, plan=services.starting_plan(),
        presets=services.presets, known_presets=tuple(services.presets.load()) if services.presets else (),
        downloads=services.download_run,
        models_dirs=tuple(getattr(context.options, "models_dir", ())), dated=services.dated, apply=services.apply,
        forecast=services.forecast, remover=services.remover, checksums=services.checksums, hub=services.hub,
        keeper=services.keeper(services.note), past=services.past, votes=services.votes, losses=losses,
        help_pages=services.help_pages,
        workshop=services.workshop, made_measuring=made_measuring(services),
        measures=app_measures(services),
        suites=services.suites, judge=services.judge,
        problems=tuple(one for one in problems if one not in of_the_file and one.key != "theme"),
    )  # fmt: skip


def _crash_text(error: BaseException) -> str:
    failure = crash_report(error)
    return f"qtui: {failure.message}\nhint: {failure.hint}"
