"""What the app asks the child that measures how fast llama.cpp's kernels read, and what it answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qtui.core.memory.speed import AttentionKernel, Kernel, MatrixKernel


@dataclass(frozen=True, slots=True)
class MeasureRates:
    """The kernels to measure, and with how many threads."""

    threads: int
    matrices: tuple[MatrixKernel, ...] = ()
    attentions: tuple[AttentionKernel, ...] = ()

    @staticmethod
    def of(kernels: Iterable[Kernel], threads: int) -> MeasureRates:
        """Sort the kernels by kind."""
        chosen = tuple(kernels)
        return MeasureRates(
            threads,
            tuple(kernel for kernel in chosen if isinstance(kernel, MatrixKernel)),
            tuple(kernel for kernel in chosen if isinstance(kernel, AttentionKernel)),
        )


@dataclass(frozen=True, slots=True)
class MeasuredRates:
    """Bytes per second by kernel, and the seconds of one operation."""

    rates: tuple[tuple[str, float], ...]
    step: float
    share: float = 1.0
    """How much of the processors' time the measuring got, from 0 to 1: less than all where others computed."""
    problem: str = ""
    """Why nothing was measured; empty when all is well."""
