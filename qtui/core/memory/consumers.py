"""The programs that load a GGUF file, and why one file needs different memory under each.

`qtui` names them as engines; a plan's engine decides which row counts. Sources: llama.cpp at commit 0c1e570
(common/common.h, tools/server/server.cpp, server-context.cpp), llama-cpp-python 0.3.36 (llama.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePath

from qtui.core.memory.plan import DEFAULT_CTX_SIZE, FlashAttention, LoadPlan
from qtui.core.text import MIB


class Outputs(StrEnum):
    """How many rows of logits a program reserves."""

    SLOT = "one per slot"
    BATCH = "one per token of a batch"


@dataclass(frozen=True, slots=True)
class Consumer:
    """One program, with what it does where it is not told."""

    name: str
    programs: tuple[str, ...]
    """File names that mean it."""
    ctx_size: int
    """Tokens of context; 0: what the model was trained to."""
    batch_size: int
    ubatch_size: int
    slots: int
    unified: bool
    """Slots share one cache; else each has its part of the context."""
    flash_attn: FlashAttention
    swa_full: bool
    """Layers with a sliding window keep the whole context."""
    outputs: Outputs
    scores: bool
    """Keeps a row of logits in 32 bits for every token of a batch."""
    prompt_cache: int
    """Bytes of earlier prompts that it may keep in RAM."""
    process: int
    """Bytes of the process before anything is loaded."""
    process_band: int

    def rows(self, plan: LoadPlan) -> int:
        """Return how many rows of logits are reserved at most."""
        return max(1, plan.parallel) if self.outputs is Outputs.SLOT else min(plan.batch_size, plan.ctx_size)

    def shares_cache(self, plan: LoadPlan) -> bool:
        """Tell whether the slots of a plan share one cache."""
        return self.unified and plan.parallel > 1

    def defaults(self, trained: int | None = None) -> LoadPlan:
        """Return the plan of this program when it is told nothing but the file."""
        ctx = self.ctx_size or trained or DEFAULT_CTX_SIZE
        if self is BUILT_IN:
            ctx = min(ctx, trained or ctx)
        return LoadPlan(
            ctx_size=ctx, batch_size=self.batch_size, ubatch_size=self.ubatch_size, parallel=self.slots,
            flash_attn=self.flash_attn, swa_full=self.swa_full, engine=self.name,
        )  # fmt: skip


# fmt: off
CONSUMERS = (
    #        name                programs                      ctx    batch ub   slots unified
    Consumer("built-in",         (),                           DEFAULT_CTX_SIZE, 2048, 512, 1, True,
             FlashAttention.AUTO, False, Outputs.SLOT,  False, 0,          41 * MIB, 12 * MIB),
    Consumer("llama-server",     ("llama-server",),            0,     2048, 512, 4, True,
             FlashAttention.AUTO, False, Outputs.SLOT,  False, 8192 * MIB, 30 * MIB, 20 * MIB),
    Consumer("llama-cli",        ("llama-cli", "llama-completion", "main"), 0, 2048, 512, 1, False,
             FlashAttention.AUTO, False, Outputs.BATCH, False, 0,          20 * MIB, 15 * MIB),
    Consumer("llama-cpp-python", ("llama-cpp-python",),        512,   512,  512, 1, False,
             FlashAttention.OFF,  True,  Outputs.BATCH, True,  0,          60 * MIB, 25 * MIB),
)
# fmt: on
BUILT_IN = CONSUMERS[0]


def consumer_of(engine: str) -> Consumer:
    """Return the program behind an engine's name: its own name, or the path of a program."""
    name = PurePath(engine).name.removesuffix(".exe")
    for consumer in CONSUMERS:
        if name == consumer.name or name in consumer.programs:
            return consumer
    return BUILT_IN


def known_engine(engine: str) -> bool:
    """Tell whether an engine's name means one of these programs."""
    return engine == BUILT_IN.name or consumer_of(engine) is not BUILT_IN


def left_open(plan: LoadPlan, trained: int | None) -> LoadPlan:
    """Return a plan whose context and flash attention, where it leaves them open, are those of its engine."""
    consumer = consumer_of(plan.engine)
    if consumer is BUILT_IN:
        return plan
    defaults = consumer.defaults(trained)
    automatic = plan.flash_attn is FlashAttention.AUTO
    return replace(
        plan,
        ctx_size=plan.ctx_size or defaults.ctx_size,
        flash_attn=defaults.flash_attn if automatic else plan.flash_attn,
    )
