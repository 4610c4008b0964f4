"""Variant and Model: one quantised form of a model, and the models that group them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from qtui.core.library.owner import Owner


class Role(StrEnum):
    """What a GGUF file is for. Only `MODEL` and `EMBEDDING` load as models."""

    MODEL = "model"
    EMBEDDING = "embedding"
    MMPROJ = "mmproj"
    IMATRIX = "imatrix"
    ADAPTER = "adapter"
    DRAFT = "draft"
    VOCAB = "vocab"
    RAWPART = "rawpart"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FilePrint:
    """What tells one file's bytes from those of others, as far as it is known."""

    size: int
    header: str = ""
    """A hash of the header's ends (`services.library.headers`); empty: not read."""
    sha256: str = ""
    """Of the whole file, as its owner's file name or a computation tells; empty: not known."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One quantised form of a model: one file, or its shards together. All text in it is already clean."""

    path: Path
    """The file, or the first shard that is here."""
    model: str
    """The base model's name: header facts first, then the file name."""
    quant: str
    """The publisher's label (`Q4_K_M`, `UD-Q3_K_XL`), else the file type of the header; `?` when neither tells."""
    role: Role = Role.MODEL
    shards: tuple[Path, ...] = ()
    """All shards that are here, in order; empty for a single file."""
    shard_count: int = 1
    """How many shards belong to it."""
    paths: tuple[Path, ...] = ()
    """Every name under which these bytes were found (links, HF snapshots)."""
    architecture: str = ""
    parameters: int | None = None
    size: int = 0
    """Bytes on disk, all shards that are here together."""
    bits_per_weight: float | None = None
    context_length: int | None = None
    """Tokens that the model was trained to."""
    layers: int | None = None
    imatrix: bool = False
    """A header notes the importance matrix that it was made with; what does not may have been made with one too."""
    source: str = ""
    """Where it lies: `HF cache`, or the folder that was scanned."""
    complete: bool = True
    """All its files are here, and none is cut off or damaged."""
    problem: str = ""
    """Why it cannot be loaded (`2 of 3 shards here`, `truncated: …`); empty when nothing is wrong."""
    repository: str = ""
    """`owner/name` on the Hub, where the place tells."""
    owner: Owner = Owner.USER
    """Whose folder it lies in."""
    aliases: tuple[str, ...] = ()
    """What its owner calls it, where that is no file name: Ollama's `llama3.2:3b`."""
    written: float | None = None
    """When the newest of its files was written, seconds since the epoch."""
    prints: tuple[FilePrint, ...] = ()
    """One for each file that is here, in order."""
    releases: int = 0
    """Bytes that would be free if all its names were deleted; less than `size` where other names keep them."""
    duplicate_of: Path | None = None
    """The row that holds the same bytes and is the one to keep (`core.library.copies`)."""
    possible_duplicate_of: Path | None = None
    """The row that may hold the same bytes: equal sizes and headers, and a hash that is not known."""
    reclaimable: int = 0
    """Bytes that deleting it would free without losing anything: `releases` of a copy."""
    address: str = ""
    """`REPO/FILE` of one that is on the Hub and not here: its paths are then those of its headers."""

    @property
    def file(self) -> str:
        """Return what names it to users and other programs: its path, or its address on the Hub."""
        return self.address or str(self.path)

    @property
    def loadable(self) -> bool:
        """Tell whether the engine may be asked to load it."""
        return self.complete and not self.problem and self.role in (Role.MODEL, Role.EMBEDDING)

    @property
    def title(self) -> str:
        """Return `model quant`, as heads and messages name it."""
        return f"{self.model} {self.quant}"


@dataclass(frozen=True, slots=True)
class Model:
    """A base model and its variants, largest first."""

    name: str
    architecture: str
    parameters: int | None
    variants: tuple[Variant, ...]
