"""Loss: what a variant loses against the whole model, by the best evidence: measured here, published, or none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qtui.core.advice.evidence import Evidence, Figure, Setting, Source
from qtui.core.advice.label import Label, label_of
from qtui.core.errors import QtuiError
from qtui.core.gguf.names import parse_name
from qtui.core.library.variant import Variant
from qtui.core.measure.bands import Band, band_of
from qtui.core.measure.quality import Quality
from qtui.core.measure.words import kld_text
from qtui.core.origin import Origin
from qtui.core.settings import Problem

KLD, SAME_TOP = "kl_divergence", "same_top_token"


BANDS = tuple(Band)
"""From the best to the worst."""


def worse(band: Band, steps: int) -> Band:
    """Return the band that is so many steps worse, the last one at most."""
    return BANDS[min(len(BANDS) - 1, BANDS.index(band) + steps)]


@dataclass(frozen=True, slots=True)
class Loss:
    """What a variant loses by the best that is known. None: unknown."""

    origin: Origin = Origin.UNKNOWN
    kl_divergence: float | None = None
    stderr: float | None = None
    same_top: float | None = None
    against: Setting | str = ""
    """Only losses of one `against` are compared with each other."""
    words: str = ""
    """On what it was measured."""
    source: Source | None = None
    note: str = ""
    """What it leaves open, or why nothing is known."""
    cited: tuple[Figure, ...] = ()
    """Figures that the note names; none of them is of this quant in a setting that could be compared."""
    reference: bool = False
    """What others here lose was measured against it; what it loses itself is known at most as it was published."""

    @property
    def band(self) -> Band | None:
        """Return what it means."""
        return None if self.kl_divergence is None else band_of(self.kl_divergence)

    @property
    def sentence(self) -> str:
        """Return it with what it was measured on: never more than that."""
        if self.kl_divergence is None and self.note == WHOLE:
            return WHOLE
        if self.kl_divergence is None or self.band is None:
            return f"how much it loses is not known: {self.note or NOTHING}"
        said = f"KL divergence {self.origin.sign}{kld_text(self.kl_divergence)}, {self.band.value}"
        note = f"; {self.note}" if self.note else ""
        if self.origin is Origin.MEASURED:
            return f"{said} ({self.words}{note})"
        others = "; others here were measured against it" if self.reference else ""
        return f"{said} (measured on {self.words}; not your model{note}){others}"

    @property
    def cell(self) -> str:
        """Return it as tables show it: with the sign of its origin, `–` for a whole model, `?` where it is unknown.

        What others were measured against is `ref`: its own figure, of another model, would not fit into their row.
        """
        if self.reference:
            return "ref"
        if self.kl_divergence is None:
            return "–" if self.note == WHOLE else "?"
        return self.origin.sign + kld_text(self.kl_divergence)

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
            "origin": self.origin.value, "band": self.band.value if self.band is not None else None,
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
Measured = Callable[[Sequence[Variant]], Awaitable[Mapping[Path, Quality]]]
"""Tells what was measured here of variants as their files are now, by path."""


async def nothing_measured(_variants: Sequence[Variant]) -> Mapping[Path, Quality]:
    """Tell that nothing was measured."""
    return {}


class Losses:
    """Tells what variants lose: what was measured here goes first, then what is published for their quants.

    Args:
        evidence: the published figures.
        measured: what was measured here.
    """

    def __init__(self, evidence: Evidence, measured: Measured = nothing_measured) -> None:
        self.evidence = evidence
        self._measured = measured
        self.problem = ""
        """Why what was measured here does not count; empty: it does."""
        settings = evidence.settings(KLD, charted=True)
        self.setting = settings[0] if settings else None
        """The one setting whose figures stand for variants: two would not be comparable."""

    async def of(self, variants: Sequence[Variant]) -> Mapping[Path, Loss]:
        """Return what each variant loses."""
        measured: Mapping[Path, Quality] = {}
        try:
            measured = await self._measured(variants)
        except QtuiError as error:
            self.problem = f"what was measured here cannot be read: {error.message}"
        references = {one.record.reference.path for one in measured.values() if one.record is not None}
        return {
            variant.path: _measured(found)
            if (found := measured.get(variant.path)) is not None and found.origin is Origin.MEASURED
            else _referred(self.published(variant), variant.file in references)
            for variant in variants
        }

    def published(self, variant: Variant) -> Loss:
        """Return what is published for a variant's quant."""
        label = label_of(variant.quant)
        if label.whole:
            return Loss(note=WHOLE)
        if pruned(variant):
            return Loss(note="experts were taken out of it (REAP): figures of whole models say nothing about it")
        imatrix = label.imatrix(told_imatrix(variant))
        found = self.evidence.find(label, imatrix, KLD, self.setting) if self.setting is not None else None
        if found is None:
            cited = tuple(figure for figure in self.evidence.of_quant(label.text) if KLD in figure.values)[:MOST_CITED]
            return Loss(note=_why_nothing(label, cited), cited=cited)
        figure = found.figure
        return Loss(
            Origin.PUBLISHED, figure.values[KLD], figure.values.get(f"{KLD}_stderr"), figure.values.get(SAME_TOP),
            figure.setting, figure.setting.words, figure.source, found.note,
        )  # fmt: skip


ReadLosses = Callable[[], tuple[Losses, Sequence[Problem]]]
"""Reads the published figures; blocks."""


def told_imatrix(variant: Variant) -> bool | None:
    """Return what a variant's header and name tell of an importance matrix; None: nothing."""
    return variant.imatrix or parse_name(variant.address or variant.path.name, variant.repository).imatrix


def pruned(variant: Variant) -> bool:
    """Tell whether a name says that experts were taken out of the model (REAP)."""
    words = f"{variant.model} {variant.address or variant.path.name}".upper()
    return "REAP" in words.replace("_", "-").replace(" ", "-").replace("/", "-").replace(".", "-").split("-")


def _referred(loss: Loss, reference: bool) -> Loss:
    """Return what is published for a file that others were measured against, marked as such."""
    return replace(loss, reference=True) if reference and loss.kl_divergence is not None else loss


def _measured(found: Quality) -> Loss:
    return Loss(Origin.MEASURED, found.kld, found.stderr, found.same_top, found.ground, found.source)


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
