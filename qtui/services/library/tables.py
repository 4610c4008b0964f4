"""Tables of tensors and hyper-parameters, read from headers and remembered while the files stay as they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.gguf.reader import Header, read_header
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.table import ModelTable, model_table
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.side_files import SideFile, SideFiles
from qtui.core.text import clean_name
from qtui.services.library.remembered import Remembered
from qtui.services.library.source import FileSource, read_file_header

KEPT = 256
"""A table of a thousand tensors takes some 300 KB."""
ALIGNMENT = 32
A, B, SKIPPED = ".lora_a", ".lora_b", "_norm.weight"


class LocalTables:
    """Implements `core.ports.Tables` over files on this machine."""

    def __init__(self) -> None:
        self._known = Remembered[ModelTable](KEPT)

    async def table(self, variant: Variant) -> ModelTable:
        """Return the table of a variant; see `core.ports.Tables`."""
        return await asyncio.to_thread(self._table, variant)

    async def side_file(self, path: str) -> SideFile:
        """Return what an adapter or a projector is; see `core.ports.Tables`."""
        return await asyncio.to_thread(side_file, Path(path))

    def _table(self, variant: Variant) -> ModelTable:
        paths = variant.shards or (variant.path,)
        if len(paths) < variant.shard_count:
            raise BadFileError(
                f"{len(paths)} of {variant.shard_count} shards of {variant.title} are here", "Fetch the others first."
            )
        return self._known.get(paths, lambda: _read(paths))


def side_file(path: Path) -> SideFile:
    """Read the header of an adapter or a projector.

    Raises:
        BadFileError: it is missing, not GGUF, or damaged.
    """
    header = read_file_header(path)
    # Norms of adapters are not loaded (llama-adapter.cpp).
    loaded = [tensor for tensor in header.tensors if not tensor.name.endswith(SKIPPED) or not _is_adapter(header)]
    size = sum(-(-(tensor.size_bytes or 0) // ALIGNMENT) * ALIGNMENT for tensor in loaded)
    kind, architecture, method = (
        clean_name(value) if isinstance(value := header.metadata.get(key), str) else ""
        for key in ("general.type", "general.architecture", "adapter.type")
    )
    return SideFile(clean_name(path.name), size, kind, architecture, method, _changes(header))


def _is_adapter(header: Header) -> bool:
    return header.metadata.get("general.type") == "adapter"


def _changes(header: Header) -> tuple[tuple[str, int, int], ...]:
    """Return the tensors that pairs of an adapter change: A has the columns, B the rows."""
    shapes = {tensor.name: tensor.shape for tensor in header.tensors}
    pairs = ((name.removesuffix(A), shapes[name], shapes.get(f"{name.removesuffix(A)}{B}")) for name in shapes)
    return tuple(
        (clean_name(name), a[0], b[1])
        for name, a, b in pairs
        if f"{name}{A}" in shapes and b is not None and len(a) > 0 and len(b) > 1
    )


def side_files(plan: LoadPlan) -> SideFiles:
    """Read the headers of a plan's adapters and of its projector; blocks.

    Raises:
        BadFileError: one is missing, not GGUF, or damaged.
    """
    adapters = tuple(side_file(Path(path)) for path, _ in plan.lora)
    return SideFiles(adapters, side_file(Path(plan.mmproj)) if plan.mmproj else None)


def _read(paths: tuple[Path, ...]) -> ModelTable:
    """Read the headers of all shards; errors name the file."""
    first, *others = paths
    rest = [read_file_header(path) for path in others]
    with FileSource(first) as source:
        try:
            return model_table([read_header(source), *rest], source)
        except BadFileError as error:
            raise BadFileError(f"{clean_name(first.name)}: {error.message}", error.hint) from error
