"""Hashes of model files, so that a kept number can be told from one that another file gave.

A file of the Hugging Face cache is named by its hash. Others are read whole up to a size that takes a second or two;
of larger ones size, first and last MiB of each shard are hashed, and the name says so.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path

from qtui.core.library.variant import Variant

WHOLE_BYTES = 1 << 30
END_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class FileHashes:
    """Implements `core.duel.storage.Hashes`; what was hashed once is remembered while its files stay as they are."""

    def __init__(self, whole_bytes: int = WHOLE_BYTES) -> None:
        self._whole_bytes = whole_bytes
        self._known: dict[tuple[tuple[str, int, int], ...], str] = {}

    async def hash(self, variant: Variant) -> str:
        """Return the hash of a variant; empty where its files cannot be read."""
        return await asyncio.to_thread(self._hash, variant.shards or (variant.path,))

    def _hash(self, files: tuple[Path, ...]) -> str:
        try:
            states = [(path, path.stat()) for path in files]
            key = tuple((str(path), state.st_size, state.st_mtime_ns) for path, state in states)
            if key not in self._known:
                self._known[key] = self._named(files) or self._read(files, sum(state.st_size for _, state in states))
            return self._known[key]
        except (OSError, ValueError):
            return ""

    @staticmethod
    def _named(files: tuple[Path, ...]) -> str:
        """Return the hash that a file of the Hugging Face cache is named by; empty for other files, and for shards."""
        if len(files) != 1:
            return ""
        target = files[0].resolve()
        in_cache = target.parent.name == "blobs" or target.parent.parent.name == "blobs"
        return f"sha256:{target.name}" if in_cache and _SHA256.fullmatch(target.name) else ""

    def _read(self, files: tuple[Path, ...], total: int) -> str:
        digest = hashlib.sha256()
        whole = total <= self._whole_bytes
        for path in files:
            with path.open("rb") as file:
                if whole:
                    while chunk := file.read(1 << 20):
                        digest.update(chunk)
                    continue
                size = file.seek(0, 2)
                digest.update(str(size).encode())
                for place in (0, max(0, size - END_BYTES)):
                    file.seek(place)
                    digest.update(file.read(END_BYTES))
        return f"{'sha256' if whole else 'partial'}:{digest.hexdigest()}"
