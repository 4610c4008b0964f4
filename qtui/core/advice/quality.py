"""Quality: how far a variant's answers are from those of the whole model; measured here, published, or unknown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from qtui.core.advice.evidence import Evidence, Figure, Setting, Source
from qtui.core.advice.label import Label, label_of
from qtui.core.gguf.names import parse_name
from qtui.core.library.variant import Variant
from qtui.core.origin import Origin

KLD, SAME_TOP = "kl_divergence", "same_top_token"
LEAST_TOP = 0.97
"""From this share of equal likeliest tokens on, a variant is as the reference."""


class Band(IntEnum):
    """What a KL divergence means, roughly: a convention of this program, fitted to what llama.cpp published."""

    REFERENCE = 0
    NEAR_LOSSLESS = 1
    GOOD = 2
    VISIBLE = 3
    STRONG = 4
    LAST = 5

    @property
    def words(self) -> str:
        """Return it as a sentence has it."""
        return _WORDS[self]

    @property
    def below(self) -> float | None:
        """Return the KL divergence below which it holds; None: it has no upper end."""
        return LIMITS[self] if self < len(LIMITS) else None


LIMITS = (0.003, 0.015, 0.05, 0.12, 0.35)
_WORDS = {
    Band.REFERENCE: "as the reference", Band.NEAR_LOSSLESS: "near-lossless", Band.GOOD: "good",
    Band.VISIBLE: "a visible loss", Band.STRONG: "a strong loss", Band.LAST: "only if nothing else fits",
}  # fmt: skip


def band_of(kl_divergence: float, same_top: float | None = None) -> Band:
    """Return the band of a KL divergence; equal likeliest tokens in 97 % of all places count as the reference."""
    if same_top is not None and same_top >= LEAST_TOP:
        return Band.REFERENCE
    return next((Band(at) for at, limit in enumerate(LIMITS) if kl_divergence < limit), Band.LAST)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured of a variant on this machine."""

    kl_divergence: float
    stderr: float | None
    same_top: float | None
    against: str
    """What tells one series of measurements from another: reference, text, context, chunks. Others are not compared."""
    words: str
    """The same for readers: `against F16 on qtui's text, context 512`."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good a variant is by the best that is known. None: unknown."""

    origin: Origin = Origin.UNKNOWN
    kl_divergence: float | None = None
    stderr: float | None = None
    same_top: float | None = None
    against: Setting | str = ""
    """Only qualities of one `against` are compared with each other."""
    words: str = ""
    """On what it was measured."""
    source: Source | None = None
    note: str = ""
    """What it leaves open, or why nothing is known."""
    cited: tuple[Figure, ...] = ()
    """Figures that the note names; none of them is of this quant in a setting that could be compared."""

    @property
    def band(self) -> Band | None:
        """Return what it means."""
        return None if self.kl_divergence is None else band_of(self.kl_divergence, self.same_top)

    @property
    def sentence(self) -> str:
        """Return it with what it was measured on: never more than that."""
        if self.kl_divergence is None and self.note == WHOLE:
            return WHOLE
        if self.kl_divergence is None or self.band is None:
            return f"how much it loses is not known: {self.note or NOTHING}"
        said = f"KL divergence {self.origin.sign}{kld_text(self.kl_divergence)}, {self.band.words}"
        note = f"; {self.note}" if self.note else ""
        if self.origin is Origin.MEASURED:
            return f"{said} (measured here {self.words}{note})"
        return f"{said} (measured on {self.words}; not your model{note})"

    @property
    def brief(self) -> str:
        """Return the sentence without text and context, which stand with the source."""
        model = self.against.model if isinstance(self.against, Setting) else ""
        return self.sentence.replace(self.words, model) if model and self.words else self.sentence

    def as_json(self) -> dict[str, Any]:
        """Return the shape of `quality`."""
        source = self.source
        return {
            "kl_divergence": self.kl_divergence, "stderr": self.stderr, "same_top_token": self.same_top,
            "origin": self.origin.value, "band": self.band.words if self.band is not None else None,
            "measured_on": self.words or None,
            "source": None if source is None else {
                "id": source.id, "title": source.title, "url": source.url or None, "licence": source.licence,
                "date": source.date or None,
            },
            "note": self.note,
        }  # fmt: skip


MOST_CITED = 2
WHOLE = "it is the whole model, with which others are compared"
NOTHING = "nothing is measured here, and nothing is published for such a file"
Measured = Callable[[Sequence[Variant]], Awaitable[Mapping[Path, Measurement]]]
"""Tells what was measured here of variants as their files are now, by path."""


async def nothing_measured(_variants: Sequence[Variant]) -> Mapping[Path, Measurement]:
    """Tell that nothing was measured."""
    return {}


def kld_text(value: float) -> str:
    """Return a KL divergence with as many digits as it deserves."""
    return f"{value:.4f}" if value < 0.01 else f"{value:.3f}" if value < 1 else f"{value:.2f}"


class Qualities:
    """Tells the quality of variants: what was measured here goes first, then what is published for their quants.

    Args:
        evidence: the published figures.
        measured: what was measured here.
    """

    def __init__(self, evidence: Evidence, measured: Measured = nothing_measured) -> None:
        self.evidence = evidence
        self._measured = measured
        settings = evidence.settings(KLD, charted=True)
        self.setting = settings[0] if settings else None
        """The one setting whose figures stand for variants: two would not be comparable."""

    async def of(
        self, variants: Sequence[Variant], imatrix: Callable[[Variant], bool | None] = lambda _variant: None
    ) -> Mapping[Path, Quality]:
        """Return the quality of each variant; `imatrix` tells what headers note of a matrix."""
        measured = await self._measured(variants)
        return {
            variant.path: _measured_quality(measured[variant.path])
            if variant.path in measured else self.published(variant, imatrix(variant))
            for variant in variants
        }  # fmt: skip

    def published(self, variant: Variant, noted: bool | None = None) -> Quality:
        """Return what is published for a variant's quant. `noted`: whether its header notes an importance matrix."""
        label = label_of(variant.quant)
        if label.whole:
            return Quality(note=WHOLE)
        if pruned(variant):
            return Quality(note="experts were taken out of it (REAP): figures of whole models say nothing about it")
        told = noted if noted is not None else named_imatrix(variant)
        imatrix = label.imatrix(told)
        found = self.evidence.find(label, imatrix, KLD, self.setting) if self.setting is not None else None
        if found is None:
            cited = tuple(figure for figure in self.evidence.of_quant(label.text) if KLD in figure.values)[:MOST_CITED]
            return Quality(note=_why_nothing(label, cited), cited=cited)
        figure = found.figure
        return Quality(
            Origin.PUBLISHED, figure.values[KLD], figure.values.get(f"{KLD}_stderr"), figure.values.get(SAME_TOP),
            figure.setting, figure.setting.words, figure.source, found.note,
        )  # fmt: skip


def named_imatrix(variant: Variant) -> bool | None:
    """Return what a variant's name tells of an importance matrix."""
    return parse_name(variant.address or variant.path.name, variant.repository).imatrix


def pruned(variant: Variant) -> bool:
    """Tell whether a name says that experts were taken out of the model (REAP)."""
    words = f"{variant.model} {variant.address or variant.path.name}".upper()
    return "REAP" in words.replace("_", "-").replace(" ", "-").replace("/", "-").replace(".", "-").split("-")


def _measured_quality(found: Measurement) -> Quality:
    return Quality(
        Origin.MEASURED, found.kl_divergence, found.stderr, found.same_top, found.against, found.words
    )  # fmt: skip


def _why_nothing(label: Label, cited: Sequence[Figure]) -> str:
    """Return why nothing is known of a quant, with what comes nearest."""
    if cited:
        had = (
            f"{kld_text(figure.values[KLD])} on {figure.setting.model}{f' ({figure.recipe})' if figure.recipe else ''}"
            for figure in cited
        )
        return f"other files of this name had {' and '.join(had)}, measured each in its own way"
    if label.beside:
        return f"{label.text} is {label.beside} with more bits for some tensors, and nothing is published for it"
    if label.mark == "UD-":
        return "UD- marks a publisher's own mix, and nothing is published for this one"
    return NOTHING if label.text != "?" else "its name and header do not tell what kind of quant it is"
