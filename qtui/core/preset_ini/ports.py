"""What importing and exporting need of the outside world."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from qtui.core.preset_ini.server_keys import ServerKeys


class PresetIni(Protocol):
    """Files of presets, and the programs that read them."""

    async def keys(self, program: str = "") -> ServerKeys:
        """Return what a llama-server knows: the one named, else that of the settings or PATH; nothing without one.

        Raises:
            EngineError: the one that was named is not there or does not work.
        """
        ...

    async def read(self, path: Path) -> str:
        """Return a file's text.

        Raises:
            BadFileError: it is missing, too large, or no UTF-8.
        """
        ...

    async def write(self, path: Path, text: str, *, overwrite: bool = False) -> None:
        """Write a file, whole or not at all.

        Raises:
            UsageError: it is there already.
            QtuiError: it cannot be written.
        """
        ...
