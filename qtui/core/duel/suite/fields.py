"""The fields of one task, checked one by one, with the key that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from qtui.core.duel.suite.checks import (
    Case,
    Check,
    Choice,
    Code,
    Exact,
    JsonForm,
    Number,
    Opposite,
    Ordered,
    Pattern,
    ToolCall,
)
from qtui.core.duel.suite.code import is_property
from qtui.core.duel.suite.schema import schema_problem
from qtui.core.duel.suite.task import MOST_TOKENS, Needle, Task
from qtui.core.text import clean, clean_name

LONGEST_PROMPT = 1 << 20
LONGEST_EXPRESSION = 1000
_PLAIN = frozenset(
    ("id", "group", "prompt", "opposite", "options", "fact", "fill", "depth", "raw", "max_tokens", "tolerance", "bare",
     "whole")
)  # fmt: skip
_CODE = frozenset(("function", "parameters", "require", "forbid", "most_lines", "cases"))


class WrongFieldError(Exception):
    """A field that cannot be used."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


class TaskFields:
    """Reads one task from its table; `head` gives what holds for all tasks of the file."""

    def __init__(self, table: Mapping[str, Any], head: Mapping[str, Any], suite: str) -> None:
        self._table = table
        self._head = head
        self._suite = suite
        self._makers: dict[str, Callable[[], Check]] = {
            "exact": self._exact, "number": self._number, "pattern": self._pattern, "schema": self._schema,
            "order": self._order, "tool": self._tool, "code": self._code, "answer": self._answer,
        }  # fmt: skip

    def task(self) -> Task:
        """Return the task.

        Raises:
            WrongFieldError: names the key.
        """
        for key in self._table:
            if key not in _PLAIN and key not in self._makers:
                raise WrongFieldError(clean_name(key, 40), "is not known")
        identity = clean_name(self._text("id", 60))
        limit = self._whole("max_tokens", MOST_TOKENS, 1, 1 << 17)
        return Task(
            identity, clean_name(str(self._table.get("group", self._head.get("group", self._suite))), 40),
            self._text("prompt", LONGEST_PROMPT), self._check(),
            opposite=self._text("opposite", LONGEST_PROMPT) if "opposite" in self._table else "",
            options=self._options(), needle=self._needle(), raw=self._flag("raw"), max_tokens=limit,
        )  # fmt: skip

    def _check(self) -> Check:
        given = [name for name in self._makers if name in self._table]
        if "opposite" in self._table:
            if given:
                raise WrongFieldError(given[0], "does not go with opposite")
            return Opposite()
        if len(given) != 1:
            names = ", ".join(self._makers)
            raise WrongFieldError(given[1] if given else "id", f"a task has one of {names}, or opposite")
        return self._makers[given[0]]()

    def _exact(self) -> Check:
        return Exact(self._texts("exact", one=True))

    def _number(self) -> Check:
        return Number(
            self._real("number", self._table["number"]), self._real("tolerance", self._table.get("tolerance", 0))
        )

    def _pattern(self) -> Check:
        expression = self._text("pattern", LONGEST_EXPRESSION)
        try:
            re.compile(expression)
        except (re.error, RecursionError, OverflowError) as error:
            raise WrongFieldError("pattern", f"is no regular expression: {clean(str(error))}") from None
        return Pattern(expression, self._flag("whole"))

    def _schema(self) -> Check:
        problem = schema_problem(self._table["schema"])
        if problem:
            raise WrongFieldError("schema", problem)
        return JsonForm(dict(self._table["schema"]), self._flag("bare"))

    def _order(self) -> Check:
        return Ordered(self._texts("order"))

    def _tool(self) -> Check:
        table = self._table["tool"]
        if not isinstance(table, Mapping) or set(table) != {"name", "arguments"}:
            raise WrongFieldError("tool", "has a name and arguments, and nothing else")
        name, arguments = table["name"], table["arguments"]
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise WrongFieldError("tool", "its name is a text and its arguments are a table")
        return ToolCall(clean_name(name), dict(arguments))

    def _code(self) -> Check:
        table = self._table["code"]
        if not isinstance(table, Mapping) or set(table) - _CODE:
            raise WrongFieldError("code", f"is a table of {', '.join(sorted(_CODE))}")
        names: dict[str, tuple[Any, ...]] = {}
        for key in ("require", "forbid"):
            names[key] = tuple(table.get(key, ()))
            wrong = next((name for name in names[key] if not (isinstance(name, str) and is_property(name))), None)
            if wrong is not None:
                raise WrongFieldError("code", f"{key} names {clean_name(str(wrong), 40)}, which cannot be looked for")
        counts = {key: table.get(key) for key in ("parameters", "most_lines")}
        if not all(value is None or (isinstance(value, int) and 0 <= value < 10_000) for value in counts.values()):
            raise WrongFieldError("code", "parameters and most_lines are whole numbers")
        cases: Any = table.get("cases", [])
        if not (isinstance(cases, list) and all(isinstance(c, Mapping) and set(c) == {"call", "gives"} for c in cases)):
            raise WrongFieldError("code", "cases are a list of tables with call and gives")
        return Code(
            clean_name(str(table.get("function", ""))), counts["parameters"], names["require"], names["forbid"],
            counts["most_lines"], tuple(Case(tuple(case["call"]), case["gives"]) for case in cases),
        )  # fmt: skip

    def _answer(self) -> Check:
        options = self._options()
        if not options:
            raise WrongFieldError("answer", "goes with options")
        return Choice(self._whole("answer", 0, 0, len(options) - 1))

    def _options(self) -> tuple[str, ...]:
        if "options" not in self._table:
            return ()
        if "answer" not in self._table:
            raise WrongFieldError("options", "go with answer")
        options = self._texts("options")
        if not 2 <= len(options) <= 26:
            raise WrongFieldError("options", "are 2 to 26")
        return options

    def _needle(self) -> Needle | None:
        given = [name for name in ("fact", "fill", "depth") if name in self._table]
        if not given:
            return None
        if len(given) < 3:
            raise WrongFieldError(given[0], "fact, fill and depth go together")
        fill, depth = (self._real(name, self._table[name]) for name in ("fill", "depth"))
        if not 0 < fill <= 0.95:
            raise WrongFieldError("fill", "is above 0, to 0.95")
        if not 0 <= depth <= 1:
            raise WrongFieldError("depth", "is from 0 to 1")
        return Needle(self._text("fact", 2000), fill, depth)

    def _text(self, key: str, limit: int) -> str:
        value = self._table.get(key)
        if not isinstance(value, str) or not value.strip():
            raise WrongFieldError(key, "is missing" if value is None else "is no text")
        if len(value) > limit:
            raise WrongFieldError(key, f"is longer than {limit} characters")
        return clean(value)

    def _texts(self, key: str, *, one: bool = False) -> tuple[str, ...]:
        value = self._table[key]
        if one and isinstance(value, str):
            value = [value]
        if not (isinstance(value, list) and value and all(isinstance(item, str) and item for item in value)):
            raise WrongFieldError(key, "is a list of texts")
        return tuple(map(clean, value))

    def _real(self, key: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not -1e300 < value < 1e300:
            raise WrongFieldError(key, "is not a number")
        return float(value)

    def _whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self._table.get(key, self._head.get(key, default))
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise WrongFieldError(key, f"is not a whole number from {low} to {high}")
        return value

    def _flag(self, key: str) -> bool:
        value = self._table.get(key, self._head.get(key, False))
        if not isinstance(value, bool):
            raise WrongFieldError(key, "is true or false")
        return value
