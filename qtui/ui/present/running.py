"""What the sides of the Arena would lose if qtui was quit now."""

from __future__ import annotations

from collections.abc import Iterable

from qtui.ui.running import Running
from qtui.ui.side import BUSY, Phase, Side

_DOING = {
    Phase.LOADING: ("is loading", "it is loaded anew the next time"),
    Phase.READING: ("is reading the prompt", "there will be no answer"),
    Phase.THINKING: ("is thinking", "there will be no answer"),
    Phase.ANSWERING: ("is answering", "what it has written so far is lost"),
    Phase.WAITING: ("waits for its turn", "there will be no answer"),
}


def running_sides(sides: Iterable[Side]) -> tuple[Running, ...]:
    """Return what the busy sides do, and what quitting does to that."""
    busy = [side for side in sides if side.phase in BUSY and side.variant is not None]
    return tuple(Running(f"{side.label} {_title(side)} {_DOING[side.phase][0]}", _DOING[side.phase][1]) for side in busy)


def _title(side: Side) -> str:
    return side.variant.title if side.variant is not None else ""
