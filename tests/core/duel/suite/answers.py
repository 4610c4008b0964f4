"""Right, wrong, malformed and refused answers to every task that ships."""

from __future__ import annotations

import json

from qtui.core.duel.suite.checks import Code, Exact, JsonForm, Number, Ordered, Pattern, ToolCall
from qtui.core.duel.suite.task import Task

REFUSAL = "I'm sorry, but I can't help with that."
MALFORMED = "```\n{[(\n"
FORMS = {
    "json object": '{"title": "Tides", "year": 1987, "tags": ["sea", "moon", "salt"]}',
    "json list": "[1, 2, 3, 4, 5]",
    "nested json": '{"name": "Ida Berg", "address": {"street": "4 Mill Lane", "town": "Thornby"}, "active": true}',
    "one word": "cold", "date": "2021-09-03", "numbered list": "1. apple\n2. pear\n3. plum",
    "bullets": "- red\n- blue\n- green\n- black", "csv": "name,age\nIda,31\nOle,44", "capitals": "THE BOAT IS LATE",
    "three sentences": "It is tall. It stands on a rock. Its light turns.", "tags": "<place>harbour</place>",
    "order of words": "apple, date, fig, pear, plum", "список": "гора, лес, поле, река",
    "json": '{"город": "Псков", "год": 903}',
}  # fmt: skip
CODE = {
    "factorial": "def factorial(n):\n    return 1 if n < 2 else n * factorial(n - 1)",
    "evens": "def evens(numbers):\n    return [n for n in numbers if n % 2 == 0]",
    "palindrome": "def is_palindrome(text):\n    return text.lower() == text.lower()[::-1]",
    "typed": 'def area(width: float, height: float) -> float:\n    """Return the area."""\n    return width * height',
    "safe division": "def divide(a, b):\n    try:\n        return a / b\n    except ZeroDivisionError:\n"
    "        return None",
    "count words": "def count_words(text):\n    found = {}\n    for word in text.lower().split():\n"
    "        found[word] = found.get(word, 0) + 1\n    return found",
    "generator": "def countdown(n):\n    while n > 0:\n        yield n\n        n -= 1",
    "no builtin": "def largest(numbers):\n    best = numbers[0]\n    for n in numbers:\n        if n > best:\n"
    "            best = n\n    return best",
    "sort by second": "def by_second(pairs):\n    return sorted(pairs, key=lambda pair: pair[1])",
    "class": "class Counter:\n    def __init__(self):\n        self.total = 0\n    def add(self, n):\n"
    "        self.total += n\n        return self.total",
    "flatten": "def flatten(items):\n    out = []\n    for item in items:\n"
    "        out += flatten(item) if isinstance(item, list) else [item]\n    return out",
}


def right(task: Task) -> str:
    """Return an answer that is right."""
    check, name = task.check, task.id.rpartition("/")[2]
    if isinstance(check, Exact):
        return check.answers[0]
    if isinstance(check, Number):
        return f"So it is {check.value:.12g}."
    if isinstance(check, Ordered):
        return "\n".join(check.items)
    if isinstance(check, ToolCall):
        return json.dumps({"name": check.name, "arguments": check.arguments})
    if isinstance(check, Code):
        return f"```python\n{CODE[name]}\n```"
    assert isinstance(check, Pattern | JsonForm)
    return FORMS[name]


def wrong(task: Task) -> str:
    """Return an answer of the right form that is wrong."""
    check = task.check
    if isinstance(check, Exact):
        return "something else"
    if isinstance(check, Number):
        return f"So it is {check.value + 1:.12g}."
    if isinstance(check, Ordered):
        return "\n".join(reversed(check.items))
    if isinstance(check, ToolCall):
        return json.dumps({"name": check.name, "arguments": {**check.arguments, "more": 1}})
    if isinstance(check, Code):
        return "```python\ndef other():\n    return 1\n```"
    return "{}" if isinstance(check, JsonForm) else "it is, as far as one can tell. Or not. Perhaps. Who knows"
