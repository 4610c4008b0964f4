"""An answer, drawn so that nothing the model wrote is hidden or acted on, and so that more of it costs little."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Region, Size
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import Visual
from textual.widget import Widget

from qtui.ui.widgets.ground import filtered, quiet_size
from qtui.ui.widgets.markdown_blocks import Block, Flow, Items
from qtui.ui.widgets.markdown_source import MarkdownSource

PLAIN_FROM = 20_000
"""Characters from which an answer goes on as plain text."""
PIECE = 2_000
"""Characters after which a line of plain text is broken: only the last is laid out again when more comes."""

DRAWN = 200
"""Drawn lines that are kept, the newest: more than a screen has."""


class AnswerText(Widget):
    """Markdown that grows; what follows after `PLAIN_FROM` characters is plain text, and says so."""

    DEFAULT_CSS = "AnswerText { width: 1fr; height: auto; }"

    virtual_size = quiet_size()

    def __init__(self) -> None:
        super().__init__()
        self.auto_links = False
        self.text = ""
        self._markdown = MarkdownSource()
        self._plain: list[Block] = []
        """What follows after the Markdown."""
        self._line_begun = ""
        """The last line of plain text."""
        self._starts: list[int] = []
        """The line at which each block begins, the empty one before it included."""
        self._lines: list[Content] = []
        self._strips: dict[int, Strip] = {}
        self._width = 0

    @property
    def is_plain(self) -> bool:
        """Tell whether it is too long for Markdown."""
        return bool(self._plain)

    def write(self, text: str) -> None:
        """Add clean text."""
        self.text += text
        if self._plain or len(self.text) > PLAIN_FROM:
            self._lay_out(self._add_plain(text))
        else:
            self._lay_out(self._markdown.append(text))

    def close(self) -> None:
        """Say that no more comes: what was still open is drawn as it stands."""
        if self.text and not self._plain:
            self._lay_out(self._markdown.close())

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

    def _line(self, y: int, selection: Selection | None) -> Strip:
        if selection is not None:
            return self._draw_line(y, selection)
        strip = self._strips.get(y)
        if strip is None:
            strip = self._strips[y] = self._draw_line(y, None)
            if len(self._strips) > DRAWN:
                del self._strips[next(iter(self._strips))]
        return strip

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        super().notify_style_update()
        self._strips.clear()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return what is marked with the mouse."""
        return selection.extract("\n".join(line.plain.rstrip() for line in self._lines)), "\n"

    def _add_plain(self, text: str) -> int:
        """Add plain text line by line; return the number of blocks before the first that is changed."""
        if self._plain:
            self._plain.pop()
        else:
            notice = f"over {PLAIN_FROM} characters: plain text from here on"
            self._plain = [Flow(Content()), Flow(Content.styled(notice, "$text-warning")), Flow(Content())]
        kept = len(self._markdown.blocks) + len(self._plain)
        *done, rest = (self._line_begun + text).split("\n")
        while len(rest) > PIECE:
            done.append(rest[:PIECE])
            rest = rest[PIECE:]
        self._plain += [Flow(Content(line)) for line in (*done, rest)]
        self._line_begun = rest
        return min(kept, len(self._starts))

    def _fit(self, width: int) -> None:
        if width != self._width:
            self._width = width
            self._lay_out(0, draw=False)

    def _lay_out(self, kept: int, *, draw: bool = True) -> None:
        """Lay out what comes after the first `kept` blocks."""
        if not self._width:
            if draw:
                self.refresh(layout=True)
            return
        blocks = [*self._markdown.blocks, *self._plain]
        formatted = len(self._markdown.blocks)
        before = len(self._lines)
        begin = self._starts[kept] if kept < len(self._starts) else before
        if kept < len(self._starts):
            del self._lines[begin:], self._starts[kept:]
        for index in range(kept, len(blocks)):
            self._starts.append(len(self._lines))
            if 0 < index < formatted and not _goes_on(blocks[index - 1]):
                self._lines.append(Content())
            self._lines += blocks[index].lines(self._width)
        for y in [y for y in self._strips if y >= begin]:
            del self._strips[y]
        if not draw:
            return
        if len(self._lines) != before:
            self.refresh(layout=True)
        else:
            self.refresh(Region(0, begin, self._width, before - begin))

    def _draw_line(self, y: int, selection: Selection | None) -> Strip:
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


def _goes_on(block: Block) -> bool:
    return isinstance(block, Items) and block.goes_on and block.tight
