"""What a scripted child says, and sessions on it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from qtui.core.duel.conversation import Message, Request, Sampling
from qtui.core.events import Answered, Failed, SessionEvent
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.session import ChildSession, Patience

CHILD = Path(__file__).with_name("scripted_child.py")
NO_MEMORY = {"anonymous": None, "file_backed": None, "locked": None, "swapped": None, "peak": None, "vram": None}
LOADED = {"type": "Loaded", "load_time": 0.5, "plan": {"ctx_size": 64}, "vocabulary": 512, "template": "file",
          "memory": NO_MEMORY}  # fmt: skip
ANSWER = {"text": "hi", "thinking": "", "finish_reason": "stop", "prompt_tokens": 3, "cached_tokens": 0,
          "generated_tokens": 1, "time_to_first_token": 0.1, "prompt_rate": 30.0, "generation_rate": None, "seed": 42,
          "memory": NO_MEMORY}  # fmt: skip
ANSWERED = {"type": "Answered", "answer": ANSWER}
CANCELLED = {"type": "Answered", "answer": {**ANSWER, "finish_reason": "cancelled"}}
READY: list[list[Any]] = [["say", LOADED]]
QUICK = Patience(cancel_load=0.3, cancel_answer=0.3, close=0.3, last_words=0.3)
REQUEST = Request((Message("user", "hello"),), sampling=Sampling(temperature=0.0))


def text(content: str, **fields: Any) -> list[Any]:
    """Return the action that says a piece of an answer."""
    return ["say", {"type": "TextArrived", "text": content, **fields}]


def scripted(patience: Patience = QUICK, **script: list[list[Any]]) -> BuiltInEngine:
    """Return an engine whose children play a script: actions by command (`Load`, `Ask`, …; `Start` comes first)."""
    return BuiltInEngine(command=(sys.executable, str(CHILD), json.dumps(script)), patience=patience)


def variant(path: Path = Path("/models/tiny.gguf")) -> Variant:
    """Return a variant of this file."""
    return Variant(path, "Tiny", "Q8_0")


def opened(engine: BuiltInEngine, path: Path = Path("/models/tiny.gguf")) -> ChildSession:
    """Return a session that is not started."""
    return engine.open(variant(path), LoadPlan(ctx_size=64))


async def all_of(events: AsyncIterator[SessionEvent]) -> list[SessionEvent]:
    """Return all events of a command."""
    return [event async for event in events]


async def failure_of(events: AsyncIterator[SessionEvent]) -> Failed:
    """Return the failure that a command ends with."""
    last = (await all_of(events))[-1]
    assert isinstance(last, Failed), last
    return last


async def answer_of(events: AsyncIterator[SessionEvent]) -> Answered:
    """Return the answer that a command ends with."""
    last = (await all_of(events))[-1]
    assert isinstance(last, Answered), last
    return last


def gone(pid: int) -> bool:
    """Tell whether a process is gone, or dead and not yet waited for by whoever inherited it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in ("Z", "X")


async def until(condition: Callable[[], bool], limit: float = 20.0) -> None:
    """Wait for a condition that no event tells of."""
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.005)
