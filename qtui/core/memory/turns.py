"""Whose question is put to llama.cpp next: the most urgent one, and of equals one about the model that it has loaded.

A model that is loaded answers for further contexts, cache types and batches in a few milliseconds; another one is
loaded first.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from enum import IntEnum


class Urgency(IntEnum):
    """How soon an answer is wanted; the smaller the sooner."""

    NOW = 0
    """Somebody waits for it, or a load does."""
    SCREEN = 1
    """It is to be seen now."""
    AHEAD = 2
    """It may be looked at later."""


class Ticket:
    """A question that waits for its turn, or has it.

    Args:
        urgency: may become more urgent while it waits, never less.
        model: what must be loaded for it, compared by equality.
    """

    def __init__(self, urgency: Urgency, model: object) -> None:
        self.urgency = urgency
        self.model = model
        self.called = False
        """True from the moment that its turn has come."""

    def hurry(self, urgency: Urgency) -> None:
        """Make it at least so urgent."""
        self.urgency = min(self.urgency, urgency)


class Turns:
    """Lets one question through at a time."""

    def __init__(self) -> None:
        self._waiting: dict[Ticket, asyncio.Future[None]] = {}
        self._busy = False
        self._loaded: object = None

    @contextlib.asynccontextmanager
    async def turn(self, ticket: Ticket) -> AsyncGenerator[None, None]:
        """Wait for the ticket's turn and keep it for the block; a waiter that is cancelled takes no turn."""
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = waiting
        self._call()
        try:
            await waiting
        except asyncio.CancelledError:
            self._waiting.pop(ticket, None)
            if ticket.called:  # called and cancelled at the same moment: the turn is passed on
                self._pass_on()
            raise
        try:
            yield
        finally:
            self._loaded = ticket.model
            self._pass_on()

    def _pass_on(self) -> None:
        self._busy = False
        self._call()

    def _call(self) -> None:
        """Call the next one, if nobody has the turn; of equals the one that has waited longest."""
        if self._busy or not self._waiting:
            return
        chosen = min(self._waiting, key=lambda ticket: (ticket.urgency, ticket.model != self._loaded))
        waiting = self._waiting.pop(chosen)
        if waiting.cancelled():
            self._call()
            return
        self._busy = chosen.called = True
        waiting.set_result(None)
