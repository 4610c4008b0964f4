"""HashStep: how far the hashes of a variant are while its files are read."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.library.variant import FilePrint


@dataclass(frozen=True, slots=True)
class HashStep:
    """How far the hashes of one variant are."""

    done: int
    """Bytes."""
    total: int
    prints: tuple[FilePrint, ...] = ()
    """With every hash, in the last step; empty before."""
