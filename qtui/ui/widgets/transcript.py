"""The turns of one side."""

from __future__ import annotations

from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qtui.ui.widgets.ground import Ground, quiet_size
from qtui.ui.widgets.markdown_blocks import Block, Flow
from qtui.ui.widgets.past import Past
from qtui.ui.widgets.turn import Turn

FRESH = 8
"""Turns and notes that stay widgets of their own, the newest."""


class Note(Static):
    """Something that was said between turns."""

    def __init__(self, text: Content) -> None:
        super().__init__(text, classes="note")
        self._text = text

    def whole(self) -> Block:
        """Return it as a block."""
        return Flow(self._text)


class Transcript(VerticalScroll, Ground, can_focus=True):
    """The turns so far, from the top; once they are more than fit, it follows the end until it is scrolled.

    A bar shows where one is only away from the end: at the end it would be drawn anew with every line that comes.
    """

    virtual_size = quiet_size()

    def on_mount(self) -> None:
        """Follow the end as soon as there is something to follow."""
        self.watch(self, "virtual_size", self._keep_anchor)
        self.watch(self, "scroll_y", self._show_bar)

    def on_resize(self) -> None:
        """Look again whether everything fits."""
        self._keep_anchor()

    def follow(self) -> None:
        """Follow the end again."""
        if self.max_scroll_y:
            self.anchor()

    async def fold_past(self) -> None:
        """Make lines of what is no longer new."""
        old = [child for child in self.children if isinstance(child, (Turn, Note))][:-FRESH]
        if old:
            past = self.children[0]
            if not isinstance(past, Past):
                past = Past()
                await self.mount(past, before=0)
            past.add([child.whole() for child in old])
            await self.remove_children(old)

    def _keep_anchor(self) -> None:
        # An anchored container puts content that is shorter than itself at its bottom (Textual 8.2).
        if self.max_scroll_y and not self.is_anchored:
            self.anchor()
        elif not self.max_scroll_y and self.is_anchored:
            self.anchor(False)
            self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def _show_bar(self) -> None:
        self.set_class(self.scroll_y < self.max_scroll_y - 1, "away")
