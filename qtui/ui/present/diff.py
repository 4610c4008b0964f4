"""Two answers side by side as words on the screen: what differs is marked, and not by its colour alone."""

from __future__ import annotations

from textual.content import Content

from qtui.core.duel.difference import Difference
from qtui.core.duel.hunks import HunkKind, hunks
from qtui.core.text import clean
from qtui.ui.present.words import prose

MOST_CHARACTERS = 100_000
"""Of an answer; more is not read side by side."""
MARK = "underline $text-warning"


def columns(first: str, second: str) -> tuple[Content, Content]:
    """Return both answers, with what only one of them says underlined."""
    parts: tuple[list[Content], list[Content]] = ([], [])
    for hunk in hunks(first[:MOST_CHARACTERS], second[:MOST_CHARACTERS]):
        style = "" if hunk.kind is HunkKind.SAME else MARK
        for column, text in zip(parts, (hunk.first, hunk.second), strict=True):
            if text:
                column.append(_marked(text, style))
    for column, text in zip(parts, (first, second), strict=True):
        if len(text) > MOST_CHARACTERS:
            column.append(prose(f"\n… {len(text) - MOST_CHARACTERS} characters more", "$foreground-muted"))
    return Content("").join(parts[0]), Content("").join(parts[1])


def summary(apart: Difference) -> Content:
    """Return the line over both."""
    return Content.styled(apart.sentence, "bold")


def _marked(text: str, style: str) -> Content:
    """Return a stretch with its style on the words and not on the space before them."""
    shown = clean(text)
    begin = len(shown) - len(shown.lstrip())
    return Content(shown[:begin]) + Content.styled(shown[begin:], style)
