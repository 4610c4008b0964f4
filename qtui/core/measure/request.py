"""What is to be measured, and what of it makes no sense."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from qtui.core.demo import DEMO_MODEL
from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant
from qtui.core.measure.base_file import scored
from qtui.core.measure.ports import TextFile
from qtui.core.memory.footprint import Pools
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import count

DEFAULT_CONTEXT = 512
"""llama-perplexity's; numbers of another size are not comparable."""
MIXED_TEXT, DEMO_TEXT = "mixed", "demo"
LEAST_CONTEXT, MOST_CONTEXT = 64, 1 << 18
WHOLE = ("F32", "BF16", "F16")
"""Labels of files that are not quantised."""
SEVERAL = 1.25
"""Parameters of two models that are the same may differ by as much (vocabularies padded, layers left out)."""
_WORKING = 8 << 20
"""Bytes of one array that a thread compares with."""


@dataclass(frozen=True, slots=True)
class MeasureRequest:
    """Variants of one model, measured against one of them or against logits that were stored before."""

    variants: tuple[Variant, ...]
    text: TextFile | None
    """None: stored logits hold their tokens."""
    reference: Variant | None = None
    logits: str = ""
    """A file of logits to measure against, instead of a reference."""
    save: str = ""
    """Where to write the reference's logits, and leave them."""
    plan: LoadPlan = LoadPlan()
    n_ctx: int = DEFAULT_CONTEXT
    chunks: int = 0
    """At most; 0: the whole text."""
    force: bool = False
    """Past the guard, and past the doubt whether they are of one model."""
    fresh: bool = False
    """Do not go on where an earlier run of the same was ended."""

    def check(self) -> None:
        """Refuse what cannot be measured.

        Raises:
            UsageError: says what.
        """
        if not self.variants:
            raise UsageError("there is nothing to measure", "name one or more variants")
        if (self.reference is None) == (not self.logits):
            raise UsageError("measure against a reference, or against stored logits", "give one of the two")
        if self.reference is not None and self.text is None:
            raise UsageError("there is no text to measure on", "give one with --text")
        if not LEAST_CONTEXT <= self.n_ctx <= MOST_CONTEXT:
            raise UsageError(f"--ctx-size {self.n_ctx} is out of range", f"from {LEAST_CONTEXT} to {MOST_CONTEXT}")
        first = self.reference or self.variants[0]
        for variant in (first, *self.variants):
            if not variant.loadable:
                raise UsageError(f"{variant.title} cannot be loaded: {variant.problem or variant.role.value}")
            if not self.force:
                check_same_model(first, variant, "; --force measures all the same")

    def measured_plan(self, n_ctx: int) -> LoadPlan:
        """Return how each variant is loaded."""
        return measured_plan(self.plan, n_ctx)

    def key(self, reference: str, chunks: int, build: str) -> str:
        """Return what tells this measurement from others, whichever variants it is of.

        Args:
            reference: the hash of the reference, or the identity of its stored logits.
            chunks: how many are measured.
            build: llama.cpp's.
        """
        plan = self.plan
        told: list[Any] = [
            1, reference, self.text.sha256 if self.text else "", self.n_ctx, chunks, build, plan.cache_type_k,
            plan.cache_type_v, plan.flash_attn.value, plan.ubatch_size, plan.lora, self.save,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


def measured_plan(plan: LoadPlan, n_ctx: int) -> LoadPlan:
    """Return how a plan loads for measuring: room for one chunk, computed as many tokens at once as `--ubatch-size`.

    A larger batch would not compute faster: it only keeps more rows of logits at once.
    """
    batch = min(plan.ubatch_size, n_ctx)
    return replace(plan, ctx_size=n_ctx, parallel=1, batch_size=batch, ubatch_size=batch)


def logits_memory(plan: LoadPlan, n_vocab: int, threads: int, first: int | None = None) -> Pools:
    """Return what measuring holds beyond a session: rows of logits, as computed, as handed over, as compared.

    `first` is the place of the first row in a chunk, by default its middle.
    """
    rows = min(plan.ubatch_size, plan.ctx_size) + min(plan.batch_size, scored(plan.ctx_size, first))
    return Pools(ram_anonymous=4 * rows * n_vocab + 6 * _WORKING * max(1, threads))


def same_model(one: Variant, other: Variant) -> bool:
    """Tell whether two may be variants of one model, by architecture and parameters as far as they are known."""
    if one.architecture and other.architecture and one.architecture != other.architecture:
        return False
    if not one.parameters or not other.parameters:
        return True
    return max(one.parameters, other.parameters) <= SEVERAL * min(one.parameters, other.parameters)


def check_same_model(first: Variant, variant: Variant, way_out: str = "") -> None:
    """Refuse what is not of the same model as the first.

    Raises:
        UsageError: says of what each is; `way_out` ends the hint.
    """
    if not same_model(first, variant):
        raise UsageError(
            f"{variant.title} and {first.title} are not variants of one model: {_is(variant)} and {_is(first)}",
            f"a reference must be of the same model{way_out}",
        )


def is_whole(variant: Variant) -> bool:
    """Tell whether a variant is not quantised, by its label."""
    return variant.quant.upper() in WHOLE


def best_reference(variants: Sequence[Variant]) -> Variant | None:
    """Return the variant that others are best measured against: one that is not quantised, else the largest."""
    able = [variant for variant in variants if variant.loadable]
    return max(able, key=lambda one: (is_whole(one), one.size), default=None)


def default_text(variant: Variant) -> str:
    """Return the name of the text that suits a model: the demo model knows sentences of its own kind only."""
    return DEMO_TEXT if variant.model == DEMO_MODEL else MIXED_TEXT


def _is(variant: Variant) -> str:
    return f"{variant.architecture or '?'} of {count(variant.parameters)} parameters"
