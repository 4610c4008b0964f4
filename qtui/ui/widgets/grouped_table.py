"""A table with head rows over its whole width. Only lines that are seen are drawn: thousands of rows are cheap."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from textual import events
from textual.content import Content
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.style import Style

from qtui.ui.present.table import Column, Row, lay_out, titles, widths
from qtui.ui.widgets.ground import filtered, quiet_size
from qtui.ui.widgets.line_drawer import LineDrawer

CURSOR = "›"


class GroupedTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Head rows and rows with cells; the cursor stands on the latter and stays with its row when others come."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "grouped-table--titles",
        "grouped-table--cursor",
        "grouped-table--cursor-blurred",
    }
    DEFAULT_CSS = """
    GroupedTable { height: 1fr; overflow-x: hidden; }
    GroupedTable > .grouped-table--titles { color: $foreground-muted; text-style: bold; }
    GroupedTable > .grouped-table--cursor {
        background: $block-cursor-background;
        color: $block-cursor-foreground;
        text-style: $block-cursor-text-style;
    }
    GroupedTable > .grouped-table--cursor-blurred {
        background: $block-cursor-blurred-background;
        color: $block-cursor-blurred-foreground;
        text-style: $block-cursor-blurred-text-style;
    }
    """

    virtual_size = quiet_size()

    class Highlighted(Message):
        """The cursor stands on another row, or that row changed; None: on none."""

        def __init__(self, table: GroupedTable, key: str | None) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> GroupedTable:
            """Return the table."""
            return self.table

    class Chosen(Message):
        """The row under the cursor was clicked."""

        def __init__(self, table: GroupedTable, key: str) -> None:
            super().__init__()
            self.table = table
            self.key = key

        @property
        def control(self) -> GroupedTable:
            """Return the table."""
            return self.table

    def __init__(self, columns: Sequence[Column], mark_width: int, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._columns = tuple(columns)
        self._mark_width = mark_width
        self._rows: tuple[Row, ...] = ()
        self._cursor: int | None = None
        self._drawer = LineDrawer(self._get_style)

    @property
    def key(self) -> str | None:
        """Return the key of the row under the cursor."""
        return None if self._cursor is None else self._rows[self._cursor].key

    @property
    def rows(self) -> tuple[Row, ...]:
        """Return what is shown."""
        return self._rows

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows; the cursor stays with its row, or where it stood when that is gone."""
        before, at = self.key, self._cursor or 0
        offset = at - self.scroll_offset.y
        self._rows = tuple(rows)
        index = next((i for i, row in enumerate(self._rows) if row.key == before and row.heading is None), None)
        self._cursor = index if index is not None else self._nearest(at)
        self._measure()
        if index is not None and index != at:  # rows came or went above: keep the cursor's line on screen
            self.scroll_to(y=index - offset, animate=False, force=True)
        self._show_cursor()
        self.refresh()
        self.post_message(self.Highlighted(self, self.key))

    def show_columns(self, columns: Sequence[Column]) -> None:
        """Show other columns, or other titles."""
        if tuple(columns) != self._columns:
            self._columns = tuple(columns)
            self.refresh()

    def move_to_key(self, key: str) -> None:
        """Put the cursor on the row of that key, where it is shown."""
        index = next((i for i, row in enumerate(self._rows) if row.key == key and row.heading is None), None)
        if index is not None:
            self.move_to(index)

    def move(self, step: int) -> None:
        """Move the cursor by so many rows; head rows are passed over."""
        stops = [i for i, row in enumerate(self._rows) if row.heading is None]
        if not stops or self._cursor is None:
            return
        here = stops.index(self._cursor)
        self.move_to(stops[max(0, min(len(stops) - 1, here + step))])

    def move_page(self, pages: int) -> None:
        """Move the cursor by so many screens."""
        self.move(pages * max(1, self.size.height - 2))

    def move_edge(self, direction: int) -> None:
        """Move the cursor to the first row (negative) or the last."""
        self.move(direction * len(self._rows))

    def move_to(self, index: int) -> None:
        """Put the cursor on one row."""
        self._cursor = index
        self._show_cursor()
        self.refresh()
        self.post_message(self.Highlighted(self, self.key))

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Return the lines of titles and rows, for a table that is only as high as it must be."""
        return len(self._rows) + 1

    def visible_keys(self) -> tuple[str, ...]:
        """Return the keys of the rows on screen, from the top."""
        first = self.scroll_offset.y
        return tuple(row.key for row in self._rows[first : first + max(0, self.size.height - 1)] if row.heading is None)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return some lines, past the cache of styles: there is neither border nor padding to add."""
        strips = filtered(self, [self.render_line(y) for y in crop.line_range])
        return [strip.crop(*crop.column_span).adjust_cell_length(crop.width) for strip in strips]

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen: the titles, or a row."""
        width = self.scrollable_content_region.width
        if not width:
            return Strip.blank(0)
        index = y - 1 + self.scroll_offset.y
        sizes = widths(self._columns, width - self._mark_width - 1, self.screen.size.width)
        if y == 0:
            text = Content(" " * self._mark_width) + titles(self._columns, sizes)
            return self._drawer.draw(text, self.get_visual_style("grouped-table--titles"), width)
        if index >= len(self._rows):
            return Strip.blank(width, self.visual_style.rich_style)
        row = self._rows[index]
        if index == self._cursor:
            state = "cursor" if self.has_focus or not self.can_focus else "cursor-blurred"
            style = self._cursor_style(f"grouped-table--{state}")
            return self._drawer.draw(self._line(row, sizes, CURSOR), style, width)
        make = partial(self._line, row, sizes, " ")
        return self._drawer.kept(row, make, self.visual_style, width, form=(self._columns, sizes))

    def _line(self, row: Row, sizes: Sequence[int], sign: str) -> Content:
        if row.heading is not None:
            return Content(" ") + row.heading
        mark = Content.styled(f" {sign}{row.mark:<{self._mark_width - 2}}", "bold $text-accent")
        return mark + lay_out(self._columns, sizes, row.cells)

    def notify_style_update(self) -> None:
        """Draw anew in other colours."""
        super().notify_style_update()
        self._drawer.clear()

    def _cursor_style(self, name: str) -> Style:
        """Return the style of the cursor's row; Textual 8.2 forgets `reverse`, all that a theme of 16 colours has."""
        return self.get_visual_style(name) + Style(reverse=self.get_component_styles(name).text_style.reverse)

    def on_resize(self) -> None:
        """Keep the cursor on screen."""
        self._measure()
        self._show_cursor()

    def on_focus(self) -> None:
        """Show the cursor as live."""
        self.refresh()

    def on_blur(self) -> None:
        """Show the cursor as resting."""
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the row; a click on the cursor's row chooses it."""
        index = event.y - 1 + self.scroll_offset.y
        if event.y < 1 or not 0 <= index < len(self._rows) or self._rows[index].heading is not None:
            return
        if index == self._cursor:
            self.post_message(self.Chosen(self, self._rows[index].key))
        else:
            self.move_to(index)

    def _measure(self) -> None:
        """Tell the scrollbar how long the table is; only where that shows or hides it the screen is laid out anew."""
        size = Size(self.size.width, len(self._rows) + 1)
        if size != self.virtual_size:
            if size.height != self.virtual_size.height and self.styles.is_auto_height:
                self.refresh(layout=True)
            self.virtual_size = size
            self._scroll_update(size)

    def _nearest(self, index: int) -> int | None:
        stops = [i for i, row in enumerate(self._rows) if row.heading is None]
        return min(stops, key=lambda i: abs(i - index), default=None)

    def _show_cursor(self) -> None:
        if self._cursor is None or not self.size.height:
            return
        head = self._cursor - 1 if self._cursor and self._rows[self._cursor - 1].heading is not None else self._cursor
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if head < top:
            self.scroll_to(y=head, animate=False, force=True)
        elif self._cursor >= top + height:
            self.scroll_to(y=self._cursor - height + 1, animate=False, force=True)
        self.refresh(Region(0, 0, self.size.width, self.size.height))
