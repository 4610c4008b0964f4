"""A few lines that are made for the width they get."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual.content import Content
from textual.widget import Widget

Lines = Callable[[int], Sequence[Content]]


class Fitted(Widget):
    """Shows what a function of the width returns, cut to it; made anew whenever the width changes."""

    DEFAULT_CSS = """
    Fitted { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, lines: Lines | None = None, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.auto_links = False
        self._lines: Lines = lines or (lambda _: ())

    def show(self, lines: Lines) -> None:
        """Show other lines."""
        self._lines = lines
        self.refresh()

    def render(self) -> Content:
        """Make the lines for the width of now."""
        size = self.content_size
        if not size:
            return Content()
        lines = self._lines(size.width)[: size.height]
        return Content("\n").join(line.truncate(size.width, ellipsis=True) for line in lines)
