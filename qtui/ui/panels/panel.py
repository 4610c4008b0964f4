"""What panels have in common: the right half of a wide screen, the whole of a narrow one; how they are moved in."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.types import CSSPathType

from qtui.ui.widgets.grouped_table import GroupedTable

Result = TypeVar("Result")


class Panel(ModalScreen[Result], Generic[Result]):
    """Answers and goes away. Its box has the class `box`; what is read in it scrolls."""

    CSS_PATH: ClassVar[CSSPathType | None] = "panel.tcss"

    @property
    def reading(self) -> VerticalScroll:
        """Return what scrolls."""
        return self.query_one(VerticalScroll)

    def action_scroll(self, lines: int) -> None:
        """Scroll by lines."""
        self.reading.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        """Scroll by pages, of which one line stays."""
        self.reading.scroll_relative(y=pages * max(1, self.reading.size.height - 1), animate=False)

    def action_edge(self, direction: int) -> None:
        """Scroll to the beginning (negative) or the end."""
        if direction < 0:
            self.reading.scroll_home(animate=False)
        else:
            self.reading.scroll_end(animate=False)


class TablePanel(Panel[Result], Generic[Result]):
    """A panel whose table has the cursor."""

    @property
    def table(self) -> GroupedTable:
        """Return the table."""
        return self.query_one(GroupedTable)

    def action_cursor(self, step: int) -> None:
        """Move to another row."""
        self.table.move(step)

    def action_edge(self, direction: int) -> None:
        """Move to the first row (negative) or the last."""
        self.table.move_edge(direction)
