"""What stands on the screen and is hard to read: every piece of text against what is behind it."""

from __future__ import annotations

from collections.abc import Iterator

from rich.color import ColorType
from rich.segment import Segment
from textual.color import Color
from textual.pilot import Pilot

from qtui.ui.contrast import READABLE, ratio

GRAPHICS = frozenset("█▉▊▋▌▍▎▏▁▂▃▄▅▆▇▔▕┃│─╭╮╰╯├┤┬┴┼━")
"""Bars and lines, which are no text."""


def pieces(pilot: Pilot[None]) -> Iterator[Segment]:
    """Yield the styled pieces of text on the screen."""
    for strip in pilot.app.screen._compositor.render_strips(pilot.app.size):
        for segment in strip:
            if segment.style is not None and set(segment.text) - GRAPHICS - {" "}:
                yield segment


def hard_to_read(pilot: Pilot[None]) -> set[str]:
    """Return the pieces of text on the screen whose contrast is too low, with it."""
    found = set()
    for segment in pieces(pilot):
        style = segment.style
        assert style is not None
        if style.color is None or style.bgcolor is None or style.color.triplet is None or style.bgcolor.triplet is None:
            continue
        text, ground = Color.from_rich_color(style.color), Color.from_rich_color(style.bgcolor)
        if style.reverse:
            text, ground = ground, text
        # Textual draws dim text at two thirds of its strength.
        text = ground.blend(text, 2 / 3) if style.dim else text
        if (contrast := ratio(text, ground)) < READABLE:
            found.add(f"{segment.text.strip()!r} {text.hex} on {ground.hex}: {contrast:.2f}")
    return found


def mixed_colours(pilot: Pilot[None]) -> set[str]:
    """Return the pieces of text on the screen that have other colours than the terminal's own."""
    return {
        f"{segment.text.strip()!r} {segment.style}"
        for segment in pieces(pilot)
        if segment.style is not None
        and any(
            colour is not None and colour.type not in (ColorType.DEFAULT, ColorType.STANDARD)
            for colour in (segment.style.color, segment.style.bgcolor)
        )
    }
