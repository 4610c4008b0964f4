"""Suites on disk: those that ship with qtui, the user's own, and any file that is named."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import qtui
from qtui.core.duel.suite.shelf import ALL
from qtui.core.duel.suite.task import Suite
from qtui.core.duel.suite.text import MOST_BYTES, joined_suites, read_choices, read_suite
from qtui.core.errors import BadFileError, UsageError
from qtui.core.text import clean, clean_name
from qtui.core.user_path import user_path
from qtui.services.paths import config_path

SHIPPED = Path(qtui.__file__).parent / "data" / "suites"
NOT_IN_ALL = ("demo", "russian")
"""What `all` leaves out: one is for one small model, the other for models of one language."""


class SuiteFiles:
    """Finds and reads suites.

    Args:
        own: the folder of the user's; by default `suites` in qtui's config folder.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._own = own

    @property
    def own(self) -> Path:
        """Return where the user's suites are."""
        return self._own or config_path() / "suites"

    def names(self) -> tuple[str, ...]:
        """Return the names of all suites, the user's first; one of the same name takes a shipped one's place."""
        return tuple(dict.fromkeys([*self.own_names(), *sorted(path.stem for path in self._files(SHIPPED))]))

    def own_names(self) -> tuple[str, ...]:
        """Return the names of the user's."""
        return tuple(dict.fromkeys(path.stem for path in self._files(self.own)))

    @property
    def place(self) -> str:
        """Return where the user's own are looked for, clean."""
        return clean_name(str(self.own), 400)

    async def find(self, name: str) -> Suite:
        """Return a suite by its name or its file; `all` is every shipped one for models in general.

        Raises:
            UsageError: there is none of that name, or its file holds no suite.
            BadFileError: its file cannot be read.
        """
        return await asyncio.to_thread(self._find, name)

    def _find(self, name: str) -> Suite:
        if name == ALL:
            files = [path for path in self._files(SHIPPED) if path.stem not in NOT_IN_ALL]
            joined = joined_suites((self._read(path) for path in sorted(files)), ALL)
            return replace(joined, title=f"All of these but {' and '.join(NOT_IN_ALL)}")
        if "/" in name or "\\" in name or name.endswith((".toml", ".jsonl")):
            return self._read(user_path(name))
        for folder in (self.own, SHIPPED):
            for path in self._files(folder):
                if path.stem == name:
                    return self._read(path)
        raise UsageError(
            f"there is no suite {clean_name(name)}",
            f"there are {', '.join((*self.names(), ALL))}; or name a .toml or .jsonl file",
        )

    @staticmethod
    def _files(folder: Path) -> list[Path]:
        try:
            return sorted(path for path in folder.iterdir() if path.suffix in (".toml", ".jsonl"))
        except OSError:
            return []

    @staticmethod
    def _read(path: Path) -> Suite:
        shown = clean_name(str(path))
        try:
            with path.open("rb") as stream:
                body = stream.read(MOST_BYTES + 1)
        except OSError as error:
            raise BadFileError(
                f"cannot read the suite {shown}: {clean(error.strerror or str(error))}",
                "name a suite, or a .toml or .jsonl file",
            ) from error
        if len(body) > MOST_BYTES:
            raise UsageError(f"the suite {shown} is larger than {MOST_BYTES >> 20} MiB", "divide it")
        try:
            text = body.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"the suite {shown} is no UTF-8 text (byte {error.start})", "save it as UTF-8") from error
        read = read_choices if path.suffix == ".jsonl" else read_suite
        return read(clean_name(path.stem, 60), text)
