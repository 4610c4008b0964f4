"""Checks: right, wrong, malformed and refused answers, each with the reason that is told."""

from __future__ import annotations

import time

import pytest

from qtui.core.duel.suite.checks import Check, Code, Exact, JsonForm, Mark, Number, Ordered, Pattern, ToolCall
from qtui.core.duel.suite.judging import judge, opposite, polarity

REFUSAL = "I'm sorry, but I can't help with that."
SCHEMA = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}
CALL = ToolCall("weather", {"city": "Oslo", "days": 3})
_PARIS, _42, _ORDER = Exact(("Paris",)), Number(42), Ordered(("one", "two", "three"))
ADD = Code("add", 2, require=("return", "docstring"), forbid=("import", "call:eval"), most_lines=6)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (Exact(("Paris",)), "Paris"),
        (Exact(("Paris",)), "**paris.**"),
        (Exact(("Paris",)), "Let me think.\nThe capital is old.\nAnswer: Paris."),
        (Exact(("no one", "nobody")), "Nobody!"),
        (Exact(("Вторник",)), "Ответ: вторник"),
        (Number(42), "42"),
        (Number(42), "100 * 0.7 * 0.6 = 42 people"),
        (Number(1234567), "It is 1,234,567."),
        (Number(-3.5), "x = −3.5"),
        (Number(0.3333, 0.001), "about 0.333"),
        (Number(6e23), "6e23"),
        (Pattern(r"^\d{4}-\d{2}-\d{2}$"), "2024-02-29"),
        (JsonForm(SCHEMA), '{"city": "Oslo"}'),
        (JsonForm(SCHEMA), 'Here it is:\n```json\n{"city": "Oslo"}\n```'),
        (JsonForm(SCHEMA, bare=True), ' {"city": "Oslo"}\n'),
        (Ordered(("one", "two", "three")), "First one, then two (not one), then three."),
        (CALL, '{"name": "weather", "arguments": {"city": "oslo", "days": 3}}'),
        (CALL, '```json\n{"name": "weather", "arguments": {"days": 3, "city": "Oslo"}}\n```'),
        (ADD, '```python\ndef add(a, b):\n    """Add."""\n    return a + b\n```'),
    ],
)
def test_right(check: Check, answer: str) -> None:
    assert judge(check, answer) == Mark(True)


@pytest.mark.parametrize(
    ("check", "answer", "reason"),
    [
        (_PARIS, "Rome", "said “Rome”, not “Paris”"),
        (_PARIS, "Paris or Rome", "said “Paris or Rome”, not “Paris”"),
        (_PARIS, REFUSAL, "said “I'm sorry, but I can't help with that.”, not “Paris”"),
        (_42, "It is 41.", "said 41, not 42"),
        (_42, "forty-two", "there is no number in the answer"),
        (_42, REFUSAL, "there is no number in the answer"),
        (_42, "v42x", "there is no number in the answer"),
        (_42, "", "the answer is empty"),
        (_42, "  ", "the answer is empty"),
        (Pattern(r"^\d+$"), "12a", "the expression is not found in the answer"),
        (JsonForm(SCHEMA), '{"town": "Oslo"}', "it has no city"),
        (JsonForm(SCHEMA), '{"city": "Oslo"', "there is no JSON in the answer"),
        (JsonForm(SCHEMA), REFUSAL, "there is no JSON in the answer"),
        (JsonForm(SCHEMA, bare=True), 'Sure! {"city": "Oslo"}', "it is not JSON alone"),
        (_ORDER, "two, one, three", "two is not in its place"),
        (_ORDER, "one and three", "two is missing"),
        (_ORDER, "one, twofold, three", "two is not in its place"),
        (CALL, '{"name": "rain", "arguments": {}}', "it calls rain, not weather"),
        (CALL, '{"tool": "weather", "city": "Oslo"}', "the call has not the form that was given"),
        (CALL, '{"name": "weather", "arguments": {"city": "Oslo"}}', "the argument days is missing"),
        (CALL, '{"name": "weather", "arguments": {"city": "Oslo", "days": "3"}}', "the argument days is '3'"),
        (CALL, '{"name": "weather", "arguments": {"city": "Oslo", "days": 3, "x": 1}}', "there is no argument x"),
        (CALL, "weather(city='Oslo', days=3)", "there is no call in the answer"),
        (CALL, REFUSAL, "there is no call in the answer"),
        (ADD, "def add(a, b)\n    return a + b", "it does not parse: expected ':' in line 1"),
        (ADD, REFUSAL, "it does not parse"),
        (ADD, "def plus(a, b):\n    return a + b", "it defines no add"),
        (ADD, "def add(a):\n    return a", "add takes 1 parameters, not 2"),
        (ADD, "def add(a, b):\n    return a + b", "it has no docstring"),
        (ADD, 'import os\ndef add(a, b):\n    "d"\n    return a + b', "it has import, which was not allowed"),
        (ADD, 'def add(a, b):\n    "d"\n    return eval("a+b")', "it has call:eval, which was not allowed"),
        (ADD, 'def add(a, b):\n    "d"\n' + "    a = a\n" * 9 + "    return a", "it has 12 lines of code"),
    ],
)
def test_wrong(check: Check, answer: str, reason: str) -> None:
    mark = judge(check, answer)
    assert mark.right is False
    assert mark.reason.startswith(reason)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Yes.", True), ("**No**, it is not.", False), ("True", True), ("нет", False), ("Да, конечно", True),
        ("Nothing is known", None), ("Maybe", None), (REFUSAL, None),
    ],
)  # fmt: skip
def test_yes_and_no(text: str, said: bool | None) -> None:
    assert polarity(text) is said


def test_opposite_questions_want_opposite_answers_whichever() -> None:
    assert opposite("Yes", "No") == opposite("No.", "Yes, it is") == Mark(True)
    assert opposite("Yes", "Yes") == Mark(False, "yes to both the question and its opposite")
    assert opposite("No", "no") == Mark(False, "no to both the question and its opposite")
    assert opposite("Yes", REFUSAL) == Mark(False, "an answer says neither yes nor no")


@pytest.mark.parametrize(
    "answer",
    ["1 " * 300_000, "{" * 600_000, "[" * 600_000, "a" * 600_000, "9" * 600_000, "(" * 60_000, "x=" * 300_000],
    ids=["numbers", "braces", "brackets", "letters", "digits", "parentheses", "assignments"],
)
def test_an_answer_without_end_is_judged_in_time(answer: str) -> None:
    for check in (_PARIS, _42, JsonForm(SCHEMA), _ORDER, CALL):
        began = time.perf_counter()
        assert judge(check, answer).right is False
        assert time.perf_counter() - began < 3


@pytest.mark.parametrize(
    ("name", "body", "has"),
    [
        ("recursion", "def f(n): return f(n - 1)", True),
        ("recursion", "def f(n): return g(n - 1)", False),
        ("comprehension", "def f(n): return [x for x in n]", True),
        ("for", "def f(n):\n    for x in n: pass", True),
        ("for", "def f(n): return [x for x in n]", False),
        ("annotations", "def f(n: int) -> int: return n", True),
        ("annotations", "def f(n) -> int: return n", False),
        ("yield", "def f(n):\n    yield n", True),
        ("call:sorted", "def f(n): return sorted(n)", True),
        ("call:sort", "def f(n): n.sort()", True),
        ("lambda", "f = lambda n: n", True),
    ],
)
def test_properties_of_code(name: str, body: str, has: bool) -> None:
    assert judge(Code(require=(name,)), body).right is has
    assert judge(Code(forbid=(name,)), body).right is not has
