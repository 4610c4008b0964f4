"""One session over a llama-server: what the child does with its commands. It answers as the built-in engine does.

Prompts are rendered and thinking is told apart here, by the same code as the built-in engine's, and the server is
given tokens: the same model then reads the same, whichever engine runs it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtui.core.commands import Ask, Score, Serve, Started
from qtui.core.duel.conversation import Answer, Request
from qtui.core.errors import EngineError, Failure, QtuiError, UsageError
from qtui.core.events import Answered, Failed, Loaded, LoadProgressed
from qtui.core.hardware import ProcessMemory
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.text import clean, clean_name, size
from qtui.services.engine.child.memory import memory_of
from qtui.services.engine.child.prompt import Prompts, TooLongError
from qtui.services.engine.child.server.cut import Cut
from qtui.services.engine.child.server.http import BrokenOffError
from qtui.services.engine.child.server.loading import Loading, LostError, Reached
from qtui.services.engine.child.server.process import ServerProcess
from qtui.services.engine.child.server.scoring import ServedScoring
from qtui.services.engine.child.server.vocabulary import ServedVocabulary
from qtui.services.engine.child.server.writing import Order, Writing, Written
from qtui.services.engine.child.stops import Stops
from qtui.services.engine.child.stream import TextStream
from qtui.services.engine.child.thinking import MARKS, Thinking

Send = Callable[[object], None]
END_S = 0.5
"""So long the end of a server whose connection broke off is waited for."""
WATCHER_S = 20.0
HOST_S = 2.0
"""So long an RPC host may take to answer before it counts as gone."""
HOST_LOOKS, HOST_REST_S = 4, 0.25
"""So often, and so far apart, hosts are looked at where one of them must be gone."""


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a session works with once its server answers."""

    reached: Reached
    prompts: Prompts
    room: int
    """Tokens of one slot."""
    writing: Writing
    scoring: ServedScoring


class ServedSession:
    """Reaches its server once, then answers; every command ends in one Loaded, Answered, Scored or Failed.

    A server that is gone while it loads raises LostError: who watches the process tells the end.
    """

    def __init__(self, cut: Cut, send: Send, log: Callable[[bytes], object], owns: Callable[[ServerProcess], object]):
        self._cut = cut
        self._send = send
        self._log = log
        self._owns = owns
        self._ready: _Ready | None = None
        self._process: ServerProcess | None = None

    @property
    def process(self) -> ServerProcess | None:
        """Return our server, None where it is another machine's."""
        return self._process

    def load(self, command: Serve) -> bool:
        """Reach the server; False when that failed, after which this child is of no more use."""
        try:
            if self._ready:
                raise UsageError("this session has its model already")
            self._send(self._load(command))
        except LostError:
            raise
        except QtuiError as error:
            self._send(Failed(Failure.of(error, self._tail()), fatal=True))
        return self._ready is not None

    def ask(self, command: Ask) -> None:
        """Answer one request."""
        try:
            self._send(Answered(self._answer(self._loaded(), command.request)))
        except BrokenOffError as error:
            self._broke_off(error)
        except QtuiError as error:
            self._send(Failed(Failure.of(error, self._tail())))

    def score(self, command: Score) -> None:
        """Weigh options."""
        try:
            self._send(self._loaded().scoring.score(command))
        except BrokenOffError as error:
            self._broke_off(error)
        except QtuiError as error:
            self._send(Failed(Failure.of(error, self._tail())))

    def close(self) -> None:
        """End our server; another's goes on."""
        if self._process is not None:
            self._process.close()

    def _broke_off(self, error: BrokenOffError) -> None:
        """Tell that an answer broke off; where our server is gone, who watches it tells why and ends this process."""
        end = time.monotonic() + END_S
        while self._process is not None and time.monotonic() < end:
            if not self._process.running:
                time.sleep(WATCHER_S)
            time.sleep(0.01)
        self._send(Failed(Failure(error.message, error.hint or "ask again", error.kind, self._tail())))

    def _loaded(self) -> _Ready:
        if self._ready is None:
            raise UsageError("nothing is loaded")
        return self._ready

    def _tail(self) -> tuple[str, ...]:
        return self._process.tail() if self._process is not None else ()

    def _began(self, process: ServerProcess) -> None:
        self._process = process
        self._owns(process)
        self._send(Started(process.pid))

    def _load(self, command: Serve) -> Loaded:
        begun = time.perf_counter()
        try:
            plan = LoadPlan.from_json(command.plan)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the plan cannot be read: {clean(str(error))}") from error
        if not command.program:
            self._send(Started(0))

        def progress(fraction: float) -> None:
            self._send(LoadProgressed(fraction, time.perf_counter() - begun))

        reached = Loading(self._cut, self._log, progress, self._began).reach(command)
        props, http = reached.props, reached.http
        if reached.process is not None:
            self._send(Started(reached.process.pid, port=http.port))
        room = _number(_inner(props, "default_generation_settings").get("n_ctx")) or plan.ctx_size
        vocabulary = ServedVocabulary(
            http, size=_vocabulary_size(reached), bos=_text(props, "bos_token"), eos=_text(props, "eos_token")
        )
        source = props.get("chat_template")
        prompts = Prompts(vocabulary, source if isinstance(source, str) and source else None)
        writing = Writing(http, self._cut, self._send)
        self._ready = _Ready(reached, prompts, room, writing, ServedScoring(http, self._cut, vocabulary, room))
        buffers = reached.process.buffers if reached.process is not None else None
        if buffers is not None and buffers.flash_attention is not None:
            plan = replace(plan, flash_attn=FlashAttention.ON if buffers.flash_attention else FlashAttention.OFF)
        memory = self._memory()
        return Loaded(
            load_time=time.perf_counter() - begun,
            plan=replace(plan, ctx_size=plan.ctx_size or room).as_json(),
            vocabulary=vocabulary.size,
            template=prompts.origin,
            memory=memory,
            buffers=buffers.rows() if buffers is not None else (),
            warnings=(
                *command.notes, *filter(None, (prompts.warning,)), *_warnings(command, plan, props, room, memory)
            ),
            build=clean_name(_text(props, "build_info"), 80),
        )  # fmt: skip

    def _memory(self) -> ProcessMemory:
        return memory_of(self._process.pid) if self._process is not None else ProcessMemory()

    def _answer(self, ready: _Ready, request: Request) -> Answer:
        begun = time.perf_counter()
        prompt = ready.prompts.make(request)
        if len(prompt.tokens) >= ready.room:
            raise TooLongError(
                f"the prompt has {len(prompt.tokens)} tokens and the context {ready.room}",
                f"load it with --ctx-size {len(prompt.tokens) + 512} or more, or shorten the conversation",
            )
        thinking = Thinking(prompt.text) if request.raw is None else None
        stops = (*request.sampling.stop, *prompt.stops)
        stream = TextStream(self._send, Stops(stops), thinking)
        marks = frozenset(stops) | (MARKS if request.raw is None else frozenset())
        written = Written("cancelled")
        if not self._cut.is_set():
            written = ready.writing.write(Order(prompt.tokens, request, stops, marks, ready.room), stream)
        stream.finish(written.count)
        return Answer(
            text=stream.text,
            thinking=stream.thought,
            finish_reason=written.finish,
            prompt_tokens=len(prompt.tokens),
            cached_tokens=written.cached,
            generated_tokens=written.count,
            time_to_first_token=written.first - begun if written.first is not None else None,
            prompt_rate=written.prompt_rate,
            generation_rate=written.rate,
            seed=written.seed,
            memory=self._memory(),
            prompt=clean(prompt.text),
            written=stream.written,
        )


def _warnings(
    command: Serve, plan: LoadPlan, props: dict[str, Any], room: int, memory: ProcessMemory
) -> tuple[str, ...]:
    found = []
    if command.url and command.path:
        there = _text(props, "model_path") or _text(props, "model_alias")
        if there and _base(there) != _base(command.path):
            found.append(f"the server has {clean_name(_base(there))} loaded, not {clean_name(_base(command.path))}")
    if plan.ctx_size > room and not command.url:
        found.append(f"a conversation has {room} tokens of context there, not {plan.ctx_size}")
    if command.url and plan.mmproj:
        found.append("the image projector is not used")
    if plan.load_mode.locked and not command.url and (memory.locked or 0) < command.weights:
        found.append(
            f"{size(memory.locked)} of {size(command.weights)} of weights are locked in memory"
            " (raise RLIMIT_MEMLOCK: ulimit -l; repacked weights are never locked)"
        )
    return tuple(found)


def hosts_gone(hosts: Sequence[str]) -> tuple[str, ...]:
    """Return which RPC hosts take no connection; one that has just ended may still seem to for a moment."""
    gone: tuple[str, ...] = ()
    for look in range(HOST_LOOKS):
        time.sleep(HOST_REST_S if look else 0)
        gone = tuple(host for host in hosts if not _answers(host))
        if gone:
            break
    return gone


def _answers(host: str) -> bool:
    name, _, port = host.rpartition(":")
    try:
        socket.create_connection((name.strip("[]"), int(port)), HOST_S).close()
    except (OSError, ValueError):
        return False
    return True


def _vocabulary_size(reached: Reached) -> int:
    """Return how many tokens the model has: from the log, else as `/v1/models` tells; 0: not told."""
    if reached.process is not None and reached.process.vocabulary:
        return reached.process.vocabulary
    try:
        models = reached.http.get("/v1/models").get("data")
    except EngineError:
        return 0
    first = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    return _number(_inner(first, "meta").get("n_vocab")) or 0


def _inner(table: dict[str, Any], key: str) -> dict[str, Any]:
    found = table.get(key)
    return found if isinstance(found, dict) else {}


def _text(table: dict[str, Any], key: str) -> str:
    found = table.get(key)
    return found if isinstance(found, str) else ""


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40 else None


def _base(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]
