"""Reading suites: TOML, and JSON lines for multiple choice. What cannot be used is named with its line and key.

Each `[[task]]` is parsed on its own, so that a mistake in one, even in its syntax, leaves the others usable.
docs/suites.md describes the format.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from qtui.core.duel.suite.checks import Choice
from qtui.core.duel.suite.fields import TaskFields, WrongFieldError
from qtui.core.duel.suite.task import Suite, SuiteProblem, Task
from qtui.core.text import clean, clean_name

MOST_BYTES = 8 << 20
MOST_TASKS = 5000
_TASK = re.compile(r"\s*\[\[\s*task\s*\]\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_-]+)(?:\.[A-Za-z0-9_.-]+)?\s*=")
_TABLE = re.compile(r"\s*\[\s*task\.([A-Za-z0-9_-]+)")
_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_HEAD_KEYS = frozenset(("title", "group", "max_tokens", "raw", "task"))


def read_suite(name: str, text: str) -> Suite:
    """Read a TOML suite; never fails: what cannot be used stands in `problems`."""
    blocks = _blocks(text.splitlines())
    problems: list[SuiteProblem] = []
    head, _ = _parsed(blocks[0], problems)
    for key in head:
        if key not in _HEAD_KEYS:
            problems.append(SuiteProblem(blocks[0].line_of(key), clean_name(key, 40), "is not known"))
    tasks: list[Task] = []
    for block in blocks[1 : MOST_TASKS + 1]:
        table, whole = _parsed(block, problems)
        if not whole:
            continue
        try:
            task = replace(TaskFields(table, head, name).task(), line=block.begin)
        except WrongFieldError as error:
            shown = clean_name(str(table.get("id", "")), 60)
            problems.append(SuiteProblem(block.line_of(error.key), error.key, error.message, shown))
            continue
        if task.id in {other.id for other in tasks}:
            problems.append(SuiteProblem(block.line_of("id"), "id", "is another task's already", task.id))
        else:
            tasks.append(task)
    title = clean_name(str(head.get("title", name)))
    if not tasks and not problems:
        problems.append(SuiteProblem(1, "", "holds no [[task]]"))
    return Suite(name, title, tuple(tasks), tuple(problems), hashlib.sha256(text.encode()).hexdigest())


def read_choices(name: str, text: str) -> Suite:
    """Read JSON lines as multiple choice: the question, its options, and which is right.

    A line holds `question` or `prompt`, `choices` or `options` (a list, or `{"text": […], "label": […]}`), and
    `answer`, `answerKey` or `label`: a number from 0, a letter, or the option itself.
    """
    tasks: list[Task] = []
    problems: list[SuiteProblem] = []
    for number, line in enumerate(text.splitlines()[:MOST_TASKS], 1):
        if not line.strip():
            continue
        try:
            tasks.append(replace(_choice(json.loads(line), name, number), line=number))
        except WrongFieldError as error:
            problems.append(SuiteProblem(number, error.key, error.message))
        except (ValueError, RecursionError) as error:
            problems.append(SuiteProblem(number, "", f"is no JSON: {clean(str(error))}"))
    if not tasks and not problems:
        problems.append(SuiteProblem(1, "", "holds no line"))
    return Suite(name, name, tuple(tasks), tuple(problems), hashlib.sha256(text.encode()).hexdigest())


def _choice(row: object, group: str, number: int) -> Task:
    if not isinstance(row, Mapping):
        raise WrongFieldError("", "is no JSON object")
    question = _first(row, "question", "prompt")
    options = _first(row, "choices", "options")
    labels: list[str] = []
    if isinstance(options, Mapping):
        labels = [str(label) for label in options.get("label", ())]
        options = options.get("text")
    if not isinstance(question, str) or not question.strip():
        raise WrongFieldError("question", "is no text")
    if not (isinstance(options, list) and 2 <= len(options) <= 26 and all(isinstance(o, str) and o for o in options)):
        raise WrongFieldError("choices", "is no list of 2 to 26 texts")
    answer = _first(row, "answer", "answerKey", "label")
    letters = labels or [chr(ord("A") + place) for place in range(len(options))]
    if isinstance(answer, int) and not isinstance(answer, bool) and 0 <= answer < len(options):
        place = answer
    elif isinstance(answer, str) and answer.strip() in letters:
        place = letters.index(answer.strip())
    elif answer in options:
        place = options.index(answer)
    else:
        raise WrongFieldError("answer", "is neither a number from 0, nor a letter, nor one of the options")
    prompt = f"Question: {clean(question).strip()}\nAnswer:"
    spaced = tuple(f" {clean(option).strip()}" for option in options)
    return Task(f"line {number}", group, prompt, Choice(place), options=spaced, raw=True)


def _first(row: Mapping[Any, Any], *names: str) -> Any:
    return next((row[name] for name in names if name in row), None)


class _Block:
    """Lines of a file that are parsed by themselves."""

    def __init__(self, begin: int) -> None:
        self.begin = begin
        """The line of its first line, from 1."""
        self.lines: list[str] = []
        self._keys: dict[str, int] = {}

    def add(self, line: str, *, outside: bool) -> None:
        """Add a line; `outside` of a multi-line string a key may stand in it."""
        found = (_TABLE.match(line) or _KEY.match(line)) if outside else None
        if found:
            self._keys.setdefault(found[1], self.begin + len(self.lines))
        self.lines.append(line)

    def line_of(self, key: str) -> int:
        """Return the line in which a key stands; the block's first where it stands in none."""
        return self._keys.get(key.partition(".")[0], self.begin)


def _blocks(lines: list[str]) -> list[_Block]:
    """Return the head of a file and its tasks, cut at `[[task]]` outside of multi-line strings."""
    blocks = [_Block(1)]
    quote = ""
    for number, line in enumerate(lines, 1):
        if not quote and _TASK.match(line):
            blocks.append(_Block(number))
        blocks[-1].add(line, outside=not quote)
        quote = _open_quote(line, quote)
    return blocks


def _open_quote(line: str, quote: str) -> str:
    """Return the multi-line quote that is open after a line, empty for none."""
    rest = line
    while True:
        if quote:
            _, found, rest = rest.partition(quote)
            if not found:
                return quote
            quote = ""
        found_at = [(place, mark) for mark in ('"""', "'''") if (place := rest.find(mark)) >= 0]
        if not found_at or "#" in rest[: min(found_at)[0]]:
            return ""
        place, quote = min(found_at)
        rest = rest[place + 3 :]


def _parsed(block: _Block, problems: list[SuiteProblem]) -> tuple[dict[str, Any], bool]:
    """Return the table of a block, and whether it could be parsed."""
    try:
        table = tomllib.loads("\n".join(block.lines))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        said = str(error)
        at = _LINE.search(said)
        line = block.begin + int(at[1]) - 1 if at else block.begin
        problems.append(SuiteProblem(line, "", f"is no TOML: {clean(_LINE.sub('', said)).strip()}"))
        return {}, False
    tasks = table.get("task")
    return (tasks[0] if isinstance(tasks, list) and tasks else table), True


def joined_suites(suites: Iterable[Suite], name: str) -> Suite:
    """Return several suites as one; ids carry the name of their suite."""
    together = tuple(suites)
    tasks = tuple(replace(task, id=f"{suite.name}/{task.id}") for suite in together for task in suite.tasks)
    digest = hashlib.sha256("".join(suite.digest for suite in together).encode()).hexdigest()
    return Suite(name, name, tasks, tuple(problem for suite in together for problem in suite.problems), digest)
