"""A plain ground for containers that only hold others: it is drawn whenever they are, and must cost nothing."""

from __future__ import annotations

from textual.color import TRANSPARENT
from textual.geometry import Region, Size
from textual.reactive import Reactive
from textual.strip import Strip
from textual.widget import Widget


def filtered(widget: Widget, strips: list[Strip]) -> list[Strip]:
    """Return strips as the app wants them, without colours for instance."""
    filters = widget.get_line_filters()
    if filters:
        background = widget.visual_style.background or TRANSPARENT
        for each in filters:
            strips = [strip.apply_filter(each, background) for strip in strips]
    return strips


def quiet_size() -> Reactive[Size]:
    """Return what a widget whose content grows shall have as `virtual_size`.

    Textual 8.2 arranges and draws the whole screen a second time when a layout has changed a widget's virtual size.
    """
    return Reactive(Size(0, 0), layout=False, repaint=False)


class Ground(Widget):
    """Draws nothing but its background. It comes after the container: Textual takes styles from the first base."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the same blank line for every row."""
        return filtered(self, [Strip.blank(crop.width, self.visual_style.rich_style)]) * crop.height
