"""Rows of logits turned into what is stored of a reference, and compared with it, as llama-perplexity does both.

Source: llama.cpp tools/perplexity/perplexity.cpp, the three forms of `log_softmax`. Values are float32 and sums
float64 where they are there, so that results agree but for the last bits of `exp`. Rows are worked on in blocks, by
several threads: numpy lets go of the interpreter while it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qtui.core.errors import EngineError
from qtui.core.measure.base_file import row_codes
from qtui.core.measure.scores import ChunkScores

BLOCK = 1 << 21
"""Logits that a thread works on at once: a few arrays of 8 MiB."""
SPAN = np.float32(16)
"""Codes reach from the highest logit down to 16 below it; what is less likely is not compared (p < 1e-7)."""
Floats = NDArray[np.float32]
Codes = NDArray[np.uint16]


@dataclass(slots=True)
class Sums:
    """Per token values of some rows, in order."""

    nll: NDArray[Any]
    nll_base: NDArray[Any]
    kld: NDArray[np.float64]
    p_diff: Floats
    same: NDArray[np.bool_]


class Logits:
    """Works on rows of logits with some threads."""

    def __init__(self, n_vocab: int, threads: int) -> None:
        self._n_vocab = n_vocab
        self._pool = ThreadPoolExecutor(max(1, threads))

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()

    def store(self, rows: Floats, tokens: NDArray[np.int32]) -> tuple[Codes, NDArray[np.float64]]:
        """Return rows as they are stored, and -ln p of each token that follows.

        Raises:
            EngineError: the model computes no numbers.
        """
        parts = self._map(lambda part: _stored(rows[part], tokens[part], self._n_vocab), len(rows))
        return np.concatenate([codes for codes, _ in parts]), np.concatenate([nll for _, nll in parts])

    def compare(self, rows: Floats, tokens: NDArray[np.int32], stored: Codes) -> Sums:
        """Compare rows with those of the reference.

        Raises:
            EngineError: the model computes no numbers, or the stored rows hold none.
        """
        parts = self._map(lambda part: _compared(rows[part], tokens[part], stored[part], self._n_vocab), len(rows))
        return joined(parts)

    def _map(self, work: Callable[[slice], Any], rows: int) -> list[Any]:
        size = max(1, BLOCK // self._n_vocab)
        return list(self._pool.map(work, [slice(start, start + size) for start in range(0, rows, size)]))


def joined(parts: Sequence[Sums]) -> Sums:
    """Put together what was compared in parts."""
    return Sums(*(np.concatenate([getattr(part, name) for part in parts]) for name in Sums.__slots__))


def chunk_scores(nll: NDArray[np.float64], seconds: float) -> ChunkScores:
    """Return the sums of a reference's tokens."""
    return ChunkScores(len(nll), float(nll.sum()), float((nll * nll).sum()), seconds)


def compared_scores(sums: Sums, seconds: float) -> ChunkScores:
    """Return the sums of tokens that were compared."""

    def total(values: NDArray[Any]) -> float:
        return float(values.sum(dtype=np.float64))

    square = (sums.p_diff * sums.p_diff).astype(np.float64)
    return ChunkScores(
        len(sums.nll), total(sums.nll), total(sums.nll * sums.nll), seconds,
        total(sums.nll_base), total(sums.nll_base * sums.nll_base), total(sums.nll * sums.nll_base),
        total(sums.kld), total(sums.kld * sums.kld), total(square), total(square * square), int(sums.same.sum()),
        tuple(float(value) for value in sums.kld.astype(np.float32)),
    )  # fmt: skip


def _normalised(rows: Floats) -> tuple[NDArray[np.intp], Floats, NDArray[np.float64]]:
    """Return which token is likeliest, its logit, and the sum of exp(logit - highest), for each row."""
    top = rows.argmax(axis=1)
    peak = np.take_along_axis(rows, top[:, None], axis=1)[:, 0]
    with np.errstate(invalid="ignore"):
        total = np.exp(rows - peak[:, None]).sum(axis=1, dtype=np.float64)
    if not (np.isfinite(peak).all() and np.isfinite(total).all()):
        raise EngineError(
            "the model computes no numbers (NaN): its file is damaged, or this build computes it wrongly",
            "check the file's hash, or try --flash-attn off",
        )
    return top, peak, total


def _stored(rows: Floats, tokens: NDArray[np.int32], n_vocab: int) -> tuple[Codes, NDArray[Any]]:
    _, peak, total = _normalised(rows)
    right = np.take_along_axis(rows, tokens[:, None].astype(np.intp), axis=1)[:, 0]
    nll = -((right - peak) - np.log(total))
    low = np.maximum(rows.min(axis=1), peak - SPAN)
    log_sum = np.log(total).astype(np.float32)
    scale = (peak - low) / np.float32(65535)
    with np.errstate(divide="ignore"):
        inverse = np.where(scale > 0, np.float32(1) / scale, np.float32(0)).astype(np.float32)
    with np.errstate(invalid="ignore"):
        codes = np.rint(inverse[:, None] * (rows - low[:, None]))
    found = np.zeros((len(rows), row_codes(n_vocab)), np.uint16)
    found[:, 4 : 4 + n_vocab] = np.where(rows > low[:, None], codes, 0).astype(np.uint16)
    found[:, :4] = np.stack([scale, low - peak - log_sum], axis=1).astype("<f4").view("<u2")
    return found, nll


def _compared(rows: Floats, tokens: NDArray[np.int32], stored: Codes, n_vocab: int) -> Sums:
    top, peak, total = _normalised(rows)
    place = tokens[:, None].astype(np.intp)
    log_sum = np.log(total).astype(np.float32)
    nll = peak + log_sum - np.take_along_axis(rows, place, axis=1)[:, 0]
    floats = np.ascontiguousarray(stored[:, :4]).view("<f4").astype(np.float32)
    base = floats[:, :1] * stored[:, 4 : 4 + n_vocab].astype(np.float32) + floats[:, 1:]
    nll_base = -np.take_along_axis(base, place, axis=1)[:, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        terms = np.exp(base) * (base - rows + (peak + log_sum)[:, None])
        kld = np.where(base > -SPAN, terms, np.float32(0)).sum(axis=1, dtype=np.float64)
        p_diff = np.exp(-nll) - np.exp(-nll_base)
    if not (np.isfinite(kld).all() and np.isfinite(nll).all() and np.isfinite(nll_base).all()):
        raise EngineError(
            "the two cannot be compared: a token that the reference takes for possible has no probability, "
            "or the stored logits are no numbers",
            "are they of the same model, and the file of the logits whole?",
        )
    return Sums(nll, nll_base, kld, p_diff, top == base.argmax(axis=1))
