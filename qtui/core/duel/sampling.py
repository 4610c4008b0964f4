"""What the user sets of sampling, over the defaults of a plain chat and of a duel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from qtui.core.duel.conversation import DUEL_SAMPLING, Sampling


@dataclass(frozen=True, slots=True)
class SamplingField:
    """One value of `Sampling`, as it is typed."""

    name: str
    label: str
    low: float
    high: float
    whole: bool
    help: str

    def parse(self, text: str) -> float:
        """Return the value that a text gives.

        Raises:
            ValueError: it is no number, or out of bounds; the message says what is wanted.
        """
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            value = float("nan")
        if not self.low <= value <= self.high:
            kind = "a whole number" if self.whole else "a number"
            raise ValueError(f"{kind} from {self.low:g} to {self.high:.10g}") from None
        return value


FIELDS = (
    SamplingField("temperature", "temperature", 0, 100, False, "0: always the likeliest token"),
    SamplingField("top_k", "top-k", 0, 1 << 20, True, "the K likeliest tokens; 0: all"),
    SamplingField("top_p", "top-p", 0, 1, False, "the likeliest that make P together"),
    SamplingField("min_p", "min-p", 0, 1, False, "at least P times the likeliest"),
    SamplingField("repeat_penalty", "repeat penalty", 0.01, 100, False, "1: none"),
    SamplingField("seed", "seed", 0, (1 << 32) - 1, True, "the same seed, the same answer"),
    SamplingField("max_tokens", "max tokens", 1, 1 << 31, True, "the answer ends after so many"),
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the user set; everything else keeps the default of a chat or of a duel."""

    values: Mapping[str, float] = field(default_factory=dict)
    """By field name of `Sampling`."""
    system: str = ""
    """The system prompt."""

    def sampling(self, sides: int) -> Sampling:
        """Return what holds for so many sides."""
        return replace(defaults(sides), **self.values)  # type: ignore[arg-type]


def defaults(sides: int) -> Sampling:
    """Return llama.cpp's own defaults for one side; for two the likeliest tokens, so that only the quants differ."""
    return DUEL_SAMPLING if sides > 1 else Sampling()
