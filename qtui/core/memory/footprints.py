"""The one store of footprints: everything that shows a number reads it here, so two places cannot show two.

A footprint is keyed by file, resolved plan and engine. The dry run fills it; the closed form, which answers at once
and which the dry run then replaces, takes its place in `_closed_form`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import DryRun


@dataclass(frozen=True, slots=True)
class Key:
    """What a footprint depends on. A file that changes under its name has another size or comes as a new scan."""

    path: Path
    size: int
    plan: LoadPlan


@dataclass(frozen=True, slots=True)
class Known:
    """What is known for a key: a footprint, or why there is none."""

    footprint: Footprint | None = None
    error: QtuiError | None = None


Listener = Callable[[Key, Known], None]


class Footprints:
    """Footprints by file and resolved plan; asks the dry run once per key and tells its subscribers."""

    def __init__(self, dry_run: DryRun) -> None:
        self._dry_run = dry_run
        self._known: dict[Key, Known] = {}
        self._asked: dict[Key, asyncio.Task[Known]] = {}
        self._listeners: list[Listener] = []

    def peek(self, variant: Variant, plan: LoadPlan) -> Known | None:
        """Return what is known now of a resolved plan, without asking anything."""
        return self._known.get(Key(variant.path, variant.size, plan))

    async def ask(self, variant: Variant, plan: LoadPlan) -> Known:
        """Return the footprint of a resolved plan, or the reason why there is none; asks at most once at a time.

        A caller that is cancelled leaves the question running for the others.
        """
        key = Key(variant.path, variant.size, plan)
        if key in self._known:
            return self._known[key]
        task = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(self._run(key, variant))
            self._asked[key] = task
        return await asyncio.shield(task)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every new result; returns the function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def forget(self, path: Path) -> None:
        """Drop what is known of a file that changed or went; an answer on its way is not kept either."""
        for key in [k for k in self._known if k.path == path]:
            del self._known[key]
        for key in [k for k in self._asked if k.path == path]:
            del self._asked[key]

    async def _run(self, key: Key, variant: Variant) -> Known:
        try:
            known = Known(footprint=await self._dry_run.footprint(variant, key.plan))
        except QtuiError as error:
            known = Known(error=error)
        finally:
            current = self._asked.get(key) is asyncio.current_task()
            if current:
                del self._asked[key]
        if not current:
            return known
        if known.error is None or known.error.kind != "engine":  # an engine that cannot start may start later
            self._known[key] = known
        for listener in tuple(self._listeners):
            listener(key, known)
        return known
