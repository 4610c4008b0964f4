"""Speed, predicted: what one token reads, and how fast this machine reads it.

Generating reads every weight that takes part once per token, and the cache as far as it is filled. How fast that goes
is measured per kind of tensor, with llama.cpp's own kernels and the plan's threads: on few cores a kernel that has to
unpack its weights is slower than the memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qtui.core import text
from qtui.core.gguf import types
from qtui.core.gguf.types import TYPE_IDS
from qtui.core.memory.closed_form.backends import Devices
from qtui.core.memory.closed_form.context import CELLS, cells
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.closed_form.placement import Placement, placement
from qtui.core.memory.closed_form.table import ModelTable, Place, Row
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin

CPU = -1
STEPS_PER_LAYER = 18
"""Operations that wait for all threads: two norms, seven products, rotations, the cache, attention, sums."""
STEPS_PER_EXPERT_LAYER = 10
"""What choosing and adding up experts takes besides."""


@dataclass(frozen=True, slots=True)
class MatrixKernel:
    """A product of a matrix with one vector."""

    device: int
    """Index of the card, CPU for the processor."""
    type_id: int
    repacked: bool

    @property
    def key(self) -> str:
        """Return its name in a cache."""
        return f"{self.device}:{types.tensor_type(self.type_id).name}{':repacked' if self.repacked else ''}"


@dataclass(frozen=True, slots=True)
class AttentionKernel:
    """Flash attention of one new token over a cache."""

    device: int
    type_k: str
    type_v: str
    head_k: int
    head_v: int
    heads: int
    heads_kv: int

    @property
    def key(self) -> str:
        """Return its name in a cache."""
        shape = f"{self.head_k}:{self.head_v}:{self.heads}:{self.heads_kv}"
        return f"{self.device}:attention:{self.type_k}:{self.type_v}:{shape}"


Kernel = MatrixKernel | AttentionKernel


@dataclass(frozen=True, slots=True)
class TokenWork:
    """What generating one token reads."""

    reads: tuple[tuple[Kernel, int], ...]
    """(kernel, bytes)."""
    steps: int
    """Operations that all threads wait for."""

    @property
    def bytes(self) -> int:
        """Return all that is read."""
        return sum(size for _, size in self.reads)

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """Return what must be measured."""
        return tuple(kernel for kernel, _ in self.reads)


@dataclass(frozen=True, slots=True)
class ReadRates:
    """How fast this machine reads, as measured."""

    kernels: Mapping[str, float]
    """Bytes per second by kernel."""
    step: float
    """Seconds that one operation takes at least, with the plan's threads."""
    busy: bool = False
    """Other programs computed at the same time, so that this is less than the machine can do."""


@dataclass(frozen=True, slots=True)
class Speed:
    """A generation rate and where it comes from."""

    rate: float | None
    """Tokens per second."""
    origin: Origin
    depth: int = 0
    """Tokens in the context, for which a computed rate holds."""
    bytes_per_token: int | None = None
    note: str = ""

    @property
    def sentence(self) -> str:
        """Return `~19.3 t/s computed, after 256 tokens; each reads 603 MiB`, or why it is not known."""
        if self.rate is None:
            return f"? {self.note}".rstrip()
        said = f"{self.origin.sign}{text.rate(self.rate)} t/s {self.origin.value}"
        if self.bytes_per_token is not None:
            said += f", after {self.depth} tokens; each reads {text.size(self.bytes_per_token)}"
        return f"{said}; {self.note}" if self.note else said

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `speed`."""
        return {
            "generation_rate": self.rate, "origin": self.origin.value, "depth": self.depth,
            "bytes_per_token": self.bytes_per_token, "note": self.note,
        }  # fmt: skip


def token_work(table: ModelTable, plan: LoadPlan, devices: Devices, depth: int) -> TokenWork | None:
    """Return what one token reads with `depth` tokens in the context; None where the header does not tell.

    Of experts only those that are chosen are read, of the token embedding one row unless it serves as output too.
    """
    hyper = table.hyper
    if hyper is None:
        return None
    where = placement(plan, table.layers, devices.cards)
    rules = {} if devices.cards and devices.cards[0].backend.pinned else dict(devices.repack)
    sizes: dict[Kernel, int] = defaultdict(int)
    expert_layers: set[int] = set()
    for row in table.rows:
        if row.place is Place.INPUT or (row.place is Place.BLOCK and row.layer >= hyper.blocks):
            continue
        size = row.size
        if _is_experts(row):
            expert_layers.add(row.layer)
            size = _chosen(row, hyper)
        sizes[_kernel(row, where.of(row), rules)] += size
    if table.tied is not None:
        sizes[_kernel(table.tied, where.output, rules)] += table.tied.size
    for kernel, size in _cache(hyper, plan, where, depth).items():
        sizes[kernel] += size
    steps = STEPS_PER_LAYER * hyper.blocks + STEPS_PER_EXPERT_LAYER * len(expert_layers)
    return TokenWork(tuple((kernel, size) for kernel, size in sizes.items() if size), steps)


def token_seconds(work: TokenWork, rates: ReadRates, *, missing: int = 0, disk: float | None = None) -> float | None:
    """Return the time of one token: devices compute one after another. None where a kernel was not measured.

    `missing` bytes of mapped weights that find no room in RAM are read from the disk at `disk` bytes per second.
    """
    total = work.steps * rates.step
    for kernel, size in work.reads:
        rate = rates.kernels.get(kernel.key)
        if not rate:
            return None
        total += size / rate
    if missing > 0:
        if not disk:
            return None
        total += min(missing, work.bytes) / disk
    return total


def _kernel(row: Row, card: int | None, rules: Mapping[int, int]) -> MatrixKernel:
    divisor = rules.get(row.type_id)
    repacked = card is None and row.matrix and bool(divisor) and row.rows % (divisor or 1) == 0
    return MatrixKernel(CPU if card is None else card, row.type_id, repacked)


def _is_experts(row: Row) -> bool:
    return "_exps." in row.name or "_chexps." in row.name


def _chosen(row: Row, hyper: Hyper) -> int:
    """Return the bytes of the experts that one token chooses."""
    one = types.nbytes(row.type_id, (row.row, row.rows)) or row.size
    return min(row.size, one * hyper.experts_used) if hyper.experts_used else row.size


def _cache(hyper: Hyper, plan: LoadPlan, where: Placement, depth: int) -> dict[Kernel, int]:
    """Return what is read of K and V, and twice (read and written) what a recurrent state holds."""
    cut = cells(hyper, plan, unified=True)
    type_k, type_v = (TYPE_IDS[name.upper()] for name in (plan.cache_type_k, plan.cache_type_v))
    found: dict[Kernel, int] = defaultdict(int)
    for layer in range(hyper.blocks):
        card = None if plan.no_kv_offload else where.blocks[layer]
        device = CPU if card is None else card
        if hyper.kinds.attention[layer] and hyper.heads_kv[layer]:
            sliding = hyper.window.sliding[layer]
            filled = -(-(depth + 1) // CELLS) * CELLS  # llama.cpp looks at whole blocks of the cache
            tokens = min(filled, cut.sliding if sliding else cut.per_sequence)
            width_k, width_v = hyper.widths(layer)
            row = (types.row_size(type_k, width_k) or 0) + (types.row_size(type_v, width_v) or 0)
            heads = hyper.heads_kv[layer]
            kernel = AttentionKernel(
                device, plan.cache_type_k, plan.cache_type_v, width_k // heads, width_v // heads, hyper.heads[layer],
                heads,
            )  # fmt: skip
            found[kernel] += tokens * row
        if hyper.kinds.recurrent[layer]:
            found[MatrixKernel(device, TYPE_IDS["F32"], False)] += 2 * 4 * (hyper.state_r + hyper.state_s)
    return found
