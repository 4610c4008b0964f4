"""Draws single lines of content, and keeps what was drawn: a table that changes with every key draws thousands."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content, Span
from textual.strip import Strip
from textual.style import Style

KEPT = 400
"""Drawn lines, the newest: more than a screen has."""


class LineDrawer:
    """Turns content into strips of one width. Textual's own way also finds out where text can wrap and be marked.

    Args:
        parse: returns the style that stands in content under a name such as `$text-accent`.
    """

    def __init__(self, parse: Callable[[Style | str], Style]) -> None:
        self._parse = parse
        self._styles: dict[str, Style] = {}
        self._kept: dict[int, tuple[object, Strip]] = {}
        self._for: object = None

    def clear(self) -> None:
        """Forget what was drawn, for colours have changed."""
        self._styles.clear()
        self._kept.clear()

    def kept(self, source: object, make: Callable[[], Content], style: Style, width: int, *, form: object) -> Strip:
        """Return the line of one source (told by identity); it is made again when the width or the `form` changes."""
        if self._for != (form, style, width):
            self._for = (form, style, width)
            self._kept.clear()
        known = self._kept.get(id(source))
        if known is not None and known[0] is source:
            return known[1]
        strip = self.draw(make(), style, width)
        self._kept[id(source)] = (source, strip)
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return strip

    def draw(self, text: Content, style: Style, width: int) -> Strip:
        """Return a line, cut or filled to the width."""
        line = text.truncate(width, ellipsis=True)
        line = line.pad_right(max(0, width - line.cell_length))
        spans = [Span(span.start, span.end, self._style(span.style)) for span in line.spans]
        segments = Content(line.plain, spans, line.cell_length).render_segments(style)
        return Strip(segments, line.cell_length).adjust_cell_length(width, style.rich_style)

    def _style(self, style: Style | str) -> Style:
        if not isinstance(style, str):
            return style
        known = self._styles.get(style)
        if known is None:
            known = self._styles[style] = self._parse(style)
        return known
