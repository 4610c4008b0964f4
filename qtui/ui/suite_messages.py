"""Messages about suites: which there are, that one shall be run, and what happens in its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.duel.records import SuiteRecord
    from qtui.core.duel.suite.shelf import Listed
    from qtui.core.duel.suite.task import Suite
    from qtui.core.duel.suite_run import SuiteEvent


@dataclass(eq=False, repr=False)
class OpenSuites(Message):
    """Show the suites."""


@dataclass(eq=False, repr=False)
class SuitesListed(Message):
    """All suites are read."""

    listed: Sequence[Listed]
    past: Sequence[SuiteRecord] = ()
    """Runs that are kept, the newest first."""


@dataclass(eq=False, repr=False)
class StartSuite(Message):
    """Run a suite on both sides of the Arena."""

    suite: Suite


@dataclass(eq=False, repr=False)
class StopSuite(Message):
    """Stop the run; what is judged stays."""


@dataclass(eq=False, repr=False)
class SuiteHappened(Message):
    """Something happened in the run."""

    event: SuiteEvent
