"""The keys as the user wants them: the command table under the settings' keys, with what cannot be had reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from textual.keys import Keys, _character_to_key, key_to_character

from qtui.core.settings import Problem
from qtui.core.text import clean_name
from qtui.ui.command import URGENT, Command, Where, key_name
from qtui.ui.commands import COMMANDS, rivals, spot_of

_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super", "hyper", "meta"})
_NAMED = frozenset(key.value for key in Keys if "+" not in key.value and not key.value.startswith("<")) | {
    _character_to_key(chr(code)) for code in range(33, 127)
}


@dataclass(frozen=True, slots=True)
class Keymap:
    """The table with the user's keys."""

    commands: tuple[Command, ...] = COMMANDS
    problems: tuple[Problem, ...] = ()

    def for_textual(self) -> dict[str, str]:
        """Return Textual's keymap; empty when every command has its own keys.

        All commands are named, or none: where two bindings of a widget share a key, Textual takes both away when one
        of them gets another (8.2, `BindingsMap.apply_keymap`). A command without a key gets one that no keyboard has.
        """
        if self.commands == COMMANDS:
            return {}
        return {c.id: c.keys or f"no-key-{c.id}" for c in self.commands if c.bound}


def resolve_keys(keys: Mapping[str, str], table: Iterable[Command] = COMMANDS) -> Keymap:
    """Put the user's keys (command id to key names, divided by commas) into the table.

    What cannot be is reported and left out: an unknown command or key, a key that a text field would swallow, and two
    commands of one spot with one key, of which neither then gets it.
    """
    before = {command.id: command for command in table}
    after = dict(before)
    problems: list[Problem] = []
    for name, wanted in keys.items():
        command = before.get(name)
        if command is None:
            problems.append(_problem(name, "names no command; docs/keys.md lists them"))
            continue
        normal = _normal(wanted)
        why = _refused(command, normal)
        if why:
            problems.append(_problem(name, f"{why}; it keeps {command.shown_keys}"))
        else:
            after[name] = replace(command, keys=",".join(normal))
    while clashes := _clashes(before, after):
        for command, other, key in clashes:
            after[command.id] = before[command.id]
            text = f"is {key_name(key)}, which is also {other.id} there; it keeps {before[command.id].shown_keys}"
            problems.append(_problem(command.id, text))
    return Keymap(tuple(after.values()), tuple(problems))


def _clashes(before: Mapping[str, Command], after: Mapping[str, Command]) -> list[tuple[Command, Command, str]]:
    """Return the changed commands that share a key with another one of their spot, the other one, and the key."""
    found = []
    for command in after.values():
        if command == before[command.id]:
            continue
        for other in rivals(command, after.values()):
            shared = set(_split(command.keys)) & set(_split(other.keys))
            if shared:
                found.append((command, other, min(shared)))
                break
    return found


def _refused(command: Command, keys: tuple[str, ...]) -> str:
    if not command.bound:
        return "cannot have another key"
    if not keys and command.id == "quit":
        return "cannot be without a key"
    for key in keys:
        *modifiers, base = key.split("+") if key != "+" else [key]
        if base not in _NAMED or not _MODIFIERS.issuperset(modifiers):
            return f"is {clean_name(key, 40)}, which is no key"
        if (command.id in URGENT or spot_of(command.where).typed) and types_something(key):
            return f"is {key_name(key)}, which a text field takes as text"
    return ""


def types_something(key: str) -> bool:
    """Tell whether a text field would take a key for itself."""
    character = key_to_character(key)
    return character is not None and character.isprintable()


def _normal(keys: str) -> tuple[str, ...]:
    """Return keys by Textual's names: `?` as `question_mark`."""
    parts = [part.strip() for part in keys.split(",")] if keys != "," else [","]
    return tuple(dict.fromkeys(_character_to_key(part) if len(part) == 1 else part for part in parts if part))


def _split(keys: str) -> list[str]:
    return [key for key in keys.split(",") if key]


def _problem(name: str, message: str) -> Problem:
    return Problem(f"keys.{clean_name(name, 60)}", message)


def commands_of(keymap: Keymap, where: Where) -> list[Command]:
    """Return the commands of one spot."""
    return [command for command in keymap.commands if command.where is where]
