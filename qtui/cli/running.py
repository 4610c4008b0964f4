"""One verb from start to end on an event loop: signals, closing, and the status it leaves with."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from argparse import Namespace
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qtui.cli.console import Console

if TYPE_CHECKING:  # the app paints before the services are imported
    from qtui.cli.services import Services
    from qtui.core.memory.plan import LoadPlan

INTERRUPTED = 130


class Interrupts:
    """What Ctrl-C and SIGTERM do: first stop what a verb says, then end the verb."""

    def __init__(self, verb: asyncio.Task[int]) -> None:
        self._verb = verb
        self._stop: Callable[[], Awaitable[None]] | None = None
        self._stopping: asyncio.Future[None] | None = None
        self.happened = False

    @contextlib.contextmanager
    def stop_first(self, stop: Callable[[], Awaitable[None]]) -> Iterator[None]:
        """Within this block the first signal calls `stop`, and only the second ends the verb; blocks may be nested."""
        outer, self._stop = self._stop, stop
        try:
            yield
        finally:
            self._stop = outer

    def signalled(self) -> None:
        """Act on a signal."""
        first, self.happened = not self.happened, True
        if first and self._stop:
            self._stopping = asyncio.ensure_future(self._stop())
        else:
            self._verb.cancel()


@dataclass(slots=True)
class Context:
    """What a verb is handed."""

    options: Namespace
    console: Console
    wire: Callable[[Namespace], Services] = field(repr=False)
    interrupts: Interrupts = field(repr=False)
    _made: Services | None = field(default=None, repr=False)

    @property
    def services(self) -> Services:
        """Return the services, made when they are first asked for."""
        if self._made is None:
            self._made = self.wire(self.options)
        return self._made

    def plan(self, *, runs: bool = True) -> LoadPlan:
        """Return the plan that the options describe, as `plan_of`; the user's presets are read where one is named."""
        from qtui.cli.options import plan_of

        if getattr(self.options, "preset", None) and self.services.presets is not None:
            return plan_of(self.options, runs=runs, presets=self.services.presets.load())
        return plan_of(self.options, runs=runs)

    async def close(self) -> None:
        """Close the services, if there are any."""
        if self._made is not None:
            await self._made.close()

    def tell_problem(self) -> None:
        """Say on stderr why what was run is not on record, if it is not."""
        recorder = self._made.recorder if self._made is not None else None
        if recorder is not None and recorder.problem:
            self.console.note(f"note: {recorder.problem}")


Verb = Callable[[Context], Awaitable[int]]


def run(verb: Verb, options: Namespace, console: Console, wire: Callable[[Namespace], Services]) -> int:
    """Run a verb and close the services, whatever happens; returns its exit status, 130 when it was interrupted."""

    async def whole() -> int:
        task = asyncio.current_task()
        assert task is not None
        interrupts = Interrupts(task)
        _listen(interrupts)
        context = Context(options, console, wire, interrupts)
        try:
            status = await verb(context)
        finally:
            console.end_progress()
            await asyncio.shield(context.close())
            context.tell_problem()
        return INTERRUPTED if interrupts.happened else status

    try:
        return asyncio.run(whole())
    except (asyncio.CancelledError, KeyboardInterrupt):
        console.json({"error": {"message": "interrupted", "hint": "", "kind": "interrupted"}})
        return INTERRUPTED


def _listen(interrupts: Interrupts) -> None:
    """Handle signals on the loop; where it cannot (Windows), asyncio cancels the verb on Ctrl-C by itself."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):  # ValueError: not the main thread
            loop.add_signal_handler(number, interrupts.signalled)
