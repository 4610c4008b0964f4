"""Actual: what the operating system and the driver say of a session, beside what was said before it was loaded.

llama.cpp's own account is a third thing: it tells what was allocated, not what is resident.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qtui.core.memory.footprint import Footprint, Pools
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.text import GIB, gib

Buffers = Sequence[tuple[str, int, int, int]]
"""llama.cpp's own (buffer type, weights, context, compute) bytes, as Loaded tells them."""
_CARD = re.compile(r"(?:CUDA|ROCm|MUSA|Vulkan|SYCL|MTL|Metal|RPC|GPUOpenCL)(\d+)")


@dataclass(frozen=True, slots=True)
class Actual:
    """What one process holds, in bytes; None where the system cannot tell."""

    anonymous: int | None = None
    """Resident pages that no file stands behind, shared memory too."""
    model_pages: int | None = None
    """Resident pages of the model's files."""
    other_files: int | None = None
    """Resident pages of other files: the libraries and the interpreter."""
    swapped: int | None = None
    locked: int | None = None
    vram: tuple[int | None, ...] = ()
    """Per card of the driver, in its order."""
    cards: tuple[str, ...] = ()
    """The cards' names."""
    full_prompt: bool = False
    """A whole ubatch has been read, so that the compute buffer is in use: before that less is resident than planned."""

    @property
    def pools(self) -> tuple[tuple[str, int | None], ...]:
        """Return (pool, bytes) as a footprint counts them: libraries belong to the process, which is anonymous there.

        Swapped pages are held as well.
        """
        own: int | None = None
        if self.anonymous is not None and self.other_files is not None:
            own = self.anonymous + self.other_files + (self.swapped or 0)
        cards = ((f"vram{index}", held) for index, held in enumerate(self.vram))
        return (("ram_anonymous", own), ("ram_file_backed", self.model_pages), *cards)

    def as_json(self) -> dict[str, Any]:
        """Return every field."""
        return {
            "anonymous": self.anonymous, "model_pages": self.model_pages, "other_files": self.other_files,
            "swapped": self.swapped, "locked": self.locked, "vram": list(self.vram), "cards": list(self.cards),
            "full_prompt": self.full_prompt,
        }  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Actual:
        """Read what `as_json` wrote."""
        return Actual(
            anonymous=data.get("anonymous"), model_pages=data.get("model_pages"), other_files=data.get("other_files"),
            swapped=data.get("swapped"), locked=data.get("locked"), vram=tuple(data.get("vram", ())),
            cards=tuple(data.get("cards", ())), full_prompt=bool(data.get("full_prompt")),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimate:
    """What was said before a load, as far as it is compared with what came."""

    pools: Pools
    """What must stay resident."""
    reclaimable: int
    """What stays resident besides, until the kernel needs the room."""
    origin: Origin
    context: int | None = None
    """The part of the pools that is context, which a smaller context would save; not kept in the history."""

    @staticmethod
    def of(footprint: Footprint) -> Estimate:
        """Take from a footprint what can be compared."""
        context = footprint.kind_bytes("context")
        return Estimate(footprint.pools, footprint.reclaimable, footprint.origin, context)

    @property
    def resident(self) -> Pools:
        """Return what is expected to be resident, page for page: more than is needed where pages may be dropped."""
        pools = self.pools
        return Pools(pools.ram_anonymous, pools.ram_file_backed + self.reclaimable, pools.vram)

    def as_json(self) -> dict[str, Any]:
        """Return the pools, what is reclaimable, and the origin."""
        return {"pools": self.pools.as_json(), "reclaimable": self.reclaimable, "origin": self.origin.value}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Estimate:
        """Read what `as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        pools = data["pools"]
        held = Pools(int(pools["ram_anonymous"]), int(pools["ram_file_backed"]), tuple(pools["vram"]))
        return Estimate(held, int(data["reclaimable"]), Origin(data["origin"]))


@dataclass(frozen=True, slots=True)
class Difference:
    """One pool, or `total`: what was expected to be resident, and what is."""

    pool: str
    estimate: int
    actual: int | None

    @property
    def percent(self) -> float | None:
        """Return how far the actual is above the estimate, None where either is not there."""
        if self.actual is None or not self.estimate:
            return None
        return 100 * (self.actual / self.estimate - 1)

    def as_json(self) -> dict[str, Any]:
        """Return the pool with both sizes and the percentage."""
        return {"pool": self.pool, "estimate": self.estimate, "actual": self.actual, "percent": self.percent}


def differences(estimate: Estimate, actual: Actual) -> tuple[Difference, ...]:
    """Compare pool by pool, then the total; the cards that count are those of the estimate."""
    expected = estimate.resident
    held = dict(actual.pools)
    sizes = [("ram_anonymous", expected.ram_anonymous), ("ram_file_backed", expected.ram_file_backed)]
    sizes += [(f"vram{index}", size) for index, size in enumerate(expected.vram)]
    rows = [Difference(pool, size, held.get(pool)) for pool, size in sizes]
    known = [row.actual for row in rows if row.actual is not None]
    total = sum(known) if len(known) == len(rows) else None
    return (*rows, Difference("total", expected.total, total))


def comparison(estimate: Estimate | None, actual: Actual | None) -> str:
    """Return `est 6.11 · actual 6.14 (+0.5 %)` in GiB; the difference is claimed only after a full prompt."""
    if estimate is None:
        return "est ?"
    total = differences(estimate, actual or Actual())[-1]
    digits = 2 if max(total.estimate, total.actual or 0) >= GIB else 4
    said = f"est {estimate.origin.sign}{gib(total.estimate, digits)}"
    if actual is None:
        return said
    text = f"{said} · actual {gib(total.actual, digits)}"
    if total.percent is None:
        return text
    return f"{text} ({total.percent:+.1f} %)" if actual.full_prompt else f"{text} (no full prompt yet)"


def reads_full_prompt(plan: LoadPlan, read_tokens: int) -> bool:
    """Tell whether a prompt of which so many tokens were computed fills a ubatch."""
    return read_tokens >= min(plan.ubatch_size, plan.batch_size)


def card_buffers(buffers: Buffers) -> tuple[int, ...]:
    """Return the bytes that llama.cpp allocated on each card, by the number in its name (`CUDA0`)."""
    sizes: dict[int, int] = {}
    for name, *parts in buffers:
        if found := _CARD.match(name):
            sizes[int(found[1])] = sizes.get(int(found[1]), 0) + sum(parts)
    return tuple(sizes.get(index, 0) for index in range(max(sizes, default=-1) + 1))
