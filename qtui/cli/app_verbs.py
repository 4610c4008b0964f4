"""`qtui` without a verb: the app, on the same services as the verbs."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from qtui.cli.crash import crash_report
from qtui.cli.running import INTERRUPTED, Context
from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant


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


def _crash_text(error: BaseException) -> str:
    failure = crash_report(error)
    return f"qtui: {failure.message}\nhint: {failure.hint}"


async def show_app(context: Context, sides: Sequence[Variant] = (), prompt: str = "") -> int:
    """Run the app, on the Arena with `sides` and `prompt` when they are given; returns its status."""
    from qtui.ui.app import ArenaStart, QtuiApp

    services, options = context.services, context.options
    app = QtuiApp(
        library=services.library, machine=services.machine, engine=services.engine, guard=services.guard,
        footprints=services.footprints, sessions=services.sessions, plan=services.starting_plan(),
        models_dirs=tuple(getattr(options, "models_dir", ())),
        start=ArenaStart(dict(zip("AB", sides, strict=False)), prompt) if sides else None,
        theme=getattr(options, "theme", None) or services.settings.theme, theme_files=services.theme_files(),
        on_crash=_crash_text,
    )  # fmt: skip

    async def leave() -> None:
        app.exit(return_code=INTERRUPTED)

    with context.interrupts.stop_first(leave):
        await app.run_async()
    return app.return_code or 0
