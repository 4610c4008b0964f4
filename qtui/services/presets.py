"""The user's presets file, beside the settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtui.core.memory.plan import LoadPlan
from qtui.core.presets import BUILT_IN, PRESET_KEYS, Preset, apply_preset, check_name, read_presets, write_preset
from qtui.core.settings import Problem
from qtui.services import paths
from qtui.services.config import TomlFile

NAME = "presets.toml"


class PresetsFile:
    """Presets in `presets.toml`, by default in the config folder. Implements the PresetStore port."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._file = TomlFile((folder or paths.config_path()) / NAME)
        self._stamp: tuple[int, ...] = ()
        self._problems: tuple[Problem, ...] = ()

    @property
    def path(self) -> Path:
        """Return where the file lies, or would."""
        return self._file.path

    def load(self) -> tuple[Preset, ...]:
        """Read the presets: the user's in their order, then those of qtui that none of them replaces."""
        self._stamp = self._file.stamp()
        content = self._file.read()
        presets, problems = read_presets(content.table)
        if content.problem:
            problems = (Problem("", content.problem),)
        self._problems = tuple(replace(problem, file=str(self.path)) for problem in problems)
        own = {preset.name for preset in presets}
        return (*presets, *(preset for preset in BUILT_IN if preset.name not in own))

    def save(self, preset: Preset) -> None:
        """Write one preset over one of the same name; keys in it that qtui does not know stay.

        Raises:
            UsageError: its name or its options cannot be used.
            QtuiError: it cannot be written; the old file is untouched.
        """
        check_name(preset.name)
        apply_preset(LoadPlan(), preset)
        new = write_preset(preset)
        content = self._file.read()
        entry = content.table.get(preset.name)
        old = {key: value for key, value in entry.items() if key in PRESET_KEYS} if isinstance(entry, dict) else {}
        changes: dict[tuple[str, ...], object | None]
        changes = {(preset.name, key): new.get(key) for key in {**old, **new} if old.get(key) != new.get(key)}
        if not isinstance(entry, dict) and not new:
            changes = {(preset.name,): {}}
        self._change(changes)

    def delete(self, name: str) -> None:
        """Remove one of the user's presets; harmless when there is none.

        Raises:
            QtuiError: it cannot be written; the old file is untouched.
        """
        if name in self._file.read().table:
            self._change({(name,): None})

    def problems(self) -> tuple[Problem, ...]:
        """Return what was wrong when the file was last read."""
        return self._problems

    def changed(self) -> bool:
        """Tell whether the file is another one than the one last read."""
        return self._file.stamp() != self._stamp

    def _change(self, changes: dict[tuple[str, ...], object | None]) -> None:
        if self._folder is None:
            paths.config_dir()
        self._file.change(changes)
        self.load()
