"""Measured rounds: the same prompts several times, alternated, and what the repeats say of sides and ratio.

One round is run first and discarded: it pays for pages, caches and clocks that the others find ready. In every round
each side answers alone, from an empty cache, in an order that is drawn anew, so that a machine that warms up or gets
busy slows both alike. A round in which a session dies is repeated on a fresh one; what was measured is kept.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from qtui.core.duel.conversation import Answer
from qtui.core.duel.run import Duel, DuelEvent, DuelMode, RoundEnded
from qtui.core.duel.side import SideResult
from qtui.core.duel.spread import Spread, median_interval
from qtui.core.duel.statistics import Interval
from qtui.core.errors import Failure
from qtui.core.library.variant import Variant
from qtui.core.text import rate

REPEATS = 2
"""How often a round is repeated whose side died."""
SEED = 42
"""Of the order in which sides answer: the same command draws the same orders."""


@dataclass(frozen=True, slots=True)
class RoundBegins:
    """A round begins."""

    number: int
    """0: the one that is discarded."""
    total: int
    prompt: str
    order: tuple[str, ...]
    """Labels of the sides, as they answer."""


@dataclass(frozen=True, slots=True)
class RoundRepeated:
    """A round is run again, since a side died in it."""

    number: int
    side: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class SideNumbers:
    """What was measured of one side over all rounds."""

    side: str
    variant: Variant
    first_token: Spread
    """Seconds."""
    prompt_rate: Spread
    """Tokens per second."""
    generation_rate: Spread
    """Tokens per second."""
    peak: int | None
    """Bytes, the highest of all rounds."""

    def as_json(self) -> dict[str, Any]:
        """Return one of `measured.sides[]`."""
        return {
            "side": self.side, "file": str(self.variant.path), "quant": self.variant.quant,
            "time_to_first_token": self.first_token.as_json(), "prompt_rate": self.prompt_rate.as_json(),
            "generation_rate": self.generation_rate.as_json(), "peak_rss": self.peak,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much faster B generates than A: the median of the rounds' ratios."""

    median: float
    interval: Interval | None
    """Of the median, 95 %; None below six rounds."""

    @property
    def sentence(self) -> str:
        """Return what follows, in words."""
        said = f"B generates {self.median:.3f} times as fast as A"
        if self.interval is None:
            return f"{said}; six rounds or more would tell how sure that is"
        held = f"{said} ({self.interval.low:.3f} to {self.interval.high:.3f})"
        return held if not self.interval.low <= 1 <= self.interval.high else f"{held}: no difference shown"

    def as_json(self) -> dict[str, Any]:
        """Return `measured.ratio`."""
        return {
            "median": self.median, "interval": self.interval.as_json() if self.interval else None,
            "sentence": self.sentence,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measured:
    """All rounds are run, or as many as could be."""

    rounds: tuple[RoundEnded, ...]
    """Those that count, in order."""
    sides: tuple[SideNumbers, ...]
    ratio: Ratio | None
    method: str
    failure: Failure | None = None
    """Why there are no more rounds."""

    @property
    def outliers(self) -> tuple[str, ...]:
        """Return a line for every generation rate that stands out."""
        return tuple(
            f"{side.side}: {rate(side.generation_rate.samples[place])} t/s in round {place + 1} stands out from a "
            f"median of {rate(side.generation_rate.median)}; it is not left out"
            for side in self.sides
            for place in side.generation_rate.outliers
        )

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `measured`."""
        return {
            "rounds": len(self.rounds), "sides": [side.as_json() for side in self.sides],
            "ratio": self.ratio.as_json() if self.ratio else None, "method": self.method,
            "outliers": list(self.outliers),
        }  # fmt: skip


MeasuredEvent = DuelEvent | RoundBegins | RoundRepeated | Measured


async def measured_rounds(
    duel: Duel,
    prompts: Sequence[str],
    rounds: int,
    *,
    mode: DuelMode | None = None,
    raw: bool = False,
    seed: int = SEED,
) -> AsyncGenerator[MeasuredEvent, None]:  # fmt: skip
    """Put each prompt so many times to both sides: their events, RoundEnded for each round, then Measured.

    Ends early, with what was measured, when a side fails for another reason than that its session died, when it died
    in three runs of one round, or when the duel is stopped.
    """
    drawn = random.Random(seed)  # noqa: S311 (the order of sides is no secret)
    kept: list[RoundEnded] = []
    failure: Failure | None = None
    plan = list(enumerate([prompts[0], *(prompt for prompt in prompts for _ in range(rounds))]))
    for number, prompt in plan:
        order = tuple(drawn.sample(duel.labels, len(duel.labels)))
        yield RoundBegins(number, len(plan) - 1, prompt, order)
        ended: RoundEnded | None = None
        for attempt in range(REPEATS + 1):
            duel.clear()
            async with aclosing(duel.ask(prompt, mode=mode, raw=raw, order=order)) as events:
                async for event in events:
                    ended = event if isinstance(event, RoundEnded) else ended
                    yield event
            dead = next(died_in(ended), None)
            if dead is None or attempt == REPEATS or duel.stopped:
                break
            yield RoundRepeated(number, dead.side, dead.failure or Failure("its session ended"))
        assert ended is not None
        failure = next((side.failure for side in ended.sides if side.failure), None)
        if failure or duel.stopped:
            break
        if number:
            kept.append(ended)
    yield summary(kept, rounds * len(prompts), failure)


def died_in(ended: RoundEnded | None) -> Iterator[SideResult]:
    """Yield the sides whose session died in a round: to ask again is worth it."""
    yield from (side for side in (ended.sides if ended else ()) if side.failure and side.failure.kind == "engine")


def summary(rounds: Sequence[RoundEnded], wanted: int, failure: Failure | None = None) -> Measured:
    """Put the numbers of rounds together."""
    labels = [side.side for side in rounds[0].sides] if rounds else []
    sides = [_numbers(label, rounds) for label in labels]
    return Measured(tuple(rounds), tuple(sides), _ratio(rounds), _method(rounds, wanted), failure)


def _numbers(label: str, rounds: Sequence[RoundEnded]) -> SideNumbers:
    results = [side for ended in rounds for side in ended.sides if side.side == label]
    answers = [side.answer for side in results if side.answer]
    return SideNumbers(
        label, results[0].variant,
        _spread(answer.time_to_first_token for answer in answers),
        _spread(answer.prompt_rate for answer in answers),
        _spread(answer.generation_rate for answer in answers),
        max((answer.memory.peak for answer in answers if answer.memory.peak is not None), default=None),
    )  # fmt: skip


def _spread(values: Iterator[float | None]) -> Spread:
    return Spread(tuple(value for value in values if value is not None))


def _ratio(rounds: Sequence[RoundEnded]) -> Ratio | None:
    """Return how the sides compare round by round; None for one side, and where a rate is not known."""
    ratios: list[float] = []
    for ended in rounds:
        answers: list[Answer] = [side.answer for side in ended.sides if side.answer]
        rates = [answer.generation_rate for answer in answers]
        if len(rates) == 2 and rates[0] and rates[1]:
            ratios.append(rates[1] / rates[0])
    return Ratio(statistics.median(ratios), median_interval(ratios)) if ratios else None


def _method(rounds: Sequence[RoundEnded], wanted: int) -> str:
    """Return the sentence that says how it was measured."""
    mode = rounds[0].mode if rounds else DuelMode.ALTERNATING
    who = {
        DuelMode.ALTERNATING: "one side computes at a time, in an order drawn anew each round",
        DuelMode.IN_TURN: "each side is loaded anew for each answer, since both do not fit at once, in an order drawn "
        "anew each round",
        DuelMode.TOGETHER: "both sides compute at once: for reading, the rates are shared and do not compare",
    }[mode]
    count = f"{len(rounds)} round{'' if len(rounds) == 1 else 's'}"
    left = f" of {wanted} that were wanted" if len(rounds) < wanted else ""
    return f"{count}{left} after one that is discarded; {who}; every answer from an empty cache; medians"
