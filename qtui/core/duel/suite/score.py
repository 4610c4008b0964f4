"""What the results of a suite say: a score out of 10 for each group, and whether the sides differ.

Both sides are compared over the tasks that both could be judged on. "No difference shown" is a normal result, and most
often the right one: ten tasks tell apart only what is far apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtui.core.duel.statistics import LEVEL, SUM_LEVEL, Interval, Pairs, levels_with_sum, paired_interval
from qtui.core.duel.suite.checks import Mark

EASY, HARD = 9.0, 1.0
"""Out of 10: over the one or under the other on both sides, the tasks cannot tell them apart."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one side made of one task."""

    task: str
    group: str
    side: str
    mark: Mark
    answer: str = ""
    """What it said, or which option it chose."""

    def as_json(self) -> dict[str, Any]:
        """Return one of `results[]`."""
        return {
            "task": self.task, "group": self.group, "side": self.side, "right": self.mark.right,
            "reason": self.mark.reason, "answer": self.answer,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class GroupScore:
    """How two sides did in one group."""

    group: str
    pairs: Pairs
    not_judged: int
    """Tasks of it that one side or both could not be judged on."""
    level: float = LEVEL
    """p below it shows a difference."""

    @property
    def scores(self) -> tuple[float, float] | None:
        """Return both scores out of 10, None without tasks."""
        total = self.pairs.total
        return (10 * self.pairs.first / total, 10 * self.pairs.second / total) if total else None

    @property
    def interval(self) -> Interval:
        """Return the 95 % interval of the difference of both shares, A less B, from -1 to 1."""
        return paired_interval(self.pairs)

    @property
    def interval_text(self) -> str:
        """Return the interval in points of the score, as `+0.5 to +1.7`."""
        return f"{10 * self.interval.low:+.1f} to {10 * self.interval.high:+.1f}"

    @property
    def shown(self) -> bool:
        """Tell whether a difference is shown."""
        return self.pairs.p < self.level

    @property
    def sentence(self) -> str:
        """Return what follows."""
        if self.scores is None:
            return "nothing could be judged"
        a, b = self.scores
        if self.shown:
            return f"{'A' if a > b else 'B'} is better (p = {self.pairs.p:.3g})"
        if min(a, b) > EASY:
            return "too easy to tell"
        if max(a, b) < HARD:
            return "too hard to tell"
        return "no difference shown"

    def as_json(self) -> dict[str, Any]:
        """Return one of `groups[]`."""
        pairs, scores = self.pairs, self.scores
        return {
            "group": self.group, "tasks": pairs.total, "not_judged": self.not_judged,
            "scores": list(scores) if scores else None,
            "both": pairs.both, "only_a": pairs.only_first, "only_b": pairs.only_second, "neither": pairs.neither,
            "p": pairs.p, "level": self.level, "interval": self.interval.as_json(), "shown": self.shown,
            "sentence": self.sentence,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SuiteScore:
    """The groups, and all of them together."""

    groups: tuple[GroupScore, ...]
    total: GroupScore

    @property
    def note(self) -> str:
        """Return how to read it."""
        strict = ""
        if len(self.groups) > 1:
            strict = (
                f": p below {SUM_LEVEL:g} for all groups, and in single ones with Holm's correction, so that chance "
                f"alone shows a difference in any of these {len(self.groups) + 1} lines in at most "
                f"{LEVEL * 100:.0f} % of runs"
            )
        return (
            f"scores out of 10 over the tasks that both sides were judged on; McNemar's exact test{strict}; "
            "the interval is of A less B (Newcombe, paired, 95 %)"
        )

    def as_json(self) -> dict[str, Any]:
        """Return `score`."""
        return {"groups": [group.as_json() for group in self.groups], "total": self.total.as_json(), "note": self.note}


def score(results: Iterable[Result], sides: Sequence[str] = ("A", "B")) -> SuiteScore:
    """Put results together; a task with one side's result only counts as not judged."""
    by_task: dict[tuple[str, str], dict[str, Mark]] = {}
    for result in results:
        by_task.setdefault((result.group, result.task), {})[result.side] = result.mark
    pairs: dict[str, Pairs] = {}
    missing: dict[str, int] = {}
    for (group, _), marks in by_task.items():
        found = _pair(marks, sides)
        pairs[group] = pairs.get(group, Pairs()) + (found or Pairs())
        missing[group] = missing.get(group, 0) + (found is None)
    together = sum(pairs.values(), Pairs())
    limits, whole = levels_with_sum([(counted.only_first, counted.only_second) for counted in pairs.values()])
    groups = tuple(
        GroupScore(group, counted, missing[group], limit)
        for (group, counted), limit in zip(pairs.items(), limits, strict=True)
    )
    return SuiteScore(groups, GroupScore("all", together, sum(missing.values()), whole))


def _pair(marks: Mapping[str, Mark], sides: Sequence[str]) -> Pairs | None:
    rights = [marks[side].right if side in marks else None for side in sides]
    if len(rights) != 2 or None in rights:
        return None
    first, second = rights
    return Pairs(
        int(bool(first and second)), int(bool(first and not second)), int(bool(second and not first)),
        int(not first and not second),
    )  # fmt: skip
