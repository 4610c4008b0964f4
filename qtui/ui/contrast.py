"""How readable text is on a background, by the Web Content Accessibility Guidelines 2.2 (1.4.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from textual.color import Color

READABLE = 4.5
TEXTS = (
    "foreground", "foreground-muted", "text-muted", "text-primary", "text-secondary", "text-accent", "text-success",
    "text-warning", "text-error",
)  # fmt: skip
"""The variables that text of ours has."""
BACKGROUNDS = ("background", "surface", "panel", "block-cursor-background", "block-cursor-blurred-background")
"""The variables of what text of ours stands on."""
PAIRS = (
    ("input-selection-foreground", "input-selection-background"),
    ("input-cursor-foreground", "input-cursor-background"),
)
"""Text and background that only meet each other."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and a background, and their contrast: 1 (equal) to 21."""

    text: str
    background: str
    ratio: float


def luminance(colour: Color) -> float:
    """Return the relative luminance of an opaque colour, 0 (black) to 1 (white)."""
    red, green, blue = (_linear(part / 255) for part in colour.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def ratio(one: Color, other: Color) -> float:
    """Return the contrast of two opaque colours, 1 to 21, in either order."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def low_contrast(variables: Mapping[str, str]) -> list[Pair]:
    """Return the pairs of text and background that are hard to read.

    Nothing can be said of the terminal's own colours, so those are left out.
    """
    return [pair for pair in pairs(variables) if pair.ratio < READABLE]


def pairs(variables: Mapping[str, str]) -> Iterator[Pair]:
    """Yield every pair of text and background that the styles use, with its contrast."""
    base = Color.parse(variables["background"])
    met = [(text, background) for background in BACKGROUNDS for text in TEXTS]
    for text, background in (*met, *PAIRS):
        under = resolved(variables[background], base)
        if under is None or base.ansi is not None:
            continue
        over = resolved(variables[text], under)
        if over is not None:
            yield Pair(text, background, ratio(over, under))


def resolved(value: str, under: Color) -> Color | None:
    """Return what a variable looks like over an opaque colour; None for a colour of the terminal's own, or none."""
    match = re.fullmatch(r"(.+?)\s+(\d{1,3})%", value)
    colour, share = (match[1], int(match[2]) / 100) if match else (value, 1.0)
    if colour == "initial":
        return None
    if colour == "auto":
        return under + under.get_contrast_text(share)
    parsed = Color.parse(colour)
    return None if parsed.ansi is not None else under + parsed.multiply_alpha(share)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
