"""Blocks as lines of one widget: only what changed is laid out again, and only what is on screen is drawn."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget

from qtui.ui.widgets.ground import filtered, quiet_size
from qtui.ui.widgets.markdown_blocks import Block

DRAWN = 200
"""Drawn lines that are kept, the newest: more than a screen has."""


class BlockLines(Widget):
    """Shows blocks below each other, as wide as it is."""

    DEFAULT_CSS = "BlockLines { width: 1fr; height: auto; }"
    virtual_size = quiet_size()

    def __init__(self, *, classes: str | None = None) -> None:
        super().__init__(classes=classes)
        self.auto_links = False
        self._starts: list[int] = []
        """The line at which each block begins, the empty one before it included."""
        self._lines: list[Content] = []
        self._strips: dict[int, Strip] = {}
        self._width = 0

    def blocks(self) -> Sequence[Block]:
        """Return what is shown."""
        raise NotImplementedError

    def gap_before(self, index: int) -> bool:
        """Tell whether there is an empty line before a block, which is not the first."""
        raise NotImplementedError

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return how many lines it has at this width."""
        self._fit(width)
        return len(self._lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return some lines, past the cache of styles: there is neither border nor padding to add."""
        selection, width = self.text_selection, self.size.width
        self._fit(width)  # Textual remembers heights, and does not ask again for a width that it had before
        strips = filtered(self, [self._line(y, selection) for y in crop.line_range])
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def render_line(self, y: int) -> Strip:
        """Return one line; Textual asks for it to learn what the mouse points at."""
        self._fit(self.size.width)
        return self._line(y, self.text_selection)

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        super().notify_style_update()
        self._strips.clear()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return what is marked with the mouse."""
        return selection.extract("\n".join(line.plain.rstrip() for line in self._lines)), "\n"

    def lay_out(self, kept: int) -> None:
        """Lay out and draw what comes after the first `kept` blocks."""
        if not self._width:
            self.refresh(layout=True)
            return
        before = len(self._lines)
        begin = self._fill(kept)
        if len(self._lines) != before:
            self.refresh(layout=True)
        else:
            self.refresh(Region(0, begin, self._width, before - begin))

    def _fit(self, width: int) -> None:
        if width != self._width:
            self._width = width
            self._fill(0)

    def _fill(self, kept: int) -> int:
        """Lay out what comes after the first `kept` blocks; return the first line that may have changed."""
        blocks = self.blocks()
        kept = min(kept, len(self._starts))
        begin = self._starts[kept] if kept < len(self._starts) else len(self._lines)
        del self._lines[begin:], self._starts[kept:]
        for index in range(kept, len(blocks)):
            self._starts.append(len(self._lines))
            if index and self.gap_before(index):
                self._lines.append(Content())
            self._lines += blocks[index].lines(self._width)
        for y in [y for y in self._strips if y >= begin]:
            del self._strips[y]
        return begin

    def _line(self, y: int, selection: Selection | None) -> Strip:
        if selection is not None:
            return self._draw(y, selection)
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._draw(y, None)
            if len(self._strips) > DRAWN:
                del self._strips[next(iter(self._strips))]
        return strip

    def _draw(self, y: int, selection: Selection | None) -> Strip:
        style = self.visual_style
        if y >= len(self._lines):
            return Strip.blank(self.size.width, style.rich_style)
        line = self._lines[y]
        if selection is not None and (span := selection.get_span(y)) is not None:
            start, end = span
            marked = Style.from_styles(self.screen.get_component_styles("screen--selection"))
            line = line.stylize(marked, start, len(line.plain) if end == -1 else end)
        strips = Visual.to_strips(self, line, self.size.width, 1, style, apply_selection=False, pad=True)
        strip = strips[0] if strips else Strip.blank(self.size.width, style.rich_style)
        return strip.apply_offsets(0, y)
