"""The format of `presets.ini` (llama.cpp, common/preset.cpp): sections of `key = value`, comments behind `;` or `#`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from qtui.core.errors import BadFileError, UsageError
from qtui.core.text import clean_name

MAX_BYTES = 1 << 20
MOST_SECTIONS = 1000
MOST_KEYS = 500
GLOBAL, UNNAMED = "*", "default"
"""The section that counts for all others, and what stands before the first."""
_HEAD = re.compile(r"[ \t]*\[[ \t]*([^\]]+?)[ \t]*\][ \t]*(?:[;#].*)?")
_PAIR = re.compile(r"[ \t]*([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*=[ \t]*([^;#]*?)[ \t]*(?:[;#].*)?")
_EMPTY = re.compile(r"[ \t]*(?:[;#].*)?")


@dataclass(frozen=True, slots=True)
class Section:
    """One section; the last of several values of a key counts."""

    name: str
    keys: Mapping[str, str] = field(default_factory=dict)


def parse_ini(text: str) -> tuple[Section, ...]:
    """Read sections in their order; one that stands twice is the later one, as llama-server has it.

    Raises:
        BadFileError: a line is none of the format; llama-server would refuse the whole file too.
    """
    found: dict[str, dict[str, str]] = {}
    current = found.setdefault(UNNAMED, {})
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), 1):
        if _EMPTY.fullmatch(line):
            continue
        if head := _HEAD.fullmatch(line):
            if len(found) > MOST_SECTIONS:
                raise BadFileError(f"there are more than {MOST_SECTIONS} sections", "divide the file")
            found.pop(head[1], None)
            current = found.setdefault(head[1], {})
        elif pair := _PAIR.fullmatch(line):
            if len(current) >= MOST_KEYS:
                raise BadFileError(f"line {number}: there are more than {MOST_KEYS} keys in a section", "divide it")
            current[pair[1]] = pair[2]
        else:
            raise BadFileError(
                f"line {number} is no section and no key: {clean_name(line.strip(), 60)}",
                "a line is [NAME], KEY = VALUE, or a comment behind ; or #",
            )
    return tuple(Section(name, keys) for name, keys in found.items() if keys or name != UNNAMED)


def unsayable(value: str) -> str:
    """Return why a value cannot be written, empty where it can: there is no way to quote."""
    if not value.isprintable():
        return "it holds a sign that no line shows"
    if sign := next((sign for sign in value if sign in ";#"), ""):
        return f"it holds {sign}, behind which llama-server takes everything for a comment"
    return "it begins or ends with a space" if value != value.strip() else ""


def section_name(name: str) -> str:
    """Return a name as llama-server keeps it: without brackets, and without a colon, behind which it puts capitals."""
    plain = re.sub(r"\s+", " ", name.replace("[", "(").replace("]", ")").replace(":", " -")).strip()
    return {GLOBAL: "all", "": "unnamed"}.get(plain, plain)


def write_ini(sections: Iterable[Section], head: str = "") -> str:
    """Write sections.

    Raises:
        UsageError: a value cannot be written.
    """
    lines = [f"; {line}" for line in head.splitlines()]
    lines += ["version = 1"]
    for section in sections:
        lines += ["", f"[{section.name}]"]
        for key, value in section.keys.items():
            if reason := unsayable(value):
                raise UsageError(f"{section.name}: {key} cannot be written: {reason}", "leave it out")
            lines.append(f"{key} = {value}")
    return "\n".join(lines) + "\n"
