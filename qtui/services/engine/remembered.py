"""What one build of llama.cpp answered before, by header, devices and what of the plan counts."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable

from qtui.core.hardware import EngineInfo
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.question import Allocated, HelperReady, Refused, deciding_options
from qtui.core.wire import cleaned, decode, encode
from qtui.services.engine.answers import Answers
from qtui.services.engine.ghosts import Prepared

VERSION = 1
"""Of the meaning of kept answers: raised when the same question is asked of llama.cpp in another way."""

Info = Callable[[], Awaitable[EngineInfo]]


class Remembered:
    """The answers of one build.

    Args:
        info: tells its build and devices; None: nothing is kept.
        answers: where they are kept; None: nowhere.
    """

    def __init__(self, info: Info | None = None, answers: Answers | None = None) -> None:
        self._info = info
        self._answers = answers

    async def get(self, prepared: Prepared, plan: LoadPlan) -> tuple[Allocated | Refused, HelperReady] | None:
        """Return an answer with the build that gave it; None where there is none."""
        if self._answers is None or (info := await self._keeps(plan)) is None:
            return None
        line = await asyncio.to_thread(self._answers.get, _key(prepared, plan, info))
        answer = decode(line, (Allocated, Refused)) if line is not None else None
        return (cleaned(answer), ready_of(info)) if answer is not None else None

    async def put(self, prepared: Prepared, plan: LoadPlan, answer: Allocated | Refused) -> None:
        """Keep an answer that holds for the next time too."""
        if self._answers is None or (isinstance(answer, Refused) and answer.kind == "engine"):
            return
        if (info := await self._keeps(plan)) is not None:
            await asyncio.to_thread(self._answers.put, _key(prepared, plan, info), encode(answer))

    async def _keeps(self, plan: LoadPlan) -> EngineInfo | None:
        """Return the build; None where it is not known, or its answer depends on more than the question.

        Without shares llama.cpp divides the layers by what is free on each card at that moment.
        """
        info = await self._info() if self._info is not None else None
        if info is None or not info.usable:
            return None
        divided = len(info.gpus) > 1 and plan.n_gpu_layers != 0 and not plan.tensor_split
        return None if divided else info


def ready_of(info: EngineInfo) -> HelperReady:
    """Return what a helper of this build would say of it."""
    gpus = info.gpus
    return HelperReady(
        info.build, tuple(gpu.name for gpu in gpus), info.problem, tuple(gpu.description for gpu in gpus),
        info.features,
    )  # fmt: skip


def _key(prepared: Prepared, plan: LoadPlan, info: EngineInfo) -> str:
    """Return the digest of a question: the header without its tokenizer, the engine, and what of the plan counts."""
    cards = [(card.name, card.description) for card in info.gpus]
    engine = (info.name, info.build, info.version, info.features, cards)
    question = json.dumps([VERSION, prepared.digest, engine, deciding_options(plan)], sort_keys=True)
    return hashlib.sha256(question.encode("ascii")).hexdigest()
