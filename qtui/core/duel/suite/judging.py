"""Judging: what each check does with an answer. Pure; what may loop or crash is called in a child only.

Answers are untrusted and may be long: every check is linear in their length, or looks at a bounded part.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from qtui.core.duel.suite.checks import Check, Code, Exact, JsonForm, Mark, Number, Ordered, Pattern, ToolCall
from qtui.core.duel.suite.code import judge_code
from qtui.core.duel.suite.schema import mismatch
from qtui.core.text import clean_name

MOST_CHARACTERS = 400_000
"""An answer's last characters that are looked at."""
_NUMBER = re.compile(r"(?<![\w.])[-+−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?(?![\w])")
_MARKED = re.compile(r"(?:answer|result|ответ)\s*(?:is)?\s*[:=]?\s*", re.IGNORECASE)
_FENCE = re.compile(r"\A```[ \t]*(?:json)?[ \t]*\n(.*?)\n?```\Z", re.DOTALL)
_EDGES = " \t\n.,;:!?*_`'\"“”‘’«»()[]{}#>-–—"
_YES = re.compile(r"\b(yes|no|true|false|да|нет)\b", re.IGNORECASE)
_POSITIVE = frozenset(("yes", "true", "да"))


def judge(check: Check, answer: str) -> Mark:
    """Return what a check says of an answer; nothing that a model wrote is run.

    `Choice` and `Opposite` need more than one answer: see `polarity` and `suite_run`.
    """
    text = answer[-MOST_CHARACTERS:]
    if not text.strip():
        return Mark(False, "the answer is empty")
    if isinstance(check, Exact):
        return _exact(check, text)
    if isinstance(check, Number):
        return _number(check, text)
    if isinstance(check, Pattern):
        found = re.fullmatch(check.expression, text.strip()) if check.whole else re.search(check.expression, text)
        return Mark(True) if found else Mark(False, "the expression is not found in the answer")
    if isinstance(check, JsonForm):
        return _json(check, text)
    if isinstance(check, Ordered):
        return _ordered(check, text)
    if isinstance(check, ToolCall):
        return _tool(check, text)
    if isinstance(check, Code):
        return judge_code(check, text)
    raise AssertionError(check)


def polarity(answer: str) -> bool | None:
    """Return whether an answer says yes or no, by its first such word; None when it says neither."""
    found = _YES.search(answer[:MOST_CHARACTERS])
    return found[1].casefold() in _POSITIVE if found else None


def opposite(first: str, second: str) -> Mark:
    """Judge the answers to two questions of opposite polarity."""
    one, two = polarity(first), polarity(second)
    if one is None or two is None:
        return Mark(False, "an answer says neither yes nor no")
    if one == two:
        return Mark(False, f"{'yes' if one else 'no'} to both the question and its opposite")
    return Mark(True)


def plain(text: str) -> str:
    """Return a text as answers are compared: letter case, white space and punctuation at the ends aside."""
    return re.sub(r"\s+", " ", text).strip(_EDGES).casefold()


def _exact(check: Exact, text: str) -> Mark:
    wanted = {plain(answer) for answer in check.answers}
    lines = [line for line in text.splitlines() if line.strip()]
    said = [text, lines[-1], _MARKED.split(lines[-1])[-1], _MARKED.split(text)[-1]]
    if wanted & {plain(part) for part in said}:
        return Mark(True)
    return Mark(False, f"said “{clean_name(lines[-1], 60)}”, not “{clean_name(check.answers[0], 60)}”")


def _number(check: Number, text: str) -> Mark:
    last = None
    for last in _NUMBER.finditer(text):  # noqa: B007 (the last one is wanted)
        pass
    if last is None:
        return Mark(False, "there is no number in the answer")
    value = float(last[0].replace(",", "").replace("−", "-"))
    if math.isclose(value, check.value, rel_tol=1e-9, abs_tol=max(check.tolerance, 1e-9)):
        return Mark(True)
    return Mark(False, f"said {value:.12g}, not {check.value:.12g}")


def _json(check: JsonForm, text: str) -> Mark:
    found, value = json_of(text, bare=check.bare)
    if not found:
        return Mark(False, "it is not JSON alone" if check.bare else "there is no JSON in the answer")
    wrong = mismatch(value, check.schema)
    return Mark(False, wrong) if wrong else Mark(True)


def json_of(text: str, *, bare: bool = False) -> tuple[bool, Any]:
    """Return (whether there is JSON, its value): all of an answer, fenced or not; else its first object or list."""
    body = text.strip()
    fenced = _FENCE.match(body)
    for candidate in (body, fenced[1] if fenced else ""):
        try:
            return True, json.loads(candidate)
        except (ValueError, RecursionError):
            continue
    if bare:
        return False, None
    decoder, begin = json.JSONDecoder(), 0
    for _ in range(50):  # places where JSON may begin
        places = [place for place in (body.find("{", begin), body.find("[", begin)) if place >= 0]
        if not places:
            break
        try:
            return True, decoder.raw_decode(body, min(places))[0]
        except (ValueError, RecursionError):
            begin = min(places) + 1
    return False, None


def _ordered(check: Ordered, text: str) -> Mark:
    place, body = 0, text.casefold()
    for item in check.items:
        word = item.casefold()
        found = body.find(word, place)
        while found >= 0 and _inside_word(body, found, len(word)):
            found = body.find(word, found + 1)
        if found < 0:
            where = "missing" if word not in body else "not in its place"
            return Mark(False, f"{clean_name(item, 40)} is {where}")
        place = found + len(word)
    return Mark(True)


def _inside_word(text: str, place: int, length: int) -> bool:
    before, after = text[place - 1 : place], text[place + length : place + length + 1]
    return before.isalnum() or after.isalnum()


def _tool(check: ToolCall, text: str) -> Mark:
    found, value = json_of(text)
    if not found or not isinstance(value, dict):
        return Mark(False, "there is no call in the answer")
    if set(value) != {"name", "arguments"}:
        return Mark(False, "the call has not the form that was given")
    if value["name"] != check.name:
        return Mark(False, f"it calls {clean_name(str(value['name']), 40)}, not {check.name}")
    arguments = value["arguments"]
    if not isinstance(arguments, dict):
        return Mark(False, "its arguments are no object")
    for name in sorted({*arguments, *check.arguments}):
        if name not in arguments:
            return Mark(False, f"the argument {name} is missing")
        if name not in check.arguments:
            return Mark(False, f"there is no argument {clean_name(name, 40)}")
        if not _alike(arguments[name], check.arguments[name]):
            return Mark(False, f"the argument {name} is {clean_name(repr(arguments[name]), 60)}")
    return Mark(True)


def _alike(given: Any, wanted: Any) -> bool:
    if isinstance(given, str) and isinstance(wanted, str):
        return plain(given) == plain(wanted)
    return isinstance(given, bool) == isinstance(wanted, bool) and bool(given == wanted)
