"""FileRecord: the few facts of one file's header that a row of the library needs; small enough to keep thousands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from qtui.core.gguf.facts import facts_of
from qtui.core.gguf.reader import Header
from qtui.core.library.variant import Role


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What one file's header says; all text in it is clean. An empty text and None are what it does not say."""

    architecture: str = ""
    name: str = ""
    """The base model's name."""
    quant: str = ""
    """The label of the file type, else of the type that most weights have."""
    role: Role = Role.UNKNOWN
    elements: int = 0
    """Elements of this file's tensors."""
    tensor_bytes: int | None = 0
    """Bytes of this file's tensors; None when the size of a type is unknown."""
    context_length: int | None = None
    layers: int | None = None
    shard_count: int = 1
    """How many files belong together, as the header says."""
    imatrix: bool = False
    """It notes the importance matrix that it was made with."""
    problem: str = ""
    """Why the file cannot be loaded; then the rest may be missing."""
    header_hash: str = ""
    """Tells headers apart; only files with equal ones can be copies of each other."""
    sha256: str = ""
    """Of the whole file, where it was computed."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; what has its default is left out."""
        plain = {**asdict(self), "role": self.role.value}
        return {name: value for name, value in plain.items() if value != getattr(_DEFAULT, name)}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> FileRecord:
        """Take back what `as_json` gave; fields of other versions are ignored.

        Raises:
            TypeError: a value is not what the field holds.
            ValueError: the role is unknown.
        """
        known: dict[str, Any] = {}
        for field in fields(FileRecord):
            if field.name not in values:
                continue
            value = values[field.name]
            if value is None and "None" in str(field.type):
                known[field.name] = None
                continue
            if type(value) is not _KINDS.get(str(field.type).split(" ")[0], str):
                raise TypeError(f"{field.name}: {value!r}")
            known[field.name] = Role(str(value)) if field.name == "role" else value
        return FileRecord(**known)


_DEFAULT = FileRecord()
_KINDS: Mapping[str, type] = {"int": int, "bool": bool}
"""Of the fields' types as they are written; the others are texts."""


def record_of(header: Header) -> FileRecord:
    """Pick from a header what a row needs; a file that is too short has its facts and a problem.

    The header is one that was read without refusing short files.
    """
    facts = facts_of(header)
    sizes = [row.bytes for row in facts.mix]
    known = [size for size in sizes if size is not None]
    missing = header.missing_bytes
    return FileRecord(
        architecture=facts.architecture,
        name=facts.model or "",
        quant="" if facts.quant == "?" else facts.quant,
        role=facts.role,
        elements=facts.parameters,
        tensor_bytes=sum(known) if len(known) == len(sizes) else None,
        context_length=facts.context_length,
        layers=facts.layers,
        shard_count=facts.split[1] if facts.split else 1,
        imatrix=bool(facts.imatrix),
        problem=f"truncated: {missing} of {header.needed_size} bytes are missing" if missing else "",
    )
