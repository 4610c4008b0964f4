"""Made-up chunks and records for tests."""

from __future__ import annotations

from dataclasses import replace

from qtui.core.measure.records import MeasuredFile, MeasuredText, MeasureRecord
from qtui.core.measure.scores import ChunkScores, Divergence, Scores, Uncertain

TEXT = MeasuredText("mixed", "ab" * 32, 9000)
F16 = MeasuredFile("/m/Tiny-F16.gguf", "Tiny", "F16", 800, "sha256:f16", 16.0)
Q4 = MeasuredFile("/m/Tiny-Q4_K_M.gguf", "Tiny", "Q4_K_M", 300, "sha256:q4", 4.9)
SCORES = Scores(
    2040, Uncertain(12.5, 0.4), Uncertain(12.0, 0.4), Uncertain(0.04, 0.002),
    Divergence(0.031, 0.001, 0.02, 0.2, 0.4, 0.9), Uncertain(0.93, 0.006), Uncertain(0.04, 0.001),
)  # fmt: skip


def record_of(subject: MeasuredFile = Q4, kld: float = 0.031, **fields: object) -> MeasureRecord:
    """Return a record; `fields` are further fields of it."""
    divergence = replace(SCORES.kl_divergence, mean=kld)  # type: ignore[type-var]
    plain = MeasureRecord(
        "m1", 1.0, subject, F16, TEXT, 512, 8, "built-in", "0.5.0", replace(SCORES, kl_divergence=divergence),
        900.0, 1 << 28,
    )  # fmt: skip
    return replace(plain, **fields)  # type: ignore[arg-type]


def chunk_of(nlls: list[float], bases: list[float], klds: list[float], same: int, seconds: float = 0.5) -> ChunkScores:
    """Return the sums over some tokens."""
    pairs = list(zip(nlls, bases, strict=True))
    return ChunkScores(
        len(nlls), sum(nlls), sum(x * x for x in nlls), seconds, sum(bases), sum(x * x for x in bases),
        sum(a * b for a, b in pairs), sum(klds), sum(x * x for x in klds), 0.01 * len(nlls), 0.0002 * len(nlls), same,
        tuple(klds),
    )  # fmt: skip
