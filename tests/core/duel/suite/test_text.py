"""Reading suites: what is used, what is not and where that stands; the rest runs."""

from __future__ import annotations

import pytest

from qtui.core.duel.suite.checks import Choice, Code, Exact, JsonForm, Number, Opposite, Ordered, Pattern, ToolCall
from qtui.core.duel.suite.task import Needle, TaskKind
from qtui.core.duel.suite.text import joined_suites, read_choices, read_suite

WHOLE = '''
title = "Every kind"
max_tokens = 99

[[task]]
id = "exact"
prompt = "Capital of France?"
exact = ["Paris", "paris, france"]

[[task]]
id = "number"
prompt = """
[[task]] is no task in here
"""
number = 42
tolerance = 0.5
max_tokens = 7

[[task]]
id = "pattern"
group = "own"
prompt = "A date."
pattern = '^\\d{4}$'
whole = true

[[task]]
id = "schema"
prompt = "JSON."
bare = true
[task.schema]
type = "object"

[[task]]
id = "order"
prompt = "Count."
order = ["one", "two"]

[[task]]
id = "tool"
prompt = "Call."
tool = { name = "f", arguments = { x = 1 } }

[[task]]
id = "code"
prompt = "Write f."
[task.code]
function = "f"
parameters = 1
require = ["recursion"]
forbid = ["call:eval"]
cases = [{ call = [2], gives = 4 }]

[[task]]
id = "opposite"
prompt = "Is it?"
opposite = "Is it not?"

[[task]]
id = "choice"
prompt = "The sky is"
options = [" blue", " green"]
answer = 0
raw = true

[[task]]
id = "needle"
prompt = "Which word?"
fact = "The word is heron."
fill = 0.25
depth = 0.5
exact = "heron"
'''


def test_every_kind_of_task_is_read() -> None:
    suite = read_suite("mine", WHOLE)
    assert suite.problems == ()
    assert suite.title == "Every kind"
    checks = {task.id: task.check for task in suite.tasks}
    assert checks == {
        "exact": Exact(("Paris", "paris, france")), "number": Number(42.0, 0.5), "pattern": Pattern(r"^\d{4}$", True),
        "schema": JsonForm({"type": "object"}, True), "order": Ordered(("one", "two")), "tool": ToolCall("f", {"x": 1}),
        "code": checks["code"], "opposite": Opposite(), "choice": Choice(0), "needle": Exact(("heron",)),
    }  # fmt: skip
    assert isinstance(checks["code"], Code)
    assert (checks["code"].function, checks["code"].cases[0].returns) == ("f", 4)
    kinds = {task.id: task.kind for task in suite.tasks}
    assert (kinds["opposite"], kinds["choice"], kinds["needle"]) == (
        TaskKind.OPPOSITE, TaskKind.CHOICE, TaskKind.NEEDLE,
    )  # fmt: skip
    by_id = {task.id: task for task in suite.tasks}
    assert (by_id["number"].max_tokens, by_id["exact"].max_tokens) == (7, 99)
    assert (by_id["exact"].group, by_id["pattern"].group) == ("mine", "own")
    assert by_id["needle"].needle == Needle("The word is heron.", 0.25, 0.5)
    assert suite.groups == ("mine", "own")
    assert by_id["number"].line == 10


@pytest.mark.parametrize(
    ("field", "line", "said"),
    [
        ('number = "42"', 8, "number: is not a number"),
        ("number = nan", 8, "number: is not a number"),
        ('pattern = "("', 8, "pattern: is no regular expression"),
        ('pattern = "(a+"', 8, "pattern: is no regular expression"),
        ('schema = { pattern = "a" }', 8, "schema: pattern is not one of the keywords"),
        ("exact = []", 8, "exact: is a list of texts"),
        ('exact = "a"\nnumber = 1', 9, "number: a task has one of"),
        ('exact = "a"\ncolour = 1', 9, "colour: is not known"),
        ('exact = "a"\nmax_tokens = 0', 9, "max_tokens: is not a whole number from 1"),
        ('exact = "a"\nraw = 1', 9, "raw: is true or false"),
        ('exact = "a"\nfill = 0.5', 9, "fill: fact, fill and depth go together"),
        ('exact = "a"\nfact = "x"\nfill = 2\ndepth = 0', 10, "fill: is above 0"),
        ('options = ["a", "b"]\nanswer = 2', 9, "answer: is not a whole number from 0 to 1"),
        ('options = ["a"]\nanswer = 0', 8, "options: are 2 to 26"),
        ('tool = { name = "f" }', 8, "tool: has a name and arguments"),
        ('code = { require = ["goto"] }', 8, "code: require names goto"),
        ("code = { cases = [1] }", 8, "code: cases are a list"),
        ('opposite = "x"\nexact = "a"', 9, "exact: does not go with opposite"),
        ("", 7, "id: a task has one of exact"),
        ('exact = "a', 8, "is no TOML"),
        ('exact = "a"\n]', 9, "is no TOML"),
    ],
)
def test_a_mistake_is_named_with_line_and_key_and_the_rest_runs(field: str, line: int, said: str) -> None:
    text = (
        'title = "T"\n[[task]]\nid = "before"\nexact = "x"\nprompt = "p"\n'
        f'[[task]] # bad\nid = "bad"\n{field}\nprompt = "p"\n[[task]]\nid = "after"\nprompt = "p"\nexact = "x"\n'
    )
    suite = read_suite("mine", text)
    assert [task.id for task in suite.tasks] == ["before", "after"]
    (problem,) = suite.problems
    assert problem.text.startswith(f"line {line}: ")
    assert said in problem.text


def test_ids_are_unique_and_heads_are_checked() -> None:
    task = '[[task]]\nid = "a"\nprompt = "p"\nexact = "x"\n'
    suite = read_suite("mine", f"titel = 1\n{task}{task}")
    assert [problem.text for problem in suite.problems] == [
        "line 1: titel: is not known", "line 7: task a: id: is another task's already"
    ]  # fmt: skip
    assert len(suite.tasks) == 1


@pytest.mark.parametrize("text", ["", "\x00", "[[task]]", "a" * 100_000, "[[task]]\n" * 3000, '"""', "[[[[" * 5000])
def test_whatever_it_holds_it_is_read_or_said(text: str) -> None:
    suite = read_suite("mine", text)
    assert suite.problems
    assert suite.tasks == ()
    assert all("\x00" not in problem.text for problem in suite.problems)


def test_multiple_choice_comes_from_json_lines() -> None:
    suite = read_choices(
        "arc",
        '{"question": "2 + 2?", "choices": ["3", "4"], "answer": 1}\n\n'
        '{"prompt": "Sky?", "options": ["blue", "red"], "answer": "A"}\n'
        '{"question": "x", "choices": {"text": ["p", "q"], "label": ["1", "2"]}, "answerKey": "2"}\n'
        '{"question": "y", "choices": ["p", "q"], "answer": "q"}\n'
        '{"question": "z", "choices": ["p"], "answer": 0}\n{"question"\n{"question": "w", "choices": ["p", "q"]}\n[]\n',
    )
    assert [(task.options, task.check) for task in suite.tasks] == [
        ((" 3", " 4"), Choice(1)), ((" blue", " red"), Choice(0)), ((" p", " q"), Choice(1)), ((" p", " q"), Choice(1)),
    ]  # fmt: skip
    assert suite.tasks[0].prompt == "Question: 2 + 2?\nAnswer:"
    assert [problem.line for problem in suite.problems] == [6, 7, 8, 9]


def test_suites_put_together_keep_their_tasks_apart() -> None:
    task = '[[task]]\nid = "a"\nprompt = "p"\nexact = "x"\n'
    both = joined_suites((read_suite(name, task) for name in ("one", "two")), "all")
    assert [task.id for task in both.tasks] == ["one/a", "two/a"]
    assert both.groups == ("one", "two")
