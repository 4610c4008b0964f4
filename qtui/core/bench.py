"""The bench run: prompt and generation rates of several files, alternated, as a stream of events.

Files take turns within each repetition, so that a machine that warms up or gets busy slows all of them alike. Every
sample starts from an empty cache. Where not all files fit at once, each repetition loads and unloads them in turn.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from qtui.core.duel.conversation import Answer, Request, Sampling
from qtui.core.duel.report import failure_report
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.events import Answered, Failed, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Pools
from qtui.core.memory.guard import Guard, Weighing, refusal
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit
from qtui.core.ports import Engine, Session

FILLER = "The quick brown fox jumps over the lazy dog. "
"""The text of the prompt; the engine repeats or cuts its tokens to the length that is asked for."""


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """What is measured, and how often."""

    prompt_tokens: int = 512
    """Tokens of the prompt test; 0: no prompt test."""
    generate: int = 128
    """Tokens of the generation test; 0: no generation test."""
    depth: int = 0
    """Tokens that are in the context before either test begins."""
    repeats: int = 5
    """Samples that count; one more, the warm-up, is discarded."""

    def __post_init__(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: names the option.
        """
        if not self.prompt_tokens and not self.generate:
            raise UsageError("nothing to measure", "give --prompt-tokens or --generate above 0")
        if self.generate == 1:
            raise UsageError("--generate 1 gives no rate", "a generation rate needs at least 2 tokens")

    @property
    def tests(self) -> tuple[BenchTest, ...]:
        """Return the tests, the prompt test first."""
        kinds = (("pp", self.prompt_tokens), ("tg", self.generate))
        return tuple(BenchTest(kind, tokens, self.depth) for kind, tokens in kinds if tokens)

    @property
    def context(self) -> int:
        """Return the tokens of context that the tests need."""
        return self.depth + max(self.prompt_tokens, self.generate) + 1


@dataclass(frozen=True, slots=True)
class BenchTest:
    """One of the two tests, named as llama-bench names it."""

    kind: str
    """`pp`: reading a prompt; `tg`: generating."""
    tokens: int
    depth: int

    @property
    def name(self) -> str:
        """Return `pp512` or `tg128`."""
        return f"{self.kind}{self.tokens}"


@dataclass(frozen=True, slots=True)
class BenchResult:
    """The samples of one test on one file."""

    variant: Variant
    test: BenchTest
    samples: tuple[float, ...] = ()
    """Tokens per second, in the order they were taken."""
    failure: Failure | None = None

    @property
    def mean(self) -> float | None:
        """Return the mean rate, None without samples."""
        return statistics.fmean(self.samples) if self.samples else None

    @property
    def stdev(self) -> float | None:
        """Return the sample standard deviation (n - 1), None below two samples."""
        return statistics.stdev(self.samples) if len(self.samples) > 1 else None

    def as_json(self) -> dict[str, Any]:
        """Return one of `results[]`."""
        rate = {"mean": self.mean, "stdev": self.stdev, "samples": list(self.samples)}
        report: dict[str, Any] = {
            "file": str(self.variant.path), "test": self.test.name, "depth": self.test.depth, "rate": rate,
        }  # fmt: skip
        if self.failure:
            report["error"] = failure_report(self.failure)
        return report


@dataclass(frozen=True, slots=True)
class BenchHappened:
    """Something happened in the session of a file: it loads, or fails."""

    variant: Variant
    event: SessionEvent


@dataclass(frozen=True, slots=True)
class BenchSampled:
    """One sample was taken."""

    variant: Variant
    test: BenchTest
    rate: float
    repetition: int
    """0: the warm-up, which is discarded."""


@dataclass(frozen=True, slots=True)
class BenchEnded:
    """All is measured, or it was stopped."""

    results: tuple[BenchResult, ...]
    method: str
    plans: tuple[LoadPlan, ...]
    """The resolved plan of each file."""


BenchEvent = BenchHappened | BenchSampled | BenchEnded


class _SampleError(QtuiError):
    """A session failed in mid-sample; the failure keeps its kind and the log's last lines."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, failure.hint)
        self.failure = failure


@dataclass(slots=True)
class _Entry:
    variant: Variant
    weighing: Weighing
    session: Session | None = None
    failure: Failure | None = None
    samples: dict[str, list[float]] = field(default_factory=dict)


class Bench:
    """One benchmark of some files under one plan."""

    def __init__(self, engine: Engine, guard: Guard, settings: BenchSettings, *, force: bool = False) -> None:
        self._engine = engine
        self._guard = guard
        self._settings = settings
        self._force = force
        self._entries: list[_Entry] = []
        self._stop = asyncio.Event()

    async def run(self, variants: Sequence[Variant], plan: LoadPlan) -> AsyncGenerator[BenchEvent, None]:
        """Measure the files: BenchHappened and BenchSampled, then BenchEnded, also when stopped.

        Sessions are closed at any end.

        A plan without a context size takes what the tests need.

        Raises:
            UsageError: the plan's context is too small for the tests.
        """
        settings = self._settings
        if plan.ctx_size and plan.ctx_size < settings.context:
            raise UsageError(
                f"--ctx-size {plan.ctx_size} is too small for these tests",
                f"they need {settings.context}: leave it out, or measure fewer tokens",
            )
        plan = replace(plan, ctx_size=plan.ctx_size or settings.context)
        entries = self._entries = [await self._weigh(variant, plan) for variant in variants]
        for entry in entries:
            if entry.failure:
                yield BenchHappened(entry.variant, Failed(entry.failure))
        live = [(entry.variant, entry.weighing) for entry in entries if not entry.failure]
        in_turn = not self._force and await do_not_fit(self._guard, live)
        try:
            for repetition in range(settings.repeats + 1):
                for entry in entries:
                    async for event in self._measure(entry, repetition, reload=in_turn):
                        yield event
        finally:
            for entry in entries:
                await _close(entry)
        yield BenchEnded(
            tuple(result for entry in entries for result in _results(entry, settings)),
            method(settings, len(entries), in_turn=in_turn, stopped=self._stop.is_set()),
            tuple(entry.weighing.plan for entry in entries),
        )

    async def stop(self) -> None:
        """End it: the running sample is cut and does not count; those taken before stay."""
        self._stop.set()
        await asyncio.gather(*(entry.session.cancel() for entry in self._entries if entry.session))

    async def _weigh(self, variant: Variant, plan: LoadPlan) -> _Entry:
        weighing = await self._guard.weigh(variant, plan)
        return _Entry(variant, weighing, failure=None if self._force else refusal(variant, weighing))

    async def _measure(self, entry: _Entry, repetition: int, *, reload: bool) -> AsyncIterator[BenchEvent]:
        """Take one sample of each test on one file; a file that failed is left alone."""
        if entry.failure or self._stop.is_set():
            return
        try:
            if entry.session is None:
                async for event in self._load(entry):
                    yield event
            for test in self._settings.tests if entry.session else ():
                if self._stop.is_set():
                    return
                rate = await _sample(entry, test)
                if repetition:
                    entry.samples.setdefault(test.name, []).append(rate)
                yield BenchSampled(entry.variant, test, rate, repetition)
        except QtuiError as error:
            if self._stop.is_set():  # what was cut by us is no failure of this file
                return
            entry.failure = error.failure if isinstance(error, _SampleError) else Failure.of(error)
            yield BenchHappened(entry.variant, Failed(entry.failure, fatal=True))
        if reload or entry.failure:
            await _close(entry)

    async def _load(self, entry: _Entry) -> AsyncIterator[BenchEvent]:
        entry.session = self._engine.open(entry.variant, entry.weighing.plan)
        async for event in entry.session.load():
            if isinstance(event, Failed) and self._stop.is_set():
                return
            yield BenchHappened(entry.variant, event)
            if isinstance(event, Failed):
                entry.failure = event.failure
        if entry.failure:
            await _close(entry)


async def do_not_fit(guard: Guard, weighed: Sequence[tuple[Variant, Weighing]]) -> bool:
    """Tell whether files, each weighed alone, do not fit beside each other."""
    if len(weighed) < 2:
        return False
    beside = Pools()
    for _, weighing in weighed[1:]:
        beside += weighing.footprint.pools if weighing.footprint else Pools()
    variant, first = weighed[0]
    together = await guard.weigh(variant, first.plan, beside=beside)
    return together.verdict.fit in (Fit.TOO_BIG, Fit.FROM_DISK)


def method(settings: BenchSettings, files: int, *, in_turn: bool = False, stopped: bool = False) -> str:
    """Return the sentence that says how the rates were measured."""
    parts = []
    start = "an empty cache" if not settings.depth else f"a cache that holds {settings.depth} tokens"
    for test in settings.tests:
        if test.kind == "pp":
            parts.append(f"{test.name}: {test.tokens} prompt tokens read from {start}")
        else:
            before = f"a prompt of {max(1, settings.depth)} token{'s' if settings.depth > 1 else ''}"
            parts.append(
                f"{test.name}: {test.tokens} tokens generated after {before}, greedy, (n - 1) / (last - first)"
            )
    order = f", alternated over {files} files" if files > 1 else ""
    reloads = ", each loaded anew every time, since they do not fit at once" if in_turn else ""
    repeats = f"{settings.repeats} repetition{'s' if settings.repeats > 1 else ''}"
    end = ", stopped before all were done" if stopped else ""
    return f"{'; '.join(parts)}; {repeats}{end}{order}{reloads}, after one that is discarded; one computes at a time"


async def _sample(entry: _Entry, test: BenchTest) -> float:
    """Return tokens per second of one test.

    Raises:
        QtuiError: the engine failed, or answered something else than was asked for.
    """
    greedy = Sampling(temperature=0.0, seed=1, max_tokens=1)
    fill = Request(raw=FILLER, sampling=greedy, reuse_prefix=False, prompt_length=max(1, test.depth), ignore_eos=True)
    if test.kind == "tg":
        answer = await _ask(entry, replace(fill, sampling=replace(greedy, max_tokens=test.tokens)))
        if answer.generated_tokens != test.tokens or answer.generation_rate is None:
            raise QtuiError(
                f"{entry.variant.title} generated {answer.generated_tokens} of {test.tokens} tokens",
                "its context may be too small: try fewer with --generate",
            )
        return answer.generation_rate
    if test.depth:
        await _ask(entry, fill)
    length = test.depth + test.tokens
    answer = await _ask(entry, replace(fill, prompt_length=length, reuse_prefix=bool(test.depth)))
    if answer.prompt_tokens != length or answer.cached_tokens != test.depth or answer.prompt_rate is None:
        raise QtuiError(
            f"{entry.variant.title} read {answer.prompt_tokens - answer.cached_tokens} of {test.tokens} prompt tokens",
            "this model cannot extend what it has read: measure it with --depth 0" if test.depth else "",
        )
    return answer.prompt_rate


async def _ask(entry: _Entry, request: Request) -> Answer:
    assert entry.session is not None
    answer: Answer | None = None
    async for event in entry.session.ask(request):
        if isinstance(event, Answered):
            answer = event.answer
        elif isinstance(event, Failed):
            raise _SampleError(event.failure)
    if answer is None or answer.finish_reason == "cancelled":
        raise QtuiError(f"{entry.variant.title} ended without an answer")
    return answer


def _results(entry: _Entry, settings: BenchSettings) -> list[BenchResult]:
    return [
        BenchResult(entry.variant, test, tuple(entry.samples.get(test.name, ())), entry.failure)
        for test in settings.tests
    ]


async def _close(entry: _Entry) -> None:
    session, entry.session = entry.session, None
    if session:
        await session.close()
