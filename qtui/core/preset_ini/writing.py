"""From presets to sections of `presets.ini`: only keys that the binary knows, since one other makes it refuse all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.command import server_arguments
from qtui.core.memory.plan import LoadPlan
from qtui.core.preset_ini.options import READERS
from qtui.core.preset_ini.server_keys import ServerKeys
from qtui.core.preset_ini.text import Section, section_name, unsayable
from qtui.core.presets import Preset, apply_preset

PLAIN = frozenset({*READERS, "model", "hf-repo", "fit", "kv-unified"})
"""Keys that every llama-server of these days knows; what is written where none can be asked."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was made of presets."""

    sections: tuple[Section, ...]
    notes: tuple[str, ...]
    """What was left out, and why."""


@dataclass(slots=True)
class _Made:
    sections: list[Section] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def export_presets(presets: Mapping[str, tuple[Preset, Sequence[Variant]]], keys: ServerKeys) -> Exported:
    """Make a section of each preset and each variant that it is for.

    Args:
        presets: by name, each with the variants that it is for; with none, the file that it was imported for counts.
        keys: what the binary knows; empty: none can be asked.
    """
    made = _Made()
    for preset, variants in presets.values():
        targets: list[tuple[str, Path | None]] = [(variant.title, variant.path) for variant in variants]
        if not targets and (preset.server.get("model") or preset.server.get("hf-repo")):
            model = preset.server.get("model")
            targets = [("", Path(model) if model else None)]
        if not targets:
            made.notes.append(f"{preset.name} is left out: no model here is meant by it; --for VARIANT names one")
        for title, path in targets:
            name = section_name(preset.name if len(targets) == 1 else f"{preset.name} {title}")
            _add(made, name, preset, path, keys)
    return Exported(tuple(made.sections), tuple(made.notes))


def _add(made: _Made, name: str, preset: Preset, path: Path | None, keys: ServerKeys) -> None:
    taken = {section.name for section in made.sections}
    name = next(each for each in (name, *(f"{name} {number}" for number in range(2, 10_000))) if each not in taken)
    try:
        plan = apply_preset(LoadPlan(), preset)
        words = server_arguments(plan, path or Path("unnamed"))
    except UsageError as error:
        made.notes.append(f"{name} is left out: {error.message}; {error.hint}")
        return
    found: dict[str, str] = {}
    for key, value in (*_pairs(words, keys), *preset.server.items()):
        if key == "model" and path is None:
            continue
        if (key in ("model", "hf-repo") and key in found) or (key == "hf-repo" and path is not None):
            continue
        known = keys.knows(key) if keys else key in PLAIN
        reason = unsayable(value) if known else _unknown(keys)
        if not reason:
            found[key] = value
        elif key == "model":
            made.notes.append(f"{name} is left out: its file cannot be written: {reason}")
            return
        else:
            made.notes.append(f"{name}: {key} = {value} is left out: {reason}")
    made.sections.append(Section(name, found))


def _unknown(keys: ServerKeys) -> str:
    return "this llama-server does not know it" if keys else "there is no llama-server to ask whether it knows it"


def _pairs(words: Sequence[str], keys: ServerKeys) -> Iterator[tuple[str, str]]:
    """Yield keys and values of a command line; a switch has the value `true`."""
    index = 0
    while index < len(words):
        key = words[index].lstrip("-")
        following = words[index + 1] if index + 1 < len(words) else None
        switch = keys.switch(key) if key in keys.arity else following is None or _is_flag(following)
        yield key, "true" if switch else following or ""
        index += 1 if switch else 2


def _is_flag(word: str) -> bool:
    return word.startswith("-") and not word.lstrip("-")[:1].isdigit()
