"""Thinking told apart from the answer, by the marks that models are trained to write."""

from __future__ import annotations

from qtui.services.engine.child.stops import unfinished

Part = tuple[str, bool]
"""Text, and whether it is thinking."""

TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel>thought", "<channel|>"),
    ("<|inner_prefix|>", "<|inner_suffix|>"),
    ("◁think▷", "◁/think▷"),
)
"""Opening and closing marks: Qwen, DeepSeek and most others, Seed, Magistral, Command, Gemma 4, Apertus, Kimi."""
CHANNEL, MESSAGE, START = "<|channel|>", "<|message|>", "<|start|>"
_ENDS = ("<|end|>", "<|return|>", "<|call|>", START, CHANNEL)
MARKS = frozenset(mark for pair in TAGS for mark in pair) | {"<|channel>", CHANNEL, MESSAGE, *_ENDS}
"""Tokens that must reach the parser as text, though they are control tokens."""


class Thinking:
    """Splits an answer as it arrives. Only an answer that begins with an opening mark thinks."""

    def __init__(self, prompt: str) -> None:
        end = prompt.rstrip()
        self._pending = ""
        self._close = next((close for opening, close in TAGS if end.endswith(opening)), "")
        self._channels = _Channels() if end.endswith(START + "assistant") else None
        self._begun = bool(self._close)
        self._skip_space = self._begun

    def feed(self, text: str) -> list[Part]:
        """Return the parts that can be told so far."""
        if self._channels:
            return self._channels.feed(text)
        self._pending += text
        if not self._begun and not self._begin():
            return []
        if self._channels:
            pending, self._pending = self._pending, ""
            return self._channels.feed(pending)
        parts = []
        if self._close:
            before, mark, after = self._pending.partition(self._close)
            keep = 0 if mark else unfinished(before, (self._close,))
            parts.append((self._strip(before[: len(before) - keep]), True))
            self._pending = before[len(before) - keep :]
            if not mark:
                return [part for part in parts if part[0]]
            self._close, self._skip_space, self._pending = "", True, after
        parts.append((self._strip(self._pending), False))
        self._pending = ""
        return [part for part in parts if part[0]]

    def flush(self) -> list[Part]:
        """Return what was held back, at the end of the answer."""
        if self._channels:
            return self._channels.flush()
        pending, self._pending = self._pending, ""
        return [(pending, bool(self._close))] if pending else []

    def _begin(self) -> bool:
        """Decide by the first characters whether the answer begins with a mark; False while it may still be one."""
        text = self._pending.lstrip()
        if text.startswith((CHANNEL, START)):
            self._channels = _Channels(prompted=text.startswith(CHANNEL))
            self._pending = text
        else:
            opened = next(((o, c) for o, c in TAGS if text.startswith(o)), None)
            if opened:
                self._pending, self._close = text.removeprefix(opened[0]), opened[1]
                self._skip_space = True
            elif any(mark.startswith(text) for mark in (*(o for o, _ in TAGS), CHANNEL, START)):
                return False
        self._begun = True
        return True

    def _strip(self, text: str) -> str:
        """Drop the white space that stands between a mark and its text."""
        if self._skip_space:
            text = text.lstrip()
            self._skip_space = not text
        return text


class _Channels:
    """gpt-oss: `<|channel|>analysis<|message|>…<|end|><|start|>assistant<|channel|>final<|message|>…`."""

    def __init__(self, prompted: bool = True) -> None:
        self._pending = ""
        self._channel: str | None = None
        self._opened = not prompted
        """Whether the first header is known to be one: a prompt that opened it may be answered without channels."""

    def feed(self, text: str) -> list[Part]:
        """Return the parts that can be told so far; only the channel `final` is the answer."""
        self._pending += text
        parts: list[Part] = []
        while self._pending:
            if not self._opened:
                if unfinished(self._pending, (CHANNEL, MESSAGE)) == len(self._pending):
                    break
                self._opened = True
                if not self._pending.startswith((CHANNEL, MESSAGE, " to=")):
                    self._channel = "final"
            if self._channel is None:
                header, mark, rest = self._pending.partition(MESSAGE)
                if not mark:
                    break
                self._channel = (header.partition(CHANNEL)[2].split() or ["final"])[0]
                self._pending = rest
                continue
            places = [(place, end) for end in _ENDS if (place := self._pending.find(end)) >= 0]
            place, end = min(places, default=(len(self._pending) - unfinished(self._pending, _ENDS), ""))
            if place:
                parts.append((self._pending[:place], self._channel != "final"))
            if not end:
                self._pending = self._pending[place:]
                break
            # the mark that begins a header stays: the header is read from it
            self._pending = self._pending[place if end in (START, CHANNEL) else place + len(end) :]
            self._channel = None
        return parts

    def flush(self) -> list[Part]:
        """Return what was held back; an unfinished header is nobody's text."""
        pending, self._pending = self._pending, ""
        return [(pending, self._channel != "final")] if pending and self._channel is not None else []
