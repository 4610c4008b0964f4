"""Texts to measure on: those that ship with qtui, and any file that is named."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import qtui
from qtui.core.errors import BadFileError
from qtui.core.measure.ports import TextFile
from qtui.core.text import clean, clean_name
from qtui.core.user_path import user_path

SHIPPED = Path(qtui.__file__).parent / "data" / "texts"
MOST_BYTES = 256 << 20


class TextFiles:
    """Implements `core.measure.ports.Texts`."""

    def names(self) -> Sequence[str]:
        """Return the names of those that ship."""
        return sorted(path.stem for path in SHIPPED.glob("*.txt"))

    async def find(self, name: str) -> TextFile:
        """Return a text by its name or its file; a file of that name wins.

        Raises:
            BadFileError: there is none, or it cannot be read.
        """
        return await asyncio.to_thread(self._find, name)

    def _find(self, name: str) -> TextFile:
        path = user_path(name)
        shipped = SHIPPED / f"{name}.txt"
        if name in self.names() and not os.path.isfile(path):  # noqa: PTH113 - it never fails
            path, title = shipped, name
        else:
            title = clean_name(path.name)
        try:
            with path.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = clean(getattr(error, "strerror", None) or str(error))
            raise BadFileError(
                f"cannot read the text {clean_name(name)}: {reason}", f"a file, or one of {', '.join(self.names())}"
            ) from error
        if len(data) > MOST_BYTES:
            raise BadFileError(f"{title} is larger than {MOST_BYTES >> 20} MiB", "take a part of it")
        return TextFile(title, str(path.absolute()), hashlib.sha256(data).hexdigest(), len(data))
