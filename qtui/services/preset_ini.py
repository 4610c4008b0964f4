"""Reads and writes `presets.ini` of llama-server, and asks a llama-server which keys it knows."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qtui.core.engines import LLAMA_SERVER
from qtui.core.errors import BadFileError, EngineError, UsageError
from qtui.core.preset_ini.server_keys import ServerKeys, keys_of
from qtui.core.preset_ini.text import MAX_BYTES
from qtui.core.text import clean, clean_name
from qtui.services.engine.server_builds import ServerBuilds
from qtui.services.files import write_atomic


class PresetIniFiles:
    """Implements the PresetIni port."""

    def __init__(self, builds: ServerBuilds) -> None:
        self._builds = builds

    async def keys(self, program: str = "") -> ServerKeys:
        """Return what a llama-server knows: the one named, else that of the settings or PATH; nothing without one.

        Raises:
            EngineError: the one that was named is not there or does not work.
        """
        try:
            return keys_of((await self._builds.usable(program or LLAMA_SERVER))[1].options)
        except EngineError:
            if program:
                raise
            return ServerKeys()

    async def read(self, path: Path) -> str:
        """Return a file's text.

        Raises:
            BadFileError: it is missing, too large, or no UTF-8.
        """
        return await asyncio.to_thread(_read, path)

    async def write(self, path: Path, text: str, *, overwrite: bool = False) -> None:
        """Write a file, whole or not at all.

        Raises:
            UsageError: it is there already.
            QtuiError: it cannot be written.
        """
        await asyncio.to_thread(_write, path, text, overwrite)


def _write(path: Path, text: str, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise UsageError(f"{clean_name(str(path), 400)} is there already", "--overwrite replaces it")
    write_atomic(path, text.encode())


def _read(path: Path) -> str:
    name = clean_name(str(path), 400)
    try:
        if not path.is_file():
            raise BadFileError(f"{name} is not a file", "which presets.ini?")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        said = clean(getattr(error, "strerror", None) or str(error))
        raise BadFileError(f"{name} cannot be read: {said}", "check its permissions") from error
    if len(raw) > MAX_BYTES:
        raise BadFileError(f"{name} is larger than 1 MiB", "is it a presets.ini?")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise BadFileError(f"{name} is not UTF-8 (byte {error.start})", "is it a presets.ini?") from error
