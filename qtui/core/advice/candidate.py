"""Candidate: a variant with all that is known of it when one is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from qtui.core.advice.label import Label, label_of
from qtui.core.advice.loss import Loss, pruned, told_imatrix
from qtui.core.gguf.facts import Facts
from qtui.core.gguf.names import quant_note
from qtui.core.library.variant import Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit
from qtui.core.origin import Origin

NATIVE_MXFP4 = ("gpt-oss",)
"""Architectures whose models were trained in MXFP4."""
SHARE = 0.25
"""Of the weights, from which on a type is one of those that a file is made of."""
LOADS = (Fit.FITS, Fit.TIGHT, Fit.PARTIAL, Fit.FROM_DISK)
"""Verdicts under which something runs, the best first."""


@dataclass(frozen=True)
class Candidate:
    """One variant under the plan that is asked about. None: unknown."""

    variant: Variant
    weighing: Weighing
    facts: Facts | None = None
    quality: Loss = field(default_factory=Loss)
    speed: Speed = field(default_factory=lambda: Speed(None, Origin.UNKNOWN))
    largest_context: int | None = None
    """At which it would fit, all else as planned; searched only where it does not fit. 0: at none."""

    @cached_property
    def label(self) -> Label:
        """Return its quant's name, taken apart."""
        return label_of(self.variant.quant)

    @property
    def fit(self) -> Fit:
        """Return the verdict."""
        return self.weighing.verdict.fit

    @property
    def needs(self) -> int | None:
        """Return what must stay resident, in bytes."""
        footprint = self.weighing.footprint
        return footprint.total if footprint is not None else None

    @property
    def short_by(self) -> int:
        """Return how many bytes are missing."""
        return self.weighing.verdict.short_by

    @property
    def bits(self) -> float | None:
        """Return the real bits per weight of the file."""
        own = self.facts.bits_per_weight if self.facts is not None else None
        return own if own is not None else self.variant.bits_per_weight

    @property
    def parameters(self) -> int | None:
        """Return how many weights the model has."""
        return (self.facts.parameters if self.facts is not None else 0) or self.variant.parameters

    @cached_property
    def imatrix(self) -> bool | None:
        """Return whether it was made with an importance matrix."""
        return self.label.imatrix(told_imatrix(self.variant))

    @cached_property
    def shares(self) -> Mapping[str, float]:
        """Return the share of the weights that each tensor type has; empty: the header was not read."""
        rows = [row for row in self.facts.mix if row.name != "F32"] if self.facts is not None else []
        total = sum(row.elements for row in rows)
        return {row.name: row.elements / total for row in rows} if total else {}

    @property
    def mixture(self) -> bool | None:
        """Tell whether it is a mixture of experts; None: its header was not read."""
        return None if self.facts is None else self.facts.experts is not None

    @property
    def native(self) -> bool:
        """Tell whether the model was trained in MXFP4."""
        return self.variant.architecture.startswith(NATIVE_MXFP4)

    @property
    def mxfp4(self) -> bool:
        """Tell whether much of it is MXFP4, by its header, else by its name."""
        return self.shares.get("MXFP4", 0.0) >= SHARE if self.shares else "MXFP4" in self.label.base

    @property
    def pruned(self) -> bool:
        """Tell whether experts were taken out of the model."""
        return pruned(self.variant)

    @property
    def unreadable(self) -> str:
        """Return why llama.cpp does not load such a file; empty: it does."""
        return quant_note(self.variant.quant)

    @property
    def on_cpu(self) -> bool:
        """Tell whether the processor computes it."""
        footprint = self.weighing.footprint
        return self.weighing.plan.n_gpu_layers == 0 or (footprint is not None and not any(footprint.pools.vram))
