"""Stop strings: found across tokens, and text held back while it may still become one."""

from __future__ import annotations

from collections.abc import Iterable


def unfinished(text: str, marks: Iterable[str]) -> int:
    """Return how many characters at the end of `text` may be the beginning of one of the marks."""
    longest = 0
    for mark in marks:
        for length in range(min(len(mark) - 1, len(text)), longest, -1):
            if text.endswith(mark[:length]):
                longest = length
                break
    return longest


class Stops:
    """Passes text on until one of the stop strings appears."""

    def __init__(self, strings: Iterable[str]) -> None:
        self._strings = tuple(s for s in strings if s)
        self._held = ""
        self.hit = False

    def feed(self, text: str) -> str:
        """Return what may be shown; after a stop string nothing more is."""
        if self.hit:
            return ""
        if not self._strings:
            return text
        text = self._held + text
        places = [place for s in self._strings if (place := text.find(s)) >= 0]
        if places:
            self.hit, self._held = True, ""
            return text[: min(places)]
        keep = unfinished(text, self._strings)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what was held back, at the end of the answer."""
        held, self._held = self._held, ""
        return "" if self.hit else held
