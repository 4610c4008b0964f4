"""What the quantising child is told and what it tells, one JSON line each (`core/wire.py`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtui.core.errors import Failure
from qtui.core.quantise.recipe import Recipe


@dataclass(frozen=True, slots=True)
class QuantiseJob:
    """What to make: the one line that the child reads. Its standard input then stays open: end of file cancels."""

    source: str
    """The file, or the first shard; the other shards are found beside it."""
    target: str
    """Where to write, or the folder for the shards of one that stays split; removed again when the run fails."""
    recipe: Recipe
    threads: int = 0
    """0: one per processor."""
    stem: str = ""
    """Of the shards' names, where it stays split."""


@dataclass(frozen=True, slots=True)
class PredictJob:
    """What to predict, one reply for each recipe; nothing is written."""

    source: str
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True, slots=True)
class TypeShare:
    """The tensors of one type in the result."""

    kind: str
    tensors: int
    size: int
    """Bytes."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Tensors that get another type than the recipe asks, since their rows are no whole number of its blocks."""

    wanted: str
    made: str
    tensors: int


@dataclass(frozen=True, slots=True)
class MatrixFit:
    """How an importance matrix meets the model that is to be made."""

    entries: int
    used: int
    """Entries for tensors that are to be quantised with it."""
    lacking: int
    """Tensors that are to be quantised, whose type uses a matrix, and for which it has nothing."""
    unknown: int
    """Entries for tensors that the model does not have."""
    unknown_names: tuple[str, ...] = ()
    """A few of them."""
    experts: int = 0
    """Of all tensors of experts together; 0 for a dense model."""
    experts_seen: int = 0
    datasets: tuple[str, ...] = ()
    chunks: int = 0
    problem: str = ""
    """Why it cannot be used for this model; empty when it can."""


@dataclass(frozen=True, slots=True)
class QuantisePlanned:
    """What llama.cpp would make, before anything is written."""

    recipe: Recipe
    sizes: tuple[int, ...]
    """Bytes of each file of the result."""
    tensors: int
    source_size: int
    """Bytes of the tensors that are read."""
    weights: int
    """Elements of all tensors."""
    mix: tuple[TypeShare, ...] = ()
    """Largest first."""
    fallbacks: tuple[Fallback, ...] = ()
    needs_matrix: bool = False
    """llama.cpp would refuse without an importance matrix."""
    changed: int = 1
    """Tensors that get another type than they have."""
    requantised: tuple[str, ...] = ()
    """Quantised types of the source that would be quantised anew."""
    matrix: MatrixFit | None = None
    problem: str = ""
    """Why it cannot be made at all, in llama.cpp's words; the other fields are then empty."""
    hint: str = ""

    @property
    def size(self) -> int:
        """Return the bytes of all files of the result."""
        return sum(self.sizes)

    @property
    def bits_per_weight(self) -> float | None:
        """Return the bits per weight of all tensors, headers left out; None when there are no weights."""
        return sum(share.size for share in self.mix) * 8 / self.weights if self.weights else None


@dataclass(frozen=True, slots=True)
class QuantiseProgressed:
    """A tensor is being converted."""

    done: int
    """Tensors finished before this one."""
    total: int
    tensor: str
    read: int = 0
    """Bytes of the source that are done."""
    whole: int = 0
    """Of so many."""


@dataclass(frozen=True, slots=True)
class Quantised:
    """The target is complete."""

    size: int
    """Bytes of all its files."""
    elapsed: float
    """Seconds."""
    files: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class QuantiseFailed:
    """Nothing was made."""

    failure: Failure


QuantiseEvent = QuantisePlanned | QuantiseProgressed | Quantised
QUANTISE_REPLIES = (QuantisePlanned, QuantiseProgressed, Quantised, QuantiseFailed)
