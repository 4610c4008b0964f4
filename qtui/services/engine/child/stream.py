"""The answer's text on its way out: whole characters, stop strings, thinking, and at most twenty lines a second."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from qtui.core.duel.difference import MOST_PIECES
from qtui.core.events import TextArrived
from qtui.core.text import clean
from qtui.services.engine.child.stops import Stops
from qtui.services.engine.child.thinking import Thinking

GATHER_S = 0.05
"""Text is gathered for this long before it becomes an event."""


class TextStream:
    """Takes the bytes of one token after another and sends what may be shown. All text that leaves it is clean."""

    def __init__(self, send: Callable[[object], None], stops: Stops, thinking: Thinking | None) -> None:
        self._send = send
        self._stops = stops
        self._thinking = thinking
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._gathered: list[tuple[str, bool]] = []
        self._return = {True: "", False: ""}
        self._sent_at = float("-inf")
        self._text: list[str] = []
        self._thought: list[str] = []
        self._pieces: list[bytes] = []
        self._written: list[str] = []

    @property
    def text(self) -> str:
        """Return the answer so far."""
        return "".join(self._text)

    @property
    def thought(self) -> str:
        """Return the thinking so far."""
        return "".join(self._thought)

    @property
    def pieces(self) -> tuple[str, ...]:
        """Return the texts of the first tokens, clean; bytes of characters that are not whole stand as `\\xe2`."""
        return tuple(clean(piece.decode("utf-8", "backslashreplace")) for piece in self._pieces)

    @property
    def written(self) -> str:
        """Return the answer as the model wrote it, thinking and its marks included; empty where that is `text`."""
        written = clean("".join(self._written))
        return "" if written == self.text else written

    @property
    def stopped(self) -> bool:
        """Tell whether a stop string has appeared."""
        return self._stops.hit

    def add(self, piece: bytes, now: float, tokens: int) -> None:
        """Take a token's bytes at a time in seconds; `tokens` is its number in the answer."""
        if len(self._pieces) < MOST_PIECES:
            self._pieces.append(piece)
        text = self._decode(piece)
        if text:
            self._take(self._stops.feed(text))
        if self._gathered and now - self._sent_at >= GATHER_S:
            self._flush(tokens)
            self._sent_at = now

    def finish(self, tokens: int) -> None:
        """Send what was held back."""
        self._take(self._stops.feed(self._decode(b"", True)) + self._stops.flush())
        if self._thinking:
            self._gathered.extend(self._thinking.flush())
        self._flush(tokens, last=True)

    def _take(self, text: str) -> None:
        if text:
            self._written.append(text)
            self._gathered.extend(self._thinking.feed(text) if self._thinking else [(text, False)])

    def _flush(self, tokens: int, last: bool = False) -> None:
        for thinking in (True, False):
            raw = self._return[thinking] + "".join(text for text, kind in self._gathered if kind is thinking)
            # a carriage return may be the first half of a line's end, which clean() takes as one
            self._return[thinking] = "\r" if raw.endswith("\r") and not last else ""
            text = clean(raw[: len(raw) - len(self._return[thinking])])
            if text:
                (self._thought if thinking else self._text).append(text)
                self._send(TextArrived(text, thinking, tokens))
        self._gathered.clear()
