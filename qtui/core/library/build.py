"""Makes a variant of what its files' names and headers tell; where they differ, the header is believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from qtui.core.gguf.names import ParsedName, parse_name, quant_note
from qtui.core.gguf.shards import ShardSet
from qtui.core.library.owner import Owner
from qtui.core.library.record import FileRecord
from qtui.core.library.variant import FilePrint, Role, Variant
from qtui.core.text import clean_name

_MARK = re.compile(r"^(?:UD-|i1-|smol-|mix:)")
_OWN_MIX = re.compile(r"_(?:XXL|XL|L|P)$")
_BITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one variant as they lie on disk."""

    shards: ShardSet[Path]
    records: tuple[FileRecord | None, ...]
    """What the header of each says, in the same order; None for a file that is not GGUF by its kind."""
    sizes: tuple[int, ...]
    """Bytes of each."""
    name: PurePath
    """The first file's path below the place, whose folders may name quant or model."""
    names: tuple[Path, ...] = ()
    """Every path of the first file that was found."""
    source: str = ""
    repository: str = ""
    """`owner/name`, where the place tells."""
    owner: Owner = Owner.USER
    aliases: tuple[str, ...] = ()
    """What its owner calls it."""
    written: float | None = None
    hashes: tuple[str, ...] = ()
    """The sha256 of each file as its owner tells it, empty where it does not."""
    releases: int = 0


def build_variant(files: Files) -> Variant:
    """Make the variant of some files that belong together."""
    parsed = parse_name(files.name, files.repository)
    records = [record for record in files.records if record is not None]
    first = files.records[0] or FileRecord()
    total, problem = _problem(files, records)
    quant = quant_label(parsed.quant, next((record.quant for record in records if record.quant), ""))
    whole = not problem and total == len(files.records)
    elements = sum(record.elements for record in records)
    sizes = [record.tensor_bytes for record in records]
    weights = sum(size for size in sizes if size is not None)
    return Variant(
        path=files.shards.paths[0],
        model=_model(first, parsed, files),
        quant=quant,
        role=_role(first, parsed),
        shards=files.shards.paths if total > 1 or len(files.shards.paths) > 1 else (),
        shard_count=total,
        paths=files.names or files.shards.paths[:1],
        architecture=first.architecture,
        parameters=elements or None if whole else None,
        size=sum(files.sizes),
        bits_per_weight=8 * weights / elements if whole and elements and None not in sizes else None,
        context_length=first.context_length,
        layers=first.layers,
        imatrix=any(record.imatrix for record in records),
        source=files.source,
        complete=files.shards.complete
        and total == len(files.shards.paths)
        and not any(record.problem for record in records),
        problem=problem or quant_note(quant),
        repository=files.repository,
        owner=files.owner,
        aliases=files.aliases,
        written=files.written,
        prints=_prints(files),
        releases=files.releases,
    )


def _prints(files: Files) -> tuple[FilePrint, ...]:
    """Return what tells each file's bytes; a hash that its owner tells goes before one that was computed."""
    hashes = files.hashes or ("",) * len(files.sizes)
    return tuple(
        FilePrint(size, record.header_hash if record else "", told or (record.sha256 if record else ""))
        for size, record, told in zip(files.sizes, files.records, hashes, strict=True)
    )


def quant_label(named: str | None, told: str) -> str:
    """Return the publisher's label unless the header contradicts it; `?` when neither tells.

    A label is kept when its bits are those of the header's file type: publishers know more than the type does
    (`UD-Q4_K_XL` and `Q4_K_M` have the same one). Their own mixes may lie one bit beside it, and marked ones anywhere:
    the type of such a file is that of its most common tensors, or what llama-quantize was told.
    """
    if named is None or not told or told.startswith("unknown"):
        return clean_name(named or told) or "?"
    if _MARK.match(named):
        return clean_name(named)
    distance = abs(_bits(named) - _bits(told))
    return clean_name(named if distance <= (1 if _OWN_MIX.search(named) else 0) else told)


def _bits(label: str) -> int:
    """Return the number in a label that stands for bits: 4 of `Q4_K_M`, `IQ4_XS` and `MXFP4`, 16 of `BF16`."""
    match = _BITS.search(label)
    return int(match[1]) if match else 0


def _problem(files: Files, records: Sequence[FileRecord]) -> tuple[int, str]:
    """Return how many files belong to the variant, and why it cannot be loaded."""
    total = files.shards.total or len(files.shards.paths)
    if files.shards.problem:
        return total, files.shards.problem
    found = next((record.problem for record in records if record.problem), "")
    if found:
        return total, found
    told = max((record.shard_count for record in records), default=1)
    if told not in (1, total):
        return told, f"one of {told} shards under another name: llama.cpp finds shards by their names"
    return total, ""


def _role(first: FileRecord, parsed: ParsedName) -> Role:
    """Return what the header says the file is for; the name where it does not tell, and for draft heads."""
    if parsed.role is Role.RAWPART:
        return Role.RAWPART
    if first.role is Role.UNKNOWN:
        # A whole header that fits no role is another kind of model, whatever the file is called.
        known = first.architecture and not first.problem and parsed.role in (Role.MODEL, Role.EMBEDDING)
        return Role.UNKNOWN if known else parsed.role
    if first.role is Role.MODEL and parsed.role is Role.DRAFT:
        return Role.DRAFT
    return first.role


def _model(first: FileRecord, parsed: ParsedName, files: Files) -> str:
    """Return the base model's name: the header's, the name's, the repository's, at last the file's."""
    repository = re.sub(r"[-_.]gguf$", "", files.repository.rpartition("/")[2], flags=re.IGNORECASE)
    return first.name or clean_name(parsed.base or repository or files.name.stem)
