"""The suites that ship: whole, large enough, and judged as they should be by a scripted engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qtui.core.duel.suite.checks import Choice, Code
from qtui.core.duel.suite.shelf import ALL
from qtui.core.duel.suite.task import Suite, Task, TaskKind
from qtui.core.duel.suite_run import SuiteEnded, SuiteRun
from qtui.core.library.variant import Variant
from qtui.services.judging.judge import LocalJudge
from qtui.services.suites import SuiteFiles
from tests.core.duel.suite.answers import MALFORMED, REFUSAL, right, wrong
from tests.core.duel.test_run import BIG, SMALL, World
from tests.core.duel.test_suite_run import PlainJudge
from tests.fakes import Reply

NAMES = (
    "choice", "code", "consistency", "context", "demo", "format", "logic", "long_context", "russian", "tools",
)  # fmt: skip


@pytest.fixture
async def suite(request: pytest.FixtureRequest) -> Suite:
    return await SuiteFiles().find(request.param)


async def test_they_are_all_there(tmp_path: object) -> None:
    files = SuiteFiles()
    assert set(NAMES) <= set(files.names())
    together = await files.find(ALL)
    assert together.problems == ()
    assert set(together.groups) == set(NAMES) - {"demo", "russian"}


@pytest.mark.parametrize("suite", NAMES, indirect=True)
async def test_each_is_whole_and_has_ten_tasks_or_more(suite: Suite) -> None:
    assert suite.problems == ()
    assert len(suite.tasks) >= 10
    assert suite.groups == (suite.name,)
    assert len({task.prompt + str(task.options) for task in suite.tasks}) == len(suite.tasks)


async def test_the_long_context_covers_every_place_that_it_names() -> None:
    suite = await SuiteFiles().find("long_context")
    places = {(task.needle.fill, task.needle.depth) for task in suite.tasks if task.needle}
    assert places >= {(fill, depth) for fill in (0.25, 0.5, 0.9) for depth in (0.1, 0.5, 0.9)}


@pytest.mark.parametrize("suite", NAMES, indirect=True)
@pytest.mark.parametrize(
    ("says", "expected"),
    [(right, True), (wrong, False), (lambda _: MALFORMED, False), (lambda _: REFUSAL, False)],
    ids=["right", "wrong", "malformed", "refusal"],
)
async def test_a_scripted_engine_is_judged_as_it_answers(
    suite: Suite, says: Callable[[Task], str], expected: bool
) -> None:
    world = World()
    await world.put()
    for variant in (BIG, SMALL):
        script(world, variant, suite, says)
    run = SuiteRun(world.duel, PlainJudge())
    events = [event async for event in run.run(suite)]
    await world.duel.close()
    ended = events[-1]
    assert isinstance(ended, SuiteEnded)
    assert len(ended.results) == 2 * len(suite.tasks)
    apart = [(result.task, result.answer, result.mark) for result in ended.results if result.mark.right is not expected]
    assert apart == []
    assert ended.score.total.sentence == ("too easy to tell" if expected else "too hard to tell")


def script(world: World, variant: Variant, suite: Suite, says: Callable[[Task], str]) -> None:
    """Let a variant answer a whole suite in one way."""
    best = {}
    if variant is BIG and any(task.kind is TaskKind.NEEDLE for task in suite.tasks):
        world.engine.enqueue(Reply("x"), variant=variant)  # it counts the tokens of the filler first
    for task in suite.tasks:
        if task.kind is TaskKind.CHOICE:
            assert isinstance(task.check, Choice)
            best[task.prompt] = task.check.answer if says is right else len(task.options) - 1 - task.check.answer
        elif task.kind is TaskKind.OPPOSITE:
            both = ("Yes.", "No.") if says is right else ("Yes.", "Yes!") if says is wrong else (says(task),) * 2
            world.engine.enqueue(*map(Reply, both), variant=variant)
        else:
            world.engine.enqueue(Reply(says(task)), variant=variant)
    world.engine.scorers[variant.path] = lambda prompt, options: [
        0.0 if place == best[prompt] else -1.0 for place, _ in enumerate(options)
    ]


async def test_the_answers_to_the_code_tasks_run() -> None:
    suite = await SuiteFiles().find("code")
    judge = LocalJudge(run_code=True)
    told = {task.id: await judge.judge(task.check, right(task)) for task in suite.tasks}
    assert {name: mark for name, mark in told.items() if not mark.right} == {}
    assert sum(bool(task.check.cases) for task in suite.tasks if isinstance(task.check, Code)) >= 8
