"""The frame of the first place, on the screen while what it shows is still being made."""

from __future__ import annotations

from collections.abc import Iterable

from textual import events
from textual.containers import Vertical
from textual.widget import Widget

from qtui.ui.places.place import Place
from qtui.ui.vitals import Vitals


class Opening(Place):
    """Top line and keys of a place, and nothing between them."""

    def __init__(self, vitals: Vitals, place: str) -> None:
        super().__init__(vitals)
        self.NAME = place  # type: ignore[misc]
        self.COMPACT_TOP = place == "arena"  # type: ignore[misc]
        self.typed: list[events.Key] = []
        """The keys that were pressed meanwhile; they are for the place."""

    def compose_body(self) -> Iterable[Widget]:
        """Leave the middle empty."""
        yield Vertical()

    def on_key(self, event: events.Key) -> None:
        """Keep a key until the place is there."""
        event.stop()
        event.prevent_default()
        self.typed.append(event)

    def on_mount(self) -> None:
        """Show the keys that work already."""
        self.refresh_keys()
