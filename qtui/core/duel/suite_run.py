"""The suite run: the tasks of a suite put to both sides and judged, as a stream of events.

Every task is a conversation of its own, from an empty cache, in an order of sides that is drawn anew. Where both sides
do not fit at once, one works through all tasks, then the other. Nothing is kept here: who shows the events keeps the
results, and hands those that it has when a run is taken up again.
"""

from __future__ import annotations

import random
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from qtui.core.duel.conversation import Sampling
from qtui.core.duel.measured import REPEATS, SEED, died_in
from qtui.core.duel.run import Duel, DuelEvent, DuelMode, ModeChosen, RoundEnded, SideHappened
from qtui.core.duel.side import SideResult
from qtui.core.duel.suite.checks import CHILDS, Check, Choice, Judge, Mark
from qtui.core.duel.suite.judging import judge, opposite
from qtui.core.duel.suite.needle import SAMPLES, Yardstick, document, sample_text
from qtui.core.duel.suite.score import Result, SuiteScore, score
from qtui.core.duel.suite.task import Suite, Task, TaskKind
from qtui.core.errors import Failure
from qtui.core.events import Failed, Loaded, Scored

NO_TEMPLATE = "the model has no chat template: only what continues a text can be asked"
NO_YARDSTICK = "the document could not be made: the model counts no tokens of it"


@dataclass(frozen=True, slots=True)
class SuiteBegins:
    """The run begins."""

    tasks: int
    sides: tuple[str, ...]
    known: int
    """Results that were there already."""


@dataclass(frozen=True, slots=True)
class TaskMarked:
    """A side's answer to a task is judged."""

    result: Result
    done: int
    """Results so far, those that were known counted."""
    total: int
    left_s: float | None
    """Seconds that the rest will take, by what each group took so far; None before anything is known."""


@dataclass(frozen=True, slots=True)
class TaskRepeated:
    """A task is put again, since a side's session died over it."""

    task: str
    side: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class SuiteEnded:
    """All is done, or as much as could be."""

    results: tuple[Result, ...]
    score: SuiteScore
    failure: Failure | None = None
    """Why it ended early."""
    stopped: bool = False


SuiteEvent = DuelEvent | SuiteBegins | TaskMarked | TaskRepeated | SuiteEnded


@dataclass(slots=True)
class _Pace:
    """How long results take, by group."""

    clock: Callable[[], float]
    spent: dict[str, tuple[float, int]] = field(default_factory=dict)

    def took(self, group: str, seconds: float, results: int) -> None:
        before, count = self.spent.get(group, (0.0, 0))
        self.spent[group] = (before + seconds, count + results)

    def left(self, waiting: Iterable[str]) -> float | None:
        """Return the seconds for results of these groups; a group without any takes the mean of all."""
        seconds, count = (sum(values) for values in zip(*self.spent.values(), strict=True)) if self.spent else (0.0, 0)
        if not count:
            return None
        means = {group: spent / number for group, (spent, number) in self.spent.items() if number}
        return sum(means.get(group, seconds / count) for group in waiting)


def task_seed(seed: int | None, task: Task) -> int | None:
    """Return a task's own seed: with one for all, the same luck would decide the same place of every answer."""
    return None if seed is None else (seed + zlib.crc32(task.id.encode())) % (1 << 32)


class SuiteRun:
    """One suite on the sides of a duel.

    Args:
        duel: holds the sides; its sampling is used with each task's own token limit.
        judges: judges what may loop or crash, in a child.
        raw: every prompt is continued as it is, also by a model with a chat template.
    """

    def __init__(
        self, duel: Duel, judges: Judge, *, raw: bool = False, seed: int = SEED,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._duel = duel
        self._judges = judges
        self._raw = raw
        self._drawn = random.Random(seed)  # noqa: S311 (the order of sides is no secret)
        self._pace = _Pace(clock)
        self._sampling: Sampling = duel.sampling
        self._results: list[Result] = []
        self._templates: dict[str, str] = {}
        self._contexts: dict[str, int] = {}
        self._yardstick: Yardstick | None = None
        self._failure: Failure | None = None

    async def run(self, suite: Suite, known: Sequence[Result] = ()) -> AsyncGenerator[SuiteEvent, None]:
        """Put what is not known yet to the sides: duel events, TaskMarked for each answer, then SuiteEnded.

        A side whose session dies is loaded again and the task repeated, twice at most; then the task is not judged on
        that side, and the run goes on. A side that cannot be loaded at all ends it.
        """
        labels = self._duel.labels
        wanted = {(task.id, label) for task in suite.tasks for label in labels}
        self._results = [result for result in known if (result.task, result.side) in wanted]
        yield SuiteBegins(len(suite.tasks), labels, len(self._results))
        waiting = self._waiting(suite, labels)
        in_turn = False
        for label in [label for label in labels if any(side == label for _, side in waiting)]:
            async for event in self._load(label):
                in_turn = in_turn or (isinstance(event, ModeChosen) and event.mode is DuelMode.IN_TURN)
                yield event
        for part in [(label,) for label in labels] if in_turn else [labels]:
            async for happened in self._part(suite, part, alone=in_turn):
                yield happened
        self._duel.sampling = self._sampling
        results = tuple(self._results)
        yield SuiteEnded(results, score(results, labels), self._failure, self._duel.stopped)

    async def _part(self, suite: Suite, labels: tuple[str, ...], *, alone: bool) -> AsyncGenerator[SuiteEvent, None]:
        if alone and self._waiting(suite, labels):
            for other in self._duel.labels:
                if other not in labels:
                    await self._duel.unload(other)
            async for event in self._load(labels[0]):
                yield event
        for task in suite.tasks:
            if self._duel.stopped or self._failure:
                return
            asked = [label for _, label in self._waiting(suite, labels, task)]
            if asked:
                async for happened in self._task(suite, task, asked):
                    yield happened

    async def _task(self, suite: Suite, task: Task, labels: list[str]) -> AsyncGenerator[SuiteEvent, None]:
        """Put one task to some sides, and judge what they say."""
        began = self._pace.clock()
        order = self._drawn.sample(labels, len(labels))
        marks: dict[str, tuple[Mark, str]] = {}
        if task.kind is not TaskKind.CHOICE and not (task.raw or self._raw):
            marks = {label: (Mark(None, NO_TEMPLATE), "") for label in labels if self._templates.get(label) == "chatml"}
        if task.kind is TaskKind.NEEDLE and self._yardstick is None:
            async for event in self._measure(labels[0]):
                yield event
        stream = self._choice if task.kind is TaskKind.CHOICE else self._answers
        async for event in stream(task, [label for label in order if label not in marks], marks):
            yield event
        fresh = [Result(task.id, task.group, label, mark, said) for label, (mark, said) in sorted(marks.items())]
        self._pace.took(task.group, self._pace.clock() - began, len(fresh))
        for result in fresh:
            self._results.append(result)
            left = self._waiting(suite, self._duel.labels)
            total = len(self._results) + len(left)
            yield TaskMarked(result, len(self._results), total, self._pace.left(waiting.group for waiting, _ in left))

    async def _answers(
        self, task: Task, order: Sequence[str], marks: dict[str, tuple[Mark, str]]
    ) -> AsyncGenerator[SuiteEvent, None]:
        """Ask one or two questions, and judge the answers."""
        prompt = task.prompt
        if task.kind is TaskKind.NEEDLE:
            if self._yardstick is None:
                marks.update({} if self._duel.stopped else dict.fromkeys(order, (Mark(None, NO_YARDSTICK), "")))
                return
            prompt = document(task, self._yardstick)
        rounds: list[dict[str, SideResult]] = []
        for question in filter(None, (prompt, task.opposite)):
            asked: dict[str, SideResult] = {}
            async for event in self._ask(task, question, order, asked):
                yield event
            rounds.append(asked)
        for label in order:
            sides = [asked[label] for asked in rounds if label in asked]
            failure = next((side.failure for side in sides if side.failure), None)
            answers = [side.answer for side in sides if side.answer]
            if failure and (self._duel.stopped or failure.kind == "cancelled"):
                continue  # it is put again when the run is taken up
            if failure:
                marks[label] = (Mark(None, f"not answered: {failure.message}"), "")
            elif len(answers) == len(rounds) and all(answer.finish_reason != "cancelled" for answer in answers):
                texts = [answer.text for answer in answers]
                marks[label] = (await self._mark(task.check, texts), "\n---\n".join(texts))

    async def _ask(
        self, task: Task, question: str, order: Sequence[str], asked: dict[str, SideResult]
    ) -> AsyncGenerator[SuiteEvent, None]:
        """Put one question to some sides, again to those whose session died; `asked` gets what each did."""
        limit = self._sampling.max_tokens or task.max_tokens
        self._duel.sampling = replace(self._sampling, max_tokens=limit, seed=task_seed(self._sampling.seed, task))
        left = list(order)
        for attempt in range(REPEATS + 1):
            if not left or (attempt and self._duel.stopped):
                return
            ended: RoundEnded | None = None
            self._duel.clear()
            stream = self._duel.ask(question, raw=task.raw or self._raw, only=left, order=left)
            async with aclosing(stream) as events:
                async for event in events:
                    ended = event if isinstance(event, RoundEnded) else ended
                    self._note(event)
                    yield event
            asked.update({side.side: side for side in ended.sides} if ended else {})
            dead = list(died_in(ended))
            left = [side.side for side in dead]
            if attempt < REPEATS:
                for side in dead:
                    yield TaskRepeated(task.id, side.side, side.failure or Failure("its session ended"))

    async def _choice(
        self, task: Task, order: Sequence[str], marks: dict[str, tuple[Mark, str]]
    ) -> AsyncGenerator[SuiteEvent, None]:
        """Weigh the options of a task on some sides."""
        assert isinstance(task.check, Choice)
        for label in order:
            for attempt in range(REPEATS + 1):
                if self._duel.session(label) is None:
                    async for event in self._load(label):
                        yield event
                session, last = self._duel.session(label), None
                if session is None or self._duel.stopped:
                    break
                async for last in session.score(task.prompt, task.options):
                    yield SideHappened(label, last)
                if isinstance(last, Scored):
                    best = max(range(len(task.options)), key=last.log_likelihoods.__getitem__)
                    chosen = task.options[best].strip()
                    right = best == task.check.answer
                    marks[label] = (Mark(right, "" if right else f"finds “{chosen}” the likeliest"), chosen)
                    break
                if not isinstance(last, Failed) or last.failure.kind == "cancelled" or self._duel.stopped:
                    break
                if last.fatal:
                    await self._duel.unload(label)
                if not last.fatal or attempt == REPEATS:
                    marks[label] = (Mark(None, f"not answered: {last.failure.message}"), "")
                    break
                yield TaskRepeated(task.id, label, last.failure)

    async def _measure(self, label: str) -> AsyncGenerator[SuiteEvent, None]:
        """Let a side count the tokens of the filler; all documents are made by what it says."""
        self._duel.sampling = replace(self._sampling, max_tokens=1)
        for sentences in SAMPLES:  # a small context does not take many
            ended: RoundEnded | None = None
            self._duel.clear()
            async with aclosing(self._duel.ask(sample_text(sentences), raw=True, only=(label,))) as events:
                async for event in events:
                    ended = event if isinstance(event, RoundEnded) else ended
                    self._note(event)
                    yield event
            answer = ended.sides[0].answer if ended and ended.sides else None
            if answer and self._contexts:
                self._yardstick = Yardstick(answer.prompt_tokens / sentences, min(self._contexts.values()))
            if answer or self._duel.stopped:
                return

    async def _load(self, label: str) -> AsyncGenerator[DuelEvent, None]:
        async with aclosing(self._duel.load(label)) as events:
            async for event in events:
                self._note(event)
                yield event
        # A side that is left for its turn is not loaded, and has not failed.
        failed = self._duel.failure(label)
        if failed is not None and failed.kind != "cancelled":
            self._failure = self._failure or failed

    def _note(self, event: DuelEvent) -> None:
        """Remember what a load tells of template and context."""
        if isinstance(event, SideHappened) and isinstance(event.event, Loaded):
            self._templates[event.side] = event.event.template
            context = event.event.plan.get("ctx_size")
            if isinstance(context, int) and context > 0:
                self._contexts[event.side] = context

    async def _mark(self, check: Check, texts: Sequence[str]) -> Mark:
        if len(texts) == 2:
            return opposite(*texts)
        if isinstance(check, CHILDS):
            return await self._judges.judge(check, texts[0])
        return judge(check, texts[0])

    def _waiting(self, suite: Suite, labels: Collection[str], only: Task | None = None) -> list[tuple[Task, str]]:
        """Return what is still to be judged."""
        done = {(result.task, result.side) for result in self._results}
        tasks = suite.tasks if only is None else (only,)
        return [(task, label) for task in tasks for label in labels if (task.id, label) not in done]
