"""Where people go wrong with a plan: what will happen, and what to do, before anything is loaded.

Each rule is a pure function of a plan and what surrounds it. None of them refuses: what llama.cpp refuses is an error
elsewhere (`refusals.py`, `LoadPlan.check`), and what does not fit is the verdict's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtui.core.engines import untrusted, untrusted_hosts
from qtui.core.hardware import EngineInfo, Hardware
from qtui.core.library.variant import Variant
from qtui.core.memory.builds import holes, missing_architecture
from qtui.core.memory.consumers import consumer_of
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.pools import is_plain
from qtui.core.memory.refusals import QUANTISED_V
from qtui.core.memory.verdict import Headroom
from qtui.core.text import clean_name, size

PLAIN_CACHE = ("f32", "f16", "bf16")
SERVER = "llama-server"


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """One thing that will not go as the plan says."""

    id: str
    message: str
    hint: str
    options: tuple[str, ...]
    """LoadPlan's names of what it is about."""

    @property
    def text(self) -> str:
        """Return message and hint on one line."""
        return f"{self.message}: {self.hint}"

    def as_json(self) -> dict[str, object]:
        """Return one entry of `warnings`."""
        return {"id": self.id, "message": self.message, "hint": self.hint, "options": list(self.options)}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan meets. None: not known, so that nothing is said."""

    variant: Variant
    plan: LoadPlan
    """Resolved."""
    hardware: Hardware
    footprint: Footprint | None = None
    room: Headroom | None = None
    engine: EngineInfo | None = None
    """The build that would load it."""
    engine_missing: bool = False
    """It was looked for, and is not here or does not work."""


Rule = Callable[[Circumstances], PlanWarning | None]


def plan_warnings(around: Circumstances) -> tuple[PlanWarning, ...]:
    """Return all warnings, the gravest first."""
    found = (rule(around) for rule in RULES)
    return tuple(warning for warning in found if warning is not None)


def _no_engine(around: Circumstances) -> PlanWarning | None:
    if not around.engine_missing:
        return None
    return PlanWarning(
        "no-engine", f"the engine {clean_name(around.plan.engine, 200)} is not here, or does not work",
        "qtui doctor tells more; --engine built-in is always here", ("engine",),
    )  # fmt: skip


def _old_build(around: Circumstances) -> PlanWarning | None:
    build = around.engine.build if around.engine is not None else ""
    since = missing_architecture(build, around.variant.architecture)
    if since is None:
        return None
    return PlanWarning(
        "old-build", f"llama.cpp {clean_name(build, 60)} does not know the architecture {around.variant.architecture}",
        f"b{since} or newer does", ("engine",),
    )  # fmt: skip


def _known_hole(around: Circumstances) -> PlanWarning | None:
    build = around.engine.build if around.engine is not None else ""
    known = holes(build, server=consumer_of(around.plan.engine).name == SERVER)
    if not known:
        return None
    newest = max(known, key=lambda hole: hole.fixed)
    more = f", and {len(known) - 1} more" if len(known) > 1 else ""
    return PlanWarning(
        "known-hole", f"llama.cpp {clean_name(build, 60)} has a known hole: {newest.what} ({newest.name}{more})",
        f"update it to b{newest.fixed} or newer, and load only files that you trust until then", ("engine",),
    )  # fmt: skip


def _plain_http(around: Circumstances) -> PlanWarning | None:
    risk = untrusted(around.plan.engine)
    return PlanWarning("plain-http", "the server is asked over plain http", risk, ("engine",)) if risk else None


def _lent_devices(around: Circumstances) -> PlanWarning | None:
    engine = around.engine
    if engine is None or not around.plan.n_gpu_layers:
        return None
    hosts = [device.description for device in engine.devices if device.lent]
    risk = untrusted_hosts(hosts)
    return PlanWarning("lent-devices", risk, "only in a network that you trust", ("engine",)) if risk else None


def _quantised_v(around: Circumstances) -> PlanWarning | None:
    plan = around.plan
    if plan.flash_attn is not FlashAttention.OFF or plan.cache_type_v in PLAIN_CACHE:
        return None
    return PlanWarning("quantised-v", *QUANTISED_V, ("cache_type_v", "flash_attn"))


def _not_mapped(around: Circumstances) -> PlanWarning | None:
    total, footprint = around.hardware.ram_total, around.footprint
    if around.plan.load_mode.mapped or footprint is None or total is None:
        return None
    weights = sum(device.weights for device in footprint.devices if device.host)
    if weights <= total:
        return None
    mode = around.plan.load_mode.value
    return PlanWarning(
        "not-mapped", f"with load mode {mode} {size(weights)} of weights must lie in RAM, of which there are "
        f"{size(total)}: the system swaps, or ends the engine",
        "--load-mode mmap reads them from the disk as they are needed, which is slow", ("load_mode",),
    )  # fmt: skip


def _lock_limit(around: Circumstances) -> PlanWarning | None:
    """llama.cpp goes on without locks where they are refused; a buffer is asked for whole, a mapping bit by bit."""
    footprint, limit = around.footprint, around.hardware.memlock_limit
    if footprint is None or limit is None or footprint.locked <= limit:
        return None
    whole = around.plan.load_mode is LoadMode.MLOCK
    locked = "nothing" if whole else f"at most {size(limit)}"
    return PlanWarning(
        "lock-limit", f"{size(footprint.locked)} would be locked, RLIMIT_MEMLOCK allows {size(limit)}: llama.cpp only "
        f"warns and runs on, and {locked} of it is locked",
        "raise it (ulimit -l, LimitMEMLOCK= of a service), or take --load-mode mmap", ("load_mode",),
    )  # fmt: skip


def _lock_free(around: Circumstances) -> PlanWarning | None:
    footprint, free = around.footprint, around.room.free_ram if around.room is not None else None
    if footprint is None or free is None or footprint.locked <= free:
        return None
    return PlanWarning(
        "lock-free", f"{size(footprint.locked)} would be locked, {size(free)} of RAM are free: other programs are "
        "pushed to swap, or ended",
        "take --load-mode mmap, a smaller quant, or more layers on the GPU", ("load_mode",),
    )  # fmt: skip


def _lock_repacked(around: Circumstances) -> PlanWarning | None:
    footprint = around.footprint
    if not around.plan.load_mode.locked or footprint is None:
        return None
    host = [device for device in footprint.devices if device.host and device.weights]
    repacked = sum(device.weights for device in host if not is_plain(device.name))
    if not repacked:
        return None
    whole = sum(device.weights for device in host)
    return PlanWarning(
        "lock-repacked", f"{size(repacked)} of {size(whole)} of weights are repacked for this CPU, and such are never "
        "locked",
        "they may be swapped; under llama-server --extra=--no-repack leaves them plain", ("load_mode",),
    )  # fmt: skip


def _beyond_training(around: Circumstances) -> PlanWarning | None:
    trained, context = around.variant.context_length, around.plan.ctx_size
    if trained is None or context <= trained:
        return None
    capped = " and llama-server gives a slot no more" if consumer_of(around.plan.engine).name == SERVER else ""
    return PlanWarning(
        "beyond-training", f"{context} tokens of context are more than the {trained} it was trained to: answers get "
        f"worse beyond that{capped}",
        f"--ctx-size {trained}", ("ctx_size",),
    )  # fmt: skip


def _many_threads(around: Circumstances) -> PlanWarning | None:
    cores, threads = around.hardware.physical_cores, around.plan.threads
    if cores < 1 or threads <= cores:
        return None
    return PlanWarning(
        "many-threads", f"{threads} threads on {cores} physical cores get in each other's way: it generates slower",
        f"--threads {cores}", ("threads",),
    )  # fmt: skip


def _many_prompt_threads(around: Circumstances) -> PlanWarning | None:
    cores, threads = around.hardware.logical_cores, around.plan.threads_batch
    if cores < 1 or threads <= cores:
        return None
    return PlanWarning(
        "many-threads-batch", f"{threads} threads for prompts are more than the {cores} that the CPU runs at once",
        f"--threads-batch {cores}", ("threads_batch",),
    )  # fmt: skip


def _ubatch_above_batch(around: Circumstances) -> PlanWarning | None:
    plan = around.plan
    if plan.ubatch_size <= plan.batch_size:
        return None
    return PlanWarning(
        "ubatch-above-batch", f"a ubatch of {plan.ubatch_size} above the batch of {plan.batch_size} is cut down to it",
        f"--batch-size {plan.ubatch_size}, or a smaller --ubatch-size", ("ubatch_size", "batch_size"),
    )  # fmt: skip


def _further_options(around: Circumstances) -> PlanWarning | None:
    if not around.plan.extra:
        return None
    if consumer_of(around.plan.engine).name == SERVER:
        return PlanWarning(
            "extra-unknown", "what the further options need is not known, and not counted",
            "look at what it allocates once it is loaded", ("extra",),
        )  # fmt: skip
    return PlanWarning(
        "extra-ignored", "the further options are for llama-server: this engine ignores them",
        f"--engine {SERVER}, or leave --extra out", ("extra",),
    )  # fmt: skip


def _unused_projector(around: Circumstances) -> PlanWarning | None:
    if not around.plan.mmproj or consumer_of(around.plan.engine).name == SERVER:
        return None
    return PlanWarning(
        "projector-unused", "the built-in engine does not load the projector; it is counted as llama-server needs it",
        f"--engine {SERVER} uses it", ("mmproj",),
    )  # fmt: skip


RULES: tuple[Rule, ...] = (
    _plain_http, _lent_devices,
    _no_engine, _old_build, _known_hole, _quantised_v, _not_mapped, _lock_limit, _lock_free, _lock_repacked,
    _beyond_training, _many_threads, _many_prompt_threads, _ubatch_above_batch, _further_options, _unused_projector,
)  # fmt: skip
"""Gravest first."""
