"""`duel --suite`: a suite run shown as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from qtui.cli.keeping import Kept
from qtui.cli.rounds import finish, show_event
from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.core.duel.run import Duel, ModeChosen, RoundEnded, SideHappened, SideWaits
from qtui.core.duel.suite.score import GroupScore, Result, SuiteScore
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite_kept import KeptSuite
from qtui.core.duel.suite_run import SuiteBegins, SuiteEnded, TaskMarked, TaskRepeated
from qtui.core.errors import UsageError
from qtui.core.events import LoadProgressed
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import clean_name, duration

MOST_WRONG = 12
"""Tasks that are listed because the sides differ on them."""


async def run_suite(context: Context, duel: Duel, sides: Mapping[str, Variant], plan: LoadPlan) -> int:
    """Run the suite that the options name, print the scores; exit status 0 whatever they say."""
    options, console = context.options, context.console
    suite = await _suite(context)
    judge = context.services.judge(run_code=options.allow_exec)
    if options.allow_exec:
        console.note(
            "note: code that the models write is run, in a child with limits; it can read what you can read: "
            "use it with models that you trust"
        )
    kept = Kept(context, duel.sampling)
    run = KeptSuite(duel, judge, kept.keeper, raw=options.raw)
    ended: SuiteEnded | None = None
    told_mode = False
    async with aclosing(run.run(suite, sides, dict.fromkeys(sides, plan))) as events:
        async for event in events:
            if isinstance(event, SuiteEnded):
                ended = event
            elif isinstance(event, TaskMarked):
                _progress(context, event)
            elif isinstance(event, TaskRepeated):
                console.note(f"{event.task} again: {event.side}: {event.failure.message}")
            elif isinstance(event, SuiteBegins):
                known = f", {event.known} results are there already" if event.known else ""
                console.note(f"{suite.name}: {event.tasks} tasks for {' and '.join(event.sides)}{known}")
            elif isinstance(event, ModeChosen):
                if event.reason and not told_mode:
                    told_mode = True
                    show_event(context, event)
            elif (isinstance(event, SideHappened) and isinstance(event.event, LoadProgressed)) or not isinstance(
                event, RoundEnded | SideHappened | SideWaits
            ):
                show_event(context, event)
    console.end_progress()
    assert ended is not None
    if judge.network_open:
        console.note("note: this system could not cut the code off from the network")
    await kept.report(suites=[run.record] if run.record else [])
    _show(context, ended)
    report = {"suite": suite_report(suite), "results": [result.as_json() for result in ended.results],
              "score": ended.score.as_json(), "stopped": ended.stopped}  # fmt: skip
    return finish(context, report, ended.failure)


def suite_report(suite: Suite) -> dict[str, Any]:
    """Return `suite`."""
    return {
        "name": suite.name, "title": suite.title, "tasks": len(suite.tasks), "digest": suite.digest,
        "problems": [problem.text for problem in suite.problems],
    }  # fmt: skip


async def _suite(context: Context) -> Suite:
    """Read the suite and say what of it is not used.

    Raises:
        UsageError: nothing of it can be used.
    """
    suite = await context.services.suites.find(context.options.suite)
    for problem in suite.problems:
        context.console.note(f"{suite.name}: {problem.text}; it is left out")
    if not suite.tasks:
        raise UsageError(f"the suite {suite.name} has no task that can be used", "docs/suites.md describes the format")
    return suite


def _progress(context: Context, event: TaskMarked) -> None:
    left = f", about {duration(event.left_s)} left" if event.left_s is not None else ""
    sign = {True: "right", False: "wrong", None: "not judged"}[event.result.mark.right]
    context.console.progress(f"{event.done}/{event.total}: {event.result.side} {event.result.task}: {sign}{left}")


def _show(context: Context, ended: SuiteEnded) -> None:
    console = context.console
    for line in score_table(ended.score).lines(console.width):
        console.print(line)
    different = _different(ended.results)
    if different:
        console.print("\nthey differ on")
    for result in different[:MOST_WRONG]:
        said = clean_name(result.answer.replace("\n", " "), 60)
        console.print(f"  {result.task}: {result.side} is wrong: {result.mark.reason or said}")
    if len(different) > MOST_WRONG:
        console.print(f"  and {len(different) - MOST_WRONG} more; --json has them all")
    missing: dict[str, int] = {}
    for result in ended.results:
        if result.mark.right is None:
            reason = f"{result.side}: {result.mark.reason}"
            missing[reason] = missing.get(reason, 0) + 1
    for reason, count in missing.items():
        console.print(f"{count} not judged on {reason}")
    console.print(f"\n{ended.score.note}")


def score_table(score: SuiteScore) -> Table:
    """Return the scores, a line a group."""
    table = Table(("GROUP", ">TASKS", ">A", ">B", ">ONLY A", ">ONLY B", ">95 % OF A - B", "VERDICT"))
    rows = [*score.groups, *([score.total] if len(score.groups) > 1 else [])]
    for group in rows:
        table.add(*_row(group))
    return table


def _row(group: GroupScore) -> Sequence[str]:
    scores = group.scores
    if scores is None:
        return (group.group, "0", "–", "–", "–", "–", "–", group.sentence)
    pairs = group.pairs
    return (
        group.group, str(pairs.total), f"{scores[0]:.1f}", f"{scores[1]:.1f}", str(pairs.only_first),
        str(pairs.only_second), group.interval_text, group.sentence,
    )  # fmt: skip


def _different(results: Sequence[Result]) -> list[Result]:
    """Return the wrong results of tasks that the other side has right."""
    right = {(result.task, result.side) for result in results if result.mark.right}
    other = {"A": "B", "B": "A"}
    return [r for r in results if r.mark.right is False and (r.task, other.get(r.side, "")) in right]
