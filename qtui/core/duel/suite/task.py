"""Suites and their tasks, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from qtui.core.duel.suite.checks import Check
from qtui.core.text import clean_name

MOST_TOKENS = 512
"""Of an answer, unless the task says otherwise."""


class TaskKind(StrEnum):
    """How a task is asked."""

    ASK = "ask"
    """One prompt, one answer."""
    OPPOSITE = "opposite"
    """A question and its opposite, each in a conversation of its own."""
    CHOICE = "choice"
    """Options are weighed by their likelihood; nothing is written."""
    NEEDLE = "needle"
    """A fact hidden in a long document that is made to fill a part of the context."""


@dataclass(frozen=True, slots=True)
class Needle:
    """Where a fact is hidden."""

    fact: str
    fill: float
    """Share of the context that the document takes, above 0 to 0.95."""
    depth: float
    """Where in the document the fact stands, from 0 (its beginning) to 1."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task. All text in it comes from a file and is clean."""

    id: str
    """Unique in its suite."""
    group: str
    prompt: str
    check: Check
    opposite: str = ""
    """The question of opposite polarity."""
    options: tuple[str, ...] = ()
    needle: Needle | None = None
    raw: bool = False
    """The prompt is continued without the chat template."""
    max_tokens: int = MOST_TOKENS
    line: int = 0
    """Where it stands in its file."""

    @property
    def kind(self) -> TaskKind:
        """Return how it is asked."""
        if self.options:
            return TaskKind.CHOICE
        if self.needle is not None:
            return TaskKind.NEEDLE
        return TaskKind.OPPOSITE if self.opposite else TaskKind.ASK


@dataclass(frozen=True, slots=True)
class SuiteProblem:
    """Something in a suite's file that is not used."""

    line: int
    key: str
    message: str
    task: str = ""
    """The id of the task that is left out; empty: the file as a whole, or a task without one."""

    @property
    def text(self) -> str:
        """Return it as one line: `line 12: task leave: number: not a number`."""
        parts = [f"line {self.line}", f"task {self.task}" if self.task else "", self.key, self.message]
        return clean_name(": ".join(filter(None, parts)), 300)


@dataclass(frozen=True, slots=True)
class Suite:
    """The tasks of one file, or of several."""

    name: str
    title: str
    tasks: tuple[Task, ...]
    problems: tuple[SuiteProblem, ...] = ()
    digest: str = ""
    """SHA-256 of the file: results of other tasks are not mixed with these."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Return the groups, in the order in which they appear."""
        return tuple(dict.fromkeys(task.group for task in self.tasks))
