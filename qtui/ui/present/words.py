"""Foreign text and small numbers as `Content`: never markup, never a control character."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from qtui.core.text import GIB, clean, clean_name

SEPARATOR = " · "


def name(text: str, style: str = "", limit: int = 200) -> Content:
    """Return foreign text of one line."""
    return Content.styled(clean_name(text, limit), style)


def key(shown: str, text: str) -> Content:
    """Return a key and what it does."""
    return Content.assemble((shown, "bold $text-accent"), f" {text}")


def prose(text: str, style: str = "") -> Content:
    """Return foreign text of several lines."""
    return Content.styled(clean(text), style)


def gib(size_bytes: int | None) -> str:
    """Return GiB without the unit: two digits, three below 0.1, never 0 for something; `?` when unknown."""
    if size_bytes is None:
        return "?"
    value = size_bytes / GIB
    if 0 < value < 0.0005:
        return "<.001"
    return f"{value:.2f}" if value >= 0.095 or value == 0 else f"{value:.3f}"


def brief(size_bytes: int | None) -> str:
    """Return GiB with one digit, for the top line; `?` when unknown."""
    if size_bytes is None:
        return "?"
    return f"{size_bytes / GIB:.1f}" if size_bytes else "0"


def joined(parts: Iterable[Content | str], separator: str = SEPARATOR) -> Content:
    """Join what is not empty."""
    return Content(separator).join([part for part in parts if str(part)])


def between(left: Content, right: Content, width: int) -> Content:
    """Return one line with something at each end; the left gives way, then the right is dropped."""
    room = width - right.cell_length - 2
    if not right or room < min(left.cell_length, width // 2):
        return left.truncate(width, ellipsis=True)
    left = left.truncate(room, ellipsis=True)
    return left + " " * (width - left.cell_length - right.cell_length) + right


def bar(fraction: float, width: int) -> str:
    """Return a bar of block elements, an eighth of a cell fine."""
    eighths = round(max(0.0, min(1.0, fraction)) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)
