"""The suites that there are: the port that finds them, and their list with what is wrong with each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from qtui.core.duel.suite.task import Suite
from qtui.core.errors import Failure, QtuiError

ALL = "all"
"""The suite that is every shipped one for models in general."""


class SuiteShelf(Protocol):
    """The suites that there are."""

    @property
    def place(self) -> str:
        """Return where the user's own are looked for, clean."""
        ...

    def names(self) -> Sequence[str]:
        """Return the names of all suites, the user's first."""
        ...

    def own_names(self) -> Sequence[str]:
        """Return the names of the user's."""
        ...

    async def find(self, name: str) -> Suite:
        """Return a suite by its name or its file.

        Raises:
            QtuiError: there is none of that name, or its file cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """A suite in the list."""

    name: str
    suite: Suite | None
    """None: its file cannot be read."""
    failure: Failure | None = None
    own: bool = False
    """It is the user's."""


async def list_suites(shelf: SuiteShelf) -> Sequence[Listed]:
    """Read all suites, the user's first, and `all` at the end."""
    own = frozenset(shelf.own_names())
    found = []
    for name in (*shelf.names(), ALL):
        try:
            found.append(Listed(name, await shelf.find(name), own=name in own))
        except QtuiError as error:
            found.append(Listed(name, None, Failure.of(error), own=name in own))
    return found
