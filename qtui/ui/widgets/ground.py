"""A plain ground for containers that only hold others: it is drawn whenever they are, and must cost nothing."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget


def filtered(widget: Widget, strip: Strip) -> Strip:
    """Return a strip as the app wants it, without colours for instance."""
    filters = widget.get_line_filters()
    if filters:
        _, background = widget.background_colors
        for each in filters:
            strip = strip.apply_filter(each, background)
    return strip


class Ground(Widget):
    """Draws nothing but its background. It comes after the container: Textual takes styles from the first base."""

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the same blank line for every row."""
        return [filtered(self, Strip.blank(crop.width, self.visual_style.rich_style))] * crop.height
