"""The turns of one side."""

from __future__ import annotations

from textual.containers import VerticalScroll

from qtui.ui.widgets.ground import Ground, quiet_size


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

    def _keep_anchor(self) -> None:
        # An anchored container puts content that is shorter than itself at its bottom (Textual 8.2).
        if self.max_scroll_y and not self.is_anchored:
            self.anchor()
        elif not self.max_scroll_y and self.is_anchored:
            self.anchor(False)
            self.scroll_to(y=0, animate=False, force=True, immediate=True)

    def _show_bar(self) -> None:
        self.set_class(self.scroll_y < self.max_scroll_y - 1, "away")
