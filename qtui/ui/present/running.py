"""What the sides of the Arena would lose if qtui was quit now."""

from __future__ import annotations

from collections.abc import Iterable

from qtui.ui.running import Running
from qtui.ui.side import Phase, Side

_DOING = {
    Phase.LOADING: ("is loading", "it is loaded anew the next time"),
    Phase.READING: ("is reading the prompt", "there will be no answer"),
    Phase.THINKING: ("is thinking", "there will be no answer"),
    Phase.ANSWERING: ("is answering", "what it has written so far is lost"),
    Phase.WAITING: ("waits for its turn", "there will be no answer"),
}


def running_sides(sides: Iterable[Side]) -> tuple[Running, ...]:
    """Return what the busy sides do, and what quitting does to that."""
    found = []
    for side in sides:
        if side.variant is not None and side.phase in _DOING:
            doing, stops = _DOING[side.phase]
            found.append(Running(f"{side.label} {side.variant.title} {doing}", stops))
    return tuple(found)
