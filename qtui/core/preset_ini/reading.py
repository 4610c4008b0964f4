"""From sections of `presets.ini` to presets: nothing is lost, and what cannot be used is said."""

from __future__ import annotations

import glob
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from qtui.core.errors import UsageError
from qtui.core.memory.options import option_value, plain_value
from qtui.core.memory.plan import LoadPlan
from qtui.core.preset_ini.options import MODEL, OURS, READERS, REPOSITORY, Options, truth
from qtui.core.preset_ini.server_keys import ServerKeys
from qtui.core.preset_ini.text import GLOBAL, Section
from qtui.core.presets import Preset, apply_preset
from qtui.core.text import clean_name


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file gave."""

    presets: tuple[Preset, ...]
    notes: tuple[str, ...]
    """What is kept without being used, and why; what is left out."""


def import_presets(sections: Sequence[Section], keys: ServerKeys) -> Imported:
    """Make a preset of each section, with the keys of the section `*` below its own.

    Keys that a plan has an option for become that; other keys that the binary knows become further options of
    llama-server, and the rest is kept as it is.
    """
    common = next((section.keys for section in sections if section.name == GLOBAL), {})
    presets: list[Preset] = []
    notes: list[str] = []
    for section in sections:
        if section.name == GLOBAL:
            continue
        name = clean_name(section.name, 60).strip()
        preset, said = _preset(name, {**common, **section.keys}, keys)
        notes += said
        try:
            apply_preset(LoadPlan(), preset)
        except UsageError as error:
            notes.append(f"{name} is left out: {error.message}; {error.hint}")
        else:
            presets.append(preset)
    return Imported(tuple(presets), tuple(notes))


def _preset(name: str, values: Mapping[str, str], keys: ServerKeys) -> tuple[Preset, list[str]]:
    options: Options = {}
    extra: list[str] = []
    kept: dict[str, str] = {}
    match: list[str] = []
    notes: list[str] = []
    for key, value in values.items():
        shown = f"{name}: {clean_name(key, 60)} = {clean_name(value, 60)}"
        if key in OURS and (OURS[key] is None or value in OURS[key]):
            continue
        if key in (*MODEL, *REPOSITORY):
            kept["model" if key in MODEL else "hf-repo"] = value
            match.append(glob.escape(PurePath(value).name if key in MODEL else value))
        elif key in READERS:
            try:
                found = READERS[key](value, options)
                for option, content in found.items():
                    option_value(option, plain_value(option, content))
                options.update(found)
            except ValueError as error:
                kept[key] = value
                notes.append(f"{shown} is kept and not used: {str(error).removesuffix('; it is left out')}")
        elif keys.knows(key) and key.lower() == key and "\0" not in value:
            extra += _words(key, value, keys, notes, shown)
        else:
            kept[key] = value
            reason = "this llama-server does not know it" if keys else "there is no llama-server to ask what it means"
            notes.append(f"{shown} is kept and not used: {reason}")
    if extra:
        options["extra"] = shlex.join(extra)
    return Preset(name, options, "from a presets.ini", tuple(match), server=kept), notes


def _words(key: str, value: str, keys: ServerKeys, notes: list[str], shown: str) -> list[str]:
    """Return a key as it stands on a command line; one that is switched off is left out, or has its opposite."""
    flag = f"-{key}" if len(key) == 1 else f"--{key}"
    if not keys.switch(key):
        return [flag, value]
    try:
        on = truth(value)
    except ValueError as error:
        notes.append(f"{shown} is left out: {error}")
        return []
    if on:
        return [flag]
    opposite = key.removeprefix("no-") if key.startswith("no-") else f"no-{key}"
    return [f"--{opposite}"] if keys.knows(opposite) else []
