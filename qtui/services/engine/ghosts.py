"""Ghost files on disk: written for a question, gone after it, in a private folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from qtui.core.errors import BadFileError, EngineError, QtuiError
from qtui.core.gguf.ghost import Ghost, make_ghost, vocabulary_size
from qtui.core.gguf.reader import Header, read_header
from qtui.core.library.variant import Variant
from qtui.core.memory.closed_form.formula import MOST_LAYERS
from qtui.core.memory.closed_form.table import ModelTable, model_table
from qtui.core.text import MIB, clean, clean_name
from qtui.services.library.source import FileSource
from qtui.services.paths import runtime_dir

PROBE_BYTES = 4 * MIB
"""A hole of this size tells whether a file system has sparse files, before a ghost of hundreds of GB is made there."""
MOST_ON_DISK = 32 * MIB
"""A sparse ghost takes kilobytes; more than this means that the file system has no sparse files."""
NO_SPARSE = "no sparse files there"
KEPT_VARIANTS = 8
_PREFIX = "ghost-"

Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, mtime in ns) of every shard: what a prepared ghost depends on."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A variant as the dry run asks about it: ghosts of its files, and the facts that its footprint needs."""

    stamp: Stamp
    title: str
    """The variant's."""
    ghosts: tuple[Ghost, ...]
    table: ModelTable
    tensor_bytes: int
    embedding_bytes: int

    @property
    def digest(self) -> str:
        """Return the digest of all that llama.cpp is shown: headers without tokenizers, and the sizes of the files."""
        found = hashlib.sha256()
        for ghost in self.ghosts:
            found.update(b"%d %d " % (ghost.size, len(ghost.content)))
            found.update(ghost.content)
        return found.hexdigest()


def stamp_of(variant: Variant) -> Stamp:
    """Return what tells whether the files are still the same.

    Raises:
        BadFileError: one of them is gone or may not be looked at.
    """
    found = []
    for path in variant.shards or (variant.path,):
        try:
            status = path.stat()
        except (OSError, ValueError) as error:
            reason = clean(getattr(error, "strerror", None) or str(error))
            raise BadFileError(
                f"{clean_name(path.name)}: {reason}", "Check the path; `qtui ls` shows what is here."
            ) from error
        found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)


def prepare(variant: Variant) -> Prepared:
    """Read the headers of a variant and make its ghosts; to be called off the event loop.

    Raises:
        BadFileError: a shard is missing, a file is not GGUF, damaged, truncated, or holds no weights.
    """
    paths = variant.shards or (variant.path,)
    if len(paths) < variant.shard_count:
        raise BadFileError(
            f"{len(paths)} of {variant.shard_count} shards of {variant.title} are here", "Fetch the others first."
        )
    stamp = stamp_of(variant)
    headers: list[Header] = []
    ghosts: list[Ghost] = []
    for path in paths:
        with FileSource(path) as source:
            try:
                headers.append(read_header(source))
                ghosts.append(make_ghost(headers[-1], source))
            except BadFileError as error:
                raise BadFileError(f"{clean_name(path.name)}: {error.message}", error.hint) from error
    tensors = [tensor for header in headers for tensor in header.tensors]
    if not tensors:
        raise BadFileError(
            f"{clean_name(paths[0].name)} holds no weights, only metadata and a vocabulary",
            "It is made for testing tokenizers and loads as no model.",
        )
    _check_layers(headers[0], paths[0])
    vocabulary = next((size for size in map(vocabulary_size, headers) if size is not None), None)
    with FileSource(paths[0]) as source:
        table = model_table(headers, source)
        if len(paths) > 1 and vocabulary is not None:  # the embedding may lie in another shard than the tokenizer
            ghosts[0] = make_ghost(headers[0], source, vocabulary)
    return Prepared(
        stamp=stamp,
        title=variant.title,
        ghosts=tuple(ghosts),
        table=table,
        tensor_bytes=sum(tensor.size_bytes or 0 for tensor in tensors),
        embedding_bytes=sum(tensor.size_bytes or 0 for tensor in tensors if tensor.name == "token_embd.weight"),
    )


def _check_layers(header: Header, path: Path) -> None:
    """Refuse a count of layers that llama.cpp would die on.

    Raises:
        BadFileError: there are none, or absurdly many.
    """
    count = header.metadata.get(f"{header.metadata.get('general.architecture')}.block_count")
    if isinstance(count, int) and not 0 < count <= MOST_LAYERS:
        raise BadFileError(
            f"{clean_name(path.name)} counts {count} layers; llama.cpp takes 1 to {MOST_LAYERS}",
            "The header is damaged, or the file was made for another program.",
        )


class GhostShelf:
    """The variants that were read last; threads may share it."""

    def __init__(self) -> None:
        self._prepared: dict[tuple[object, ...], Prepared] = {}
        self._lock = threading.Lock()

    def prepared(self, variant: Variant) -> Prepared:
        """Return a variant as the dry run asks about it, read anew where its files have changed; blocks.

        Raises:
            BadFileError: as `prepare`.
        """
        key = (stamp_of(variant), variant.shard_count, variant.title)
        with self._lock:
            found = self._prepared.pop(key, None)
        found = found or prepare(variant)
        with self._lock:
            self._prepared[key] = found
            while len(self._prepared) > KEPT_VARIANTS:
                del self._prepared[next(iter(self._prepared))]
        return found


class GhostFolder:
    """A private folder for ghosts, under the runtime folder or the temporary one; made when it is first needed."""

    def __init__(self) -> None:
        self._folder: Path | None = None

    def write(self, prepared: Prepared, name: str) -> Path:
        """Write the ghosts of one variant and return the path of the first; to be called off the event loop.

        Raises:
            EngineError: no folder can be written, or its file system has no sparse files.
        """
        refusals = []
        for base in (self._folder,) if self._folder else _bases():
            try:
                if self._folder is None:
                    self._folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=base))
                    _probe(self._folder)
                return _write(prepared.ghosts, self._folder, name)
            except OSError as error:
                self.close()
                refusals.append(clean(error.strerror or str(error)))
        raise EngineError(
            f"no temporary file can be written for the dry run: {', '.join(refusals) or 'no folder'}",
            "set TMPDIR to a folder on a file system with sparse files",
        )

    def clear(self) -> None:
        """Remove the ghosts; harmless when there are none."""
        if self._folder is not None:
            for entry in self._folder.iterdir():
                shutil.rmtree(entry, ignore_errors=True)

    def close(self) -> None:
        """Remove the folder."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def _bases() -> list[Path]:
    """Return where the folder may be, and drop what crashed processes left there."""
    bases = [Path(tempfile.gettempdir())]
    with contextlib.suppress(QtuiError):
        bases.insert(0, runtime_dir())
    for base in bases:
        for left in base.glob(f"{_PREFIX}*"):
            process = left.name.removeprefix(_PREFIX).partition("-")[0]
            if process.isdecimal() and not _alive(int(process)):
                shutil.rmtree(left, ignore_errors=True)
    return bases


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _probe(folder: Path) -> None:
    """Refuse a file system without sparse files: a ghost would take there what the model takes."""
    path = folder / "probe"
    path.touch(0o600)
    os.truncate(path, PROBE_BYTES)
    taken = path.stat().st_blocks * 512
    path.unlink()
    if taken > PROBE_BYTES // 2:
        raise OSError(0, NO_SPARSE)


def _write(ghosts: tuple[Ghost, ...], folder: Path, name: str) -> Path:
    """Write each ghost sparse; shards under the names that llama.cpp demands (`-00001-of-00003`)."""
    place = folder / name
    place.mkdir(mode=0o700, exist_ok=True)
    paths = []
    for number, ghost in enumerate(ghosts, 1):
        path = place / ("ghost.gguf" if len(ghosts) == 1 else f"ghost-{number:05d}-of-{len(ghosts):05d}.gguf")
        paths.append(path)
        path.write_bytes(ghost.content)
        os.truncate(path, ghost.size)
        taken = path.stat().st_blocks * 512
        if taken > len(ghost.content) + MOST_ON_DISK:
            raise OSError(0, NO_SPARSE)
    return paths[0]
