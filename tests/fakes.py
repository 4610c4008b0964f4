"""Fakes of our own ports: scripted, typed, without processes or clocks.

`ScriptedEngine` answers from a script; a reply may hold until a test releases it, so that a test can look at, cancel
or kill a half-written answer without sleeping. `journal` records what was done, in order.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from qtui.core.duel.conversation import Answer, Request
from qtui.core.engines import EngineKind, engine_kind
from qtui.core.errors import Failure, NoSuchFileError, QtuiError, UsageError
from qtui.core.events import (
    Answered,
    Failed,
    Loaded,
    LoadProgressed,
    PromptProgressed,
    Scored,
    SessionEvent,
    TextArrived,
)
from qtui.core.gguf.facts import Facts, MixRow
from qtui.core.hardware import Device, DeviceKind, EngineInfo, Gpu, Hardware, MemorySample, ProcessMemory
from qtui.core.library.hash_step import HashStep
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.footprint import DeviceBytes, ExtraItem, Footprint, Pools
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.presets import BUILT_IN, Preset, check_name
from qtui.core.sessions import SessionRecord, SessionSeen, SessionState
from qtui.core.settings import Problem, Settings
from qtui.core.text import GIB, MIB

CPU_ONLY = EngineInfo(
    "built-in",
    build="0.5.0 (abcdef0)",
    version="0.3.36",
    devices=(Device("CPU", "A processor", DeviceKind.CPU, 32 * GIB, 16 * GIB),),
    features=("AVX2", "REPACK"),
)
ONE_CARD = replace(CPU_ONLY, devices=(Device("CUDA0", "A card", DeviceKind.GPU, 12 * GIB, 8 * GIB), *CPU_ONLY.devices))
GATHERED_S = 0.05
"""How long an engine gathers tokens before it sends them on."""
RESIDENT = ProcessMemory(anonymous=120 * MIB, file_backed=300 * MIB, locked=0, swapped=0, peak=450 * MIB)


def make_variant(
    model: str = "Tiny", quant: str = "Q8_0", *, size: int = 300 * MIB, folder: Path = Path("/models"), **fields: object
) -> Variant:
    """Return a plausible variant without a file; `fields` are further fields of Variant."""
    path = folder / f"{model}-{quant}.gguf"
    plain = Variant(
        path=path, model=model, quant=quant, role=Role.MODEL, paths=(path,), architecture="llama", size=size,
        parameters=size, bits_per_weight=8.0, context_length=4096, layers=12, source=str(folder),
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


@dataclass(slots=True)
class Reply:
    """One scripted answer: text in chunks, then an end; or a failure after some of them."""

    text: str = "an answer"
    thinking: str = ""
    finish_reason: str = "stop"
    failure: Failure | None = None
    """When given, the answer ends with it after `text` was streamed."""
    fatal: bool = False
    """The failure took the session along."""
    hold: asyncio.Event | None = None
    """When given, the stream waits for it after `hold_after` chunks."""
    hold_after: int = 1
    prompt_rate: float | None = 1000.0
    generation_rate: float | None = 40.0
    time_to_first_token: float | None = 0.25
    memory: ProcessMemory = RESIDENT
    warnings: tuple[str, ...] = ()
    tokens_per_second: float | None = None
    """When given, chunks come at this pace by the clock, gathered for `GATHERED_S`: for benchmarks."""

    @property
    def chunks(self) -> tuple[str, ...]:
        """Return the text cut behind each space, as tokens would come."""
        return tuple(piece for piece in self.text.replace(" ", " \0").split("\0") if piece)


@dataclass(slots=True)
class LoadScript:
    """How a load goes."""

    failure: Failure | None = None
    hold: asyncio.Event | None = None
    load_time: float = 0.5
    template: str = "file"
    """`chatml`: the file has no chat template."""
    raises: QtuiError | None = None
    """Raised by `load()` itself, as an engine does that cannot start a child."""


class ScriptedSession:
    """A session that plays what its engine was told for this file."""

    def __init__(self, engine: ScriptedEngine, variant: Variant, plan: LoadPlan, number: int) -> None:
        self._engine = engine
        self.variant = variant
        self.plan = plan
        self.requests: list[Request] = []
        self.closed = False
        self._number = number
        self._alive = False
        self._was_loaded = False
        self.lanes: list[ScriptedSession] = []
        self._cancelled = asyncio.Event()

    @property
    def id(self) -> str:
        """Return its number, as text."""
        return f"s{self._number}"

    @property
    def pid(self) -> int | None:
        """Return a made-up id while it lives."""
        return 100_000 + self._number if self._alive else None

    @property
    def ended(self) -> bool:
        """Tell whether it died or was closed."""
        return self._was_loaded and not self._alive

    def lane(self) -> ScriptedSession | None:
        """Return another way to the same model, where the plan names a llama-server."""
        if engine_kind(self.plan.engine) is not EngineKind.SERVER:
            return None
        lane = ScriptedSession(self._engine, self.variant, self.plan, self._number)
        self.lanes.append(lane)
        return lane

    def die(self) -> None:
        """End by itself while nothing is asked."""
        self._alive = False

    async def load(self) -> AsyncIterator[SessionEvent]:
        """Play the load script of this file."""
        self._note("load")
        self._cancelled.clear()
        script = self._engine.loads.get(self.variant.path, LoadScript())
        if script.raises:
            raise script.raises
        yield LoadProgressed(0.5, script.load_time / 2)
        if await self._held(script.hold):
            yield Failed(Failure("loading was cancelled", kind="cancelled"), fatal=True)
            return
        if script.failure:
            yield Failed(script.failure, fatal=True)
            return
        yield LoadProgressed(1.0, script.load_time)
        self._alive = self._was_loaded = True
        plan = {**self.plan.as_json(), "flash_attn": "on"}
        yield Loaded(script.load_time, plan, vocabulary=512, template=script.template, memory=RESIDENT)

    async def ask(self, request: Request) -> AsyncIterator[SessionEvent]:
        """Play the next reply for this file."""
        assert self._alive, "asked before it was loaded, or after it died"
        self._note("ask")
        self.requests.append(request)
        self._cancelled.clear()
        reply = self._engine.next_reply(self.variant)
        yield PromptProgressed(4, 4)
        if reply.thinking:
            yield TextArrived(reply.thinking, thinking=True, tokens=1)
        said = ""
        cancelled = False
        for index, chunk in enumerate(reply.chunks if reply.tokens_per_second is None else ()):
            if index == reply.hold_after:
                cancelled = await self._held(reply.hold)
            if cancelled or self._cancelled.is_set():
                cancelled = True
                break
            said += chunk
            yield TextArrived(chunk, tokens=index + 1)
            await asyncio.sleep(0)
        if reply.tokens_per_second is not None:
            async for event in self._paced(reply, reply.tokens_per_second):
                said += event.text
                yield event
            cancelled = self._cancelled.is_set()
        elif not cancelled and len(reply.chunks) <= reply.hold_after:
            cancelled = await self._held(reply.hold)
        if reply.failure and not cancelled:
            self._alive = not reply.fatal
            yield Failed(reply.failure, fatal=reply.fatal)
            return
        self._note("answered")
        yield Answered(_answer(reply, said, request, cancelled))

    async def score(self, prompt: str, options: Sequence[str]) -> AsyncIterator[SessionEvent]:
        """Weigh options by the engine's rule for this file."""
        assert self._alive, "asked before it was loaded, or after it died"
        self._note("score")
        scorer = self._engine.scorers.get(self.variant.path, _first_option)
        told = scorer(prompt, options)
        if isinstance(told, Failed):
            self._alive = not told.fatal
            yield told
            return
        yield Scored(tuple(told), tuple(1 for _ in options))

    async def _paced(self, reply: Reply, rate: float) -> AsyncIterator[TextArrived]:
        """Yield what a model of that rate would have written since the last event."""
        begin, sent, chunks = time.perf_counter(), 0, reply.chunks
        while sent < len(chunks) and not self._cancelled.is_set():
            await asyncio.sleep(GATHERED_S)
            due = min(len(chunks), round((time.perf_counter() - begin) * rate))
            if due > sent:
                yield TextArrived("".join(chunks[sent:due]), tokens=due)
                sent = due

    async def cancel(self) -> None:
        """Stop what is held or running."""
        self._note("cancel")
        self._cancelled.set()

    async def memory(self) -> ProcessMemory:
        """Return fixed figures."""
        return RESIDENT

    async def close(self) -> None:
        """End; a second call does nothing."""
        if not self.closed:
            self._note("close")
        self.closed = True
        for lane in self.lanes:
            await lane.close()
        self._alive = False
        self._cancelled.set()

    async def _held(self, hold: asyncio.Event | None) -> bool:
        """Wait for the test's release; tell whether it was cancelled first."""
        if hold is None:
            return False
        waiting = [asyncio.ensure_future(hold.wait()), asyncio.ensure_future(self._cancelled.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        return self._cancelled.is_set()

    def _note(self, what: str) -> None:
        self._engine.journal.append((what, self.variant.quant))


def _answer(reply: Reply, said: str, request: Request, cancelled: bool) -> Answer:
    tokens = len([c for c in reply.chunks if c]) if not cancelled else said.count(" ")
    asked = request.raw if request.raw is not None else "".join(m.content for m in request.messages)
    return Answer(
        text=said, thinking=reply.thinking, finish_reason="cancelled" if cancelled else reply.finish_reason,
        prompt_tokens=max(1, len(asked) // 4), cached_tokens=0, generated_tokens=tokens,
        time_to_first_token=reply.time_to_first_token, prompt_rate=reply.prompt_rate,
        generation_rate=reply.generation_rate, seed=42 if request.sampling.seed is None else request.sampling.seed,
        memory=reply.memory, prompt=asked, warnings=reply.warnings,
        pieces=(*filter(None, (reply.thinking,)), *reply.chunks),
    )  # fmt: skip


def _first_option(_prompt: str, options: Sequence[str]) -> Sequence[float]:
    """Find the first option the likeliest."""
    return [-float(place) for place, _ in enumerate(options)]


class ScriptedEngine:
    """An engine that answers what it was told; without a script, `default`."""

    def __init__(self, info: EngineInfo = CPU_ONLY, default: Reply | None = None) -> None:
        self.engine_info = info
        self.default = default or Reply("a b c")
        self.journal: list[tuple[str, str]] = []
        """(what, quant of the variant): open, load, ask, answered, cancel, close."""
        self.sessions: list[ScriptedSession] = []
        self.loads: dict[Path, LoadScript] = {}
        self.scorers: dict[Path, Callable[[str, Sequence[str]], Sequence[float] | Failed]] = {}
        """How likely each file finds options; without one the first is the likeliest."""
        self._replies: dict[Path | None, deque[Reply]] = defaultdict(deque)
        self._numbers = itertools.count(1)

    def enqueue(self, *replies: Reply, variant: Variant | None = None) -> None:
        """Add replies, for one variant or for whoever asks next."""
        self._replies[variant.path if variant else None].extend(replies)

    def next_reply(self, variant: Variant) -> Reply:
        """Take the next reply for a variant."""
        for queue in (self._replies[variant.path], self._replies[None]):
            if queue:
                return queue.popleft()
        return self.default

    async def info(self) -> EngineInfo:
        """Return what the engine was made with."""
        return self.engine_info

    def open(self, variant: Variant, plan: LoadPlan) -> ScriptedSession:
        """Return a new session."""
        self.journal.append(("open", variant.quant))
        session = ScriptedSession(self, variant, plan, next(self._numbers))
        self.sessions.append(session)
        return session


def make_footprint(
    variant: Variant, plan: LoadPlan, *, total: int | None = None, context_per_token: int = 0
) -> Footprint:
    """Return a footprint of `total` bytes (default: file size + 64 MiB of context, compute and process)."""
    weights = max(0, (total if total is not None else variant.size + 64 * MIB) - 64 * MIB)
    context, compute, process = context_per_token * plan.ctx_size or 32 * MIB, 16 * MIB, 16 * MIB
    mapped = plan.load_mode.mapped
    pools = Pools(
        ram_anonymous=context + compute + process + (0 if mapped else weights),
        ram_file_backed=weights if mapped else 0,
    )
    return Footprint(
        plan=plan,
        devices=(DeviceBytes("CPU", weights, context, compute, Origin.DRY_RUN),),
        extra=(ExtraItem("process", "ram_anonymous", process, Origin.COMPUTED, 4 * MIB),),
        pools=pools, peak=pools.ram, reclaimable=0, locked=0, origin=Origin.DRY_RUN, engine=plan.engine,
    )  # fmt: skip


def make_facts(variant: Variant, **fields: object) -> Facts:
    """Return plausible facts of a variant; `fields` are further fields of Facts."""
    plain = Facts(
        architecture=variant.architecture, model=variant.model, quant=variant.quant, role=variant.role,
        layers=variant.layers, context_length=variant.context_length, vocabulary=512,
        parameters=variant.parameters or 0, active_parameters=variant.parameters or 0,
        bits_per_weight=variant.bits_per_weight,
        mix=(MixRow(8, "Q8_0", 85, variant.size * 99 // 100, 1000), MixRow(0, "F32", 25, variant.size // 100, 10)),
        experts=None, imatrix={}, chat_template=True, chat_template_names=(), context_bytes_per_token=4096, split=None,
        metadata={"general.architecture": variant.architecture, "general.name": variant.model}, warnings=(),
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


class FakeDryRun:
    """A dry run that answers by file; what it was not told is computed from the file's size."""

    def __init__(self) -> None:
        self.totals: dict[Path, int] = {}
        """What a file shall need, in bytes."""
        self.context_per_token = 0
        """Bytes of context per token; 0: the same for every context."""
        self.errors: dict[Path, QtuiError] = {}
        self.asked: list[tuple[Path, LoadPlan]] = []
        self.hold: asyncio.Event | None = None
        """When given, every answer waits for it."""
        self.closed = False

    async def footprint(self, variant: Variant, plan: LoadPlan) -> Footprint:
        """Return or raise what was scripted."""
        self.asked.append((variant.path, plan))
        if self.hold:
            await self.hold.wait()
        if variant.path in self.errors:
            raise self.errors[variant.path]
        total = self.totals.get(variant.path)
        return make_footprint(variant, plan, total=total, context_per_token=self.context_per_token)

    async def recall(self, variant: Variant, plan: LoadPlan) -> Footprint | None:
        """Remember nothing."""
        return None

    async def close(self) -> None:
        """Note that it was closed."""
        self.closed = True


@dataclass(slots=True)
class FakeMachine:
    """A machine with 16 of 32 GiB free and no card; tests replace `now`, and `changed` wakes `samples`."""

    now: MemorySample = field(default_factory=lambda: MemorySample(1_700_000_000.0, 32 * GIB, 16 * GIB, 8 * GIB, 0))
    fixed: Hardware = field(default_factory=lambda: Hardware("A processor", 4, 8, 32 * GIB, 8 * MIB))
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def set(self, *, available: int | None = None, swap_used: int | None = None, gpus: tuple[Gpu, ...] = ()) -> None:
        """Change what is free, and let `samples` yield it."""
        self.now = replace(
            self.now,
            ram_available=self.now.ram_available if available is None else available,
            swap_used=self.now.swap_used if swap_used is None else swap_used,
            gpus=gpus or self.now.gpus,
        )
        self.changed.set()

    def hardware(self) -> Hardware:
        """Return what does not change."""
        return self.fixed

    def latest(self) -> MemorySample | None:
        """Return the newest sample."""
        return self.now

    async def sample(self) -> MemorySample:
        """Return the newest sample."""
        return self.now

    async def samples(self, interval: float = 1.0) -> AsyncIterator[MemorySample]:
        """Yield at once, then after every `set`."""
        while True:
            yield self.now
            await self.changed.wait()
            self.changed.clear()


class FakeSessions:
    """Sessions of this machine, as a test lays them out; a stopped one goes."""

    def __init__(self, *seen: SessionSeen) -> None:
        self.seen = list(seen)
        self.logs: dict[str, tuple[str, ...]] = {}
        self.errors: dict[str, QtuiError] = {}
        """What stopping a session raises, by id."""
        self.stopped: list[str] = []

    async def list(self) -> Sequence[SessionSeen]:
        """Return what runs."""
        return tuple(seen for seen in self.seen if seen.record.state is not SessionState.CRASHED)

    async def crashed(self) -> Sequence[SessionSeen]:
        """Return what has crashed."""
        return tuple(seen for seen in self.seen if seen.record.state is SessionState.CRASHED)

    async def stop(self, session_id: str) -> None:
        """Take one away, or raise what was scripted."""
        if session_id in self.errors:
            raise self.errors[session_id]
        self.stopped.append(session_id)
        self.seen = [seen for seen in self.seen if seen.record.id != session_id]

    async def log(self, session_id: str) -> Sequence[str]:
        """Return its lines."""
        return self.logs.get(session_id, ())


def make_seen(
    session_id: str = "s1", title: str = "Tiny Q8_0", *, memory: ProcessMemory = RESIDENT, own: bool = False,
    **fields: object,
) -> SessionSeen:  # fmt: skip
    """Return a session that answers; `fields` are further fields of its record."""
    plain = SessionRecord(
        session_id, 4242, 1, 4200, title, f"/models/{session_id}.gguf", {**LoadPlan().as_json(), "ctx_size": 4096},
        since=1_699_999_900.0, state=SessionState.ANSWERING, rate=41.2, context_used=512,
        estimated_ram=400 * MIB, estimated_vram=0, full_prompt=True,
    )  # fmt: skip
    return SessionSeen(replace(plain, **fields), memory, own)  # type: ignore[arg-type]


class FakeSettings:
    """Settings in memory; `now` is what the file holds, which a test may change as another qtui would."""

    path = Path("/config/settings.toml")

    def __init__(self, settings: Settings = Settings(), *problems: Problem) -> None:
        self.now = settings
        self.said = problems
        self.saved: list[Settings] = []
        self.error: QtuiError | None = None
        """Raised when something is saved."""
        self._read = settings

    def load(self) -> Settings:
        """Return what the file holds."""
        self._read = self.now
        return self.now

    def save(self, settings: Settings) -> Settings:
        """Keep other settings, or raise what was scripted."""
        if self.error:
            raise self.error
        self.saved.append(settings)
        self.now = self._read = settings
        return settings

    def problems(self) -> Sequence[Problem]:
        """Return what was scripted."""
        return self.said

    def changed(self) -> bool:
        """Tell whether a test has changed what the file holds."""
        return self.now is not self._read


class FakeLibrary:
    """A library of given variants; found by path, file name or `REPO:QUANT`."""

    def __init__(self, *variants: Variant) -> None:
        self.variants = list(variants)
        self.scanned: list[tuple[Path, ...]] = []
        self.errors: dict[str, QtuiError] = {}
        self.hold: asyncio.Event | None = None
        """When given, the scan waits for it after the first variant."""
        self.changed = asyncio.Event()
        """Set it to let `watch` tell that files came or went."""
        self.hashes: dict[Path, str] = {}
        """By file, what `hash` tells."""
        self.hashed: list[Path] = []
        self.told: dict[Path, Facts] = {}
        """Facts by file; others have plain ones."""

    async def scan(self, folders: Sequence[Path] = ()) -> AsyncIterator[Variant]:
        """Yield the variants."""
        self.scanned.append(tuple(folders))
        for index, variant in enumerate(tuple(self.variants)):
            if index == 1 and self.hold:
                await self.hold.wait()
            yield variant
            await asyncio.sleep(0)

    async def find(self, name: str) -> Variant:
        """Return the variant of that path, file name or `REPO:QUANT`."""
        if name in self.errors:
            raise self.errors[name]
        for variant in self.variants:
            if name in (str(variant.path), variant.path.name, f"{variant.repository}:{variant.quant}"):
                return variant
        kind = UsageError if ("/" in name or ":" in name) and not name.endswith(".gguf") else NoSuchFileError
        raise kind(f"{name} is not here: no such file", f"here are: {', '.join(v.path.name for v in self.variants)}")

    problems: tuple[str, ...] = ()

    async def hash(self, variant: Variant) -> AsyncIterator[HashStep]:
        """Tell the hashes that were laid out for the path, or raise what was scripted."""
        if str(variant.path) in self.errors:
            raise self.errors[str(variant.path)]
        self.hashed.append(variant.path)
        yield HashStep(0, variant.size)
        told = self.hashes.get(variant.path, "0" * 64)
        yield HashStep(variant.size, variant.size, tuple(replace(each, sha256=told) for each in variant.prints))

    def places(self) -> Sequence[tuple[str, Path]]:
        """Return one made-up place."""
        return [("models", Path("/models"))]

    async def watch(self, interval: float = 5.0) -> AsyncIterator[None]:
        """Yield whenever `changed` is set."""
        while True:
            await self.changed.wait()
            self.changed.clear()
            yield

    async def facts(self, variant: Variant) -> Facts:
        """Return what was told, else plain facts; or raise what was scripted for the path."""
        if str(variant.path) in self.errors:
            raise self.errors[str(variant.path)]
        return self.told.get(variant.path) or make_facts(variant)


class FakeHashes:
    """Hashes files by their names."""

    async def hash(self, variant: Variant) -> str:
        """Return a hash that is made of the path."""
        return f"sha256:{variant.path.name}"


class FakePresets:
    """Presets in memory; `refuse` is raised by the next save."""

    def __init__(self, *presets: Preset) -> None:
        self.own = list(presets)
        self.refuse: QtuiError | None = None
        self.foreign = False
        """Set it to tell that another program has changed them."""

    @property
    def path(self) -> Path:
        """Return a made-up place."""
        return Path("/config/presets.toml")

    def load(self) -> tuple[Preset, ...]:
        """Return the user's presets, then ours."""
        self.foreign = False
        names = {preset.name for preset in self.own}
        return (*self.own, *(preset for preset in BUILT_IN if preset.name not in names))

    def save(self, preset: Preset) -> None:
        """Keep one as the real store does: an unusable name is refused."""
        if self.refuse is not None:
            error, self.refuse = self.refuse, None
            raise error
        check_name(preset.name)
        self.own = [*(old for old in self.own if old.name != preset.name), preset]

    def delete(self, name: str) -> None:
        """Drop one."""
        self.own = [preset for preset in self.own if preset.name != name]

    def problems(self) -> Sequence[Problem]:
        """Return nothing: they are never wrong."""
        return ()

    def changed(self) -> bool:
        """Tell what `foreign` says."""
        return self.foreign
