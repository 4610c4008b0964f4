"""Checks: how an answer is told to be right. Values only, so that they can be read from a file and sent to a child.

`judging` holds what they do. The fields come from the user's files; `text` has validated them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Exact:
    """The answer is one of these, letter case, punctuation at its ends and the words around it aside."""

    answers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Number:
    """The last number of the answer is this one."""

    value: float
    tolerance: float = 0.0


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression is found in the answer, or with `whole` is all of it. Runs in a child, with a time limit."""

    expression: str
    whole: bool = False


@dataclass(frozen=True, slots=True)
class JsonForm:
    """The answer holds JSON of this schema; with `bare` it is nothing else."""

    schema: dict[str, Any]
    bare: bool = False


@dataclass(frozen=True, slots=True)
class Ordered:
    """The answer names these in this order, each once before the next."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The answer is a call in the form `{"name": …, "arguments": {…}}`."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A call of the function that was asked for, and what it must return."""

    arguments: tuple[Any, ...]
    returns: Any


@dataclass(frozen=True, slots=True)
class Code:
    """The answer holds Python with these properties. It is parsed, never run, unless the user allows that.

    Names in `require` and `forbid`: statements and expressions (`for`, `while`, `if`, `import`, `try`, `lambda`,
    `class`, `comprehension`, `recursion`, `docstring`, `annotations`, `return`, `yield`, `global`, `async`, `assert`),
    or `call:NAME` for a call of a function or method.
    """

    function: str = ""
    """It must be defined; empty: any code that parses."""
    parameters: int | None = None
    """It must take so many."""
    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    most_lines: int | None = None
    """Lines with code at most."""
    cases: tuple[Case, ...] = field(default=())
    """Run only where that is allowed."""


@dataclass(frozen=True, slots=True)
class Opposite:
    """Two questions of opposite polarity: the answers must be yes to one and no to the other, whichever."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The likeliest of the options is this one, counted from 0."""

    answer: int


Check = Exact | Number | Pattern | JsonForm | Ordered | ToolCall | Code | Opposite | Choice
CHECKS = (Exact, Number, Pattern, JsonForm, Ordered, ToolCall, Code, Opposite, Choice)
CHILDS = (Pattern, Code)
"""Checks that may loop or crash on what a model wrote: they are judged in a child."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a check says of an answer."""

    right: bool | None
    """None: it could not be told."""
    reason: str = ""
    """Why it is wrong, or cannot be told; clean, one line."""


class Judge(Protocol):
    """Judges answers by checks that may loop or crash on what a model wrote, away from qtui's own process."""

    async def judge(self, check: Check, answer: str) -> Mark:
        """Return what the check says; it is not right, with the reason, where it takes too much time or memory."""
        ...
