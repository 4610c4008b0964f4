"""Suites as rows and words: which there are, how far a run is, what its results say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from textual.content import Content

from qtui.core.duel.export import when
from qtui.core.duel.records import SuiteRecord
from qtui.core.duel.suite.score import GroupScore, SuiteScore
from qtui.core.duel.suite.shelf import Listed
from qtui.core.text import duration
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import bar, joined, name
from qtui.ui.suite_state import SuiteState

MARK_WIDTH = 2
COLUMNS = (
    Column("SUITE", 12, grows=1),
    Column("TASKS", 5, right=True),
    Column("GROUPS", 10, grows=1, drop=1),
    Column("WHAT IT IS", 20, grows=3),
)
MOST_PROBLEMS = 8
BAR = 20
NO_SIDES = "Put a model on each side first: 1 Models, then a and b; 3 leads back."
COVERED = "A blind round is open: vote first, or show names with n."
GROUP_WIDTH = 13


def suite_rows(listed: Iterable[Listed], state: SuiteState | None) -> list[Row]:
    """Return one row per suite; `*` marks the user's, `>` the one that runs."""
    running = state.suite.name if state is not None and state.running else ""
    return [Row(one.name, _cells(one), mark=_mark(one, running)) for one in listed]


def _mark(one: Listed, running: str) -> str:
    return ">" if running and one.name == running else "*" if one.own else ""


def _cells(one: Listed) -> tuple[Content | None, ...]:
    if one.suite is None:
        return (name(one.name), Content("?"), Content(), Content.styled("cannot be read", "$text-error"))
    problems = len(one.suite.problems)
    wrong = f"{problems} problem{'' if problems == 1 else 's'}: " if problems else ""
    title = Content.styled(wrong, "bold $text-warning") + name(one.suite.title)
    return (name(one.name), Content(str(len(one.suite.tasks))), name(", ".join(one.suite.groups)), title)


def about_text(one: Listed | None, place: str) -> Content:
    """Return what a suite holds and what of it is left out; where suites of one's own go."""
    own = Content.styled("your own go into ", "$foreground-muted") + name(place, "$foreground-muted", 400)
    if one is None:
        return own
    if one.suite is None:
        failure = one.failure
        lines = [name(failure.message, "$text-error", 400), name(failure.hint, limit=400)] if failure else []
        return Content("\n").join([*lines, own])
    counted = Counter(task.group for task in one.suite.tasks)
    groups = ", ".join(f"{group} {number}" for group, number in counted.items())
    lines = [Content.assemble((one.name, "bold"), ": ") + name(groups or "no task that can be used")]
    for problem in one.suite.problems[:MOST_PROBLEMS]:
        lines.append(Content.styled("left out: ", "$text-warning") + name(problem.text, limit=300))
    if len(one.suite.problems) > MOST_PROBLEMS:
        lines.append(Content(f"and {len(one.suite.problems) - MOST_PROBLEMS} problems more"))
    return Content("\n").join([*lines, own])


def run_text(state: SuiteState, width: int) -> Content:
    """Return how far a run is, or what it says."""
    head = Content.assemble((state.suite.name, "bold"), " on ") + name(" and ".join(state.sides))
    lines = [head]
    if state.running:
        lines += _progress(state)
    if state.failure is not None:
        lines += [name(state.failure.message, "$text-error", 600), name(state.failure.hint, limit=600)]
    if state.stopped:
        lines.append(Content(f"stopped after {state.done} of {state.total} results: enter goes on from there"))
    if state.score is not None:
        lines += [Content(), *score_lines(state.score, width)]
    return Content("\n").join(lines)


def past_text(record: SuiteRecord, width: int) -> Content:
    """Return what a run that is kept says."""
    sides = " and ".join(f"{party.side} {party.title}" for party in record.parties)
    judged = len(record.results)
    state = "" if record.complete else f"not complete, {judged} of {record.tasks * len(record.parties)} results"
    head = joined([Content.styled(f"last run {when(record.time)}", "bold"), name(sides), state])
    return Content("\n").join([head, Content(), *score_lines(record.score, width)])


def _progress(state: SuiteState) -> list[Content]:
    share = state.done / state.total if state.total else 0.0
    left = "time left not known yet" if state.left_s is None else f"about {duration(state.left_s)} left"
    known = f"{state.known} were there already" if state.known else ""
    lines = [
        Content.assemble((bar(share, BAR), "$text-accent"), " ")
        + joined([f"{state.done} of {state.total} results", left, known])
    ]
    if state.last is not None:
        said = {True: "right", False: "wrong", None: "not judged"}[state.last.mark.right]
        lines.append(joined([name(f"{state.last.side} {state.last.task}: {said}"), name(state.last.mark.reason)]))
    if state.repeated:
        lines.append(name(state.repeated, "$text-warning", 300))
    return lines


def score_lines(told: SuiteScore, width: int) -> list[Content]:
    """Return a line a group: tasks, both scores, the interval of their difference, and the sentence."""
    if not told.groups:
        return [Content("nothing is judged yet")]
    rows = [*told.groups, *([told.total] if len(told.groups) > 1 else [])]
    titles = f"{'GROUP':<{GROUP_WIDTH}} {'TASKS':>5} {'A':>5} {'B':>5}  {'95 % OF A - B':<14}"
    lines = [Content.styled(titles, "bold $foreground-muted")]
    for row in rows:
        lines += _score_line(row, width)
    return [*lines, Content(), name(told.note, "$foreground-muted", 600)]


def _score_line(row: GroupScore, width: int) -> Sequence[Content]:
    group = name(row.group, limit=GROUP_WIDTH)
    pad = " " * (GROUP_WIDTH - group.cell_length)
    if row.scores is None:
        numbers = f"{row.pairs.total:>5} {'–':>5} {'–':>5}  {'':<14}"
    else:
        numbers = f"{row.pairs.total:>5} {row.scores[0]:>5.1f} {row.scores[1]:>5.1f}  {row.interval_text:<14}"
    missing = f", {row.not_judged} not judged" if row.not_judged else ""
    said = Content.styled(f"{row.sentence}{missing}", "bold" if row.shown else "")
    line = group + f"{pad} {numbers}"
    whole = line + " " + said
    return [whole] if whole.cell_length <= width else [line, Content("  ") + said]
