"""The user's settings file, shared by every qtui process of the user."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from qtui.core.settings import Problem, Settings, read_settings, write_settings
from qtui.services import paths
from qtui.services.config import TomlFile
from qtui.services.toml_edit import KeyPath

NAME = "settings.toml"


class SettingsFile:
    """Settings in `settings.toml`, by default in the config folder. Implements the SettingsStore port."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file = TomlFile((folder or paths.config_path()) / NAME)
        self._base = Settings()
        self._stamp: tuple[int, ...] = ()
        self._problems: tuple[Problem, ...] = ()

    @property
    def path(self) -> Path:
        """Return where the file lies, or would."""
        return self._file.path

    def load(self) -> Settings:
        """Read the settings; what cannot be used has its default and stands in `problems`."""
        self._stamp = self._file.stamp()
        content = self._file.read()
        settings, problems = read_settings(content.table)
        if content.problem:
            problems = (Problem("", content.problem),)
        self._problems = tuple(replace(problem, file=str(self.path)) for problem in problems)
        self._base = settings
        return settings

    def save(self, settings: Settings) -> Settings:
        """Write what differs from what was loaded or saved last, key by key; returns what the file holds then.

        Raises:
            QtuiError: it cannot be written; the old file is untouched.
        """
        before, after = write_settings(self._base), write_settings(settings)
        wanted = {key: after.get(key) for key in {**before, **after} if before.get(key) != after.get(key)}
        if wanted:
            if self._folder is None:
                paths.config_dir()
            known = {".".join(path): path for path in _paths(self._file.read().table)}
            changes = {known.get(key) or _path(key): value for key, value in wanted.items()}
            self._file.change(changes, _tables(after))
        return self.load()

    def problems(self) -> tuple[Problem, ...]:
        """Return what was wrong when the file was last read."""
        return self._problems

    def changed(self) -> bool:
        """Tell whether the file is another one than the one last read."""
        return self._file.stamp() != self._stamp


def _path(key: str) -> KeyPath:
    """Return where a key of ours goes: a section and a name, which may hold dots (`keys."models.chat"`)."""
    section, dot, name = key.partition(".")
    return (section, name) if dot else (section,)


def _paths(table: Mapping[str, object], above: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the paths of all values: a user may have written `keys.models.chat` in several ways."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _paths(value, (*above, key))
        else:
            yield (*above, key)


def _tables(flat: Mapping[str, object]) -> dict[str, object]:
    result: dict[str, dict[str, object]] = {}
    top: dict[str, object] = {}
    for key, value in flat.items():
        path = _path(key)
        if len(path) == 1:
            top[key] = value
        else:
            result.setdefault(path[0], {})[path[1]] = value
    return {**top, **result}
