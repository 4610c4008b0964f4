"""What the history keeps of a measurement: whose, against what, on which text, by which build, and the numbers."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from qtui.core.library.variant import Variant
from qtui.core.measure.bands import Band, band_of
from qtui.core.measure.scores import Scores


@dataclass(frozen=True, slots=True)
class MeasuredFile:
    """A file as it was when it was measured."""

    path: str
    """Empty: only its logits were there."""
    model: str
    quant: str
    size: int
    """Bytes."""
    hash: str
    """`sha256:…` of the file, `partial:…` of its size and ends where it is large; empty: not known."""
    bits_per_weight: float | None = None

    @staticmethod
    def of(variant: Variant, digest: str) -> MeasuredFile:
        """Return a variant as it is now."""
        return MeasuredFile(variant.file, variant.model, variant.quant, variant.size, digest, variant.bits_per_weight)

    @property
    def title(self) -> str:
        """Return `model quant`."""
        return f"{self.model} {self.quant}"

    def as_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return {
            "file": self.path or None, "model": self.model, "quant": self.quant, "size": self.size,
            "hash": self.hash or None, "bits_per_weight": self.bits_per_weight,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class MeasuredText:
    """The text that was measured on."""

    name: str
    sha256: str
    tokens: int
    """Of the whole text; 0: not known."""

    def as_json(self) -> dict[str, Any]:
        """Return `{"name", "sha256", "tokens"}`."""
        return {"name": self.name, "sha256": self.sha256 or None, "tokens": self.tokens or None}


@dataclass(frozen=True, slots=True)
class MeasureRecord:
    """One variant measured against a reference."""

    id: str
    time: float
    """When it ended, seconds since the epoch."""
    subject: MeasuredFile
    reference: MeasuredFile
    text: MeasuredText
    n_ctx: int
    """Tokens of a chunk, of which the second half is scored."""
    chunks: int
    engine: str
    build: str
    """Of llama.cpp."""
    scores: Scores
    rate: float | None = None
    """Tokens per second at which the text was computed."""
    peak: int | None = None
    """Bytes resident at most."""
    complete: bool = True
    """False: stopped before the last chunk that was asked for."""

    @property
    def ground(self) -> str:
        """Return what numbers must share to be compared: reference, the part of the text, build of llama.cpp."""
        reference = self.reference.hash or self.reference.path
        return f"{reference} {self.text.sha256} {self.chunks} x {self.n_ctx} {self.build}"

    @property
    def band(self) -> Band | None:
        """Return how far it is from the reference; None without a divergence."""
        divergence = self.scores.kl_divergence
        return band_of(divergence.mean) if divergence else None

    @property
    def method(self) -> str:
        """Return what the numbers were measured with, as words."""
        part = "" if self.complete else ", stopped early"
        return f"against {self.reference.quant}, text {self.text.name}, {self.chunks} x {self.n_ctx} tokens{part}"

    def as_json(self) -> dict[str, Any]:
        """Return one of `measurements[]`."""
        return {
            "id": self.id, "time": self.time, **self.subject.as_json(), "reference": self.reference.as_json(),
            "text": self.text.as_json(), "n_ctx": self.n_ctx, "chunks": self.chunks, "complete": self.complete,
            "engine": self.engine, "build": self.build, **self.scores.as_json(),
            "band": self.band.value if self.band else None, "rate": self.rate, "peak_rss": self.peak,
        }  # fmt: skip


def record_id(key: str, name: str) -> str:
    """Return the id of a measurement: the same, measured again, takes the place of the older one."""
    return hashlib.sha256(f"{key} {name}".encode()).hexdigest()[:32]
