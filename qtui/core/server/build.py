"""A build of llama-server: its version, its options as its own `--help` lists them, its devices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from qtui.core.hardware import Device, EngineInfo

MOST_OPTIONS = 4096
_NAME = re.compile(r"(?<![\w-])-{1,2}[A-Za-z][\w.-]*")
_CELL = re.compile(r"(?<![,\s])\s{2,}")
_ENV = re.compile(r"\(env: (\w{1,80})\)")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of `--help`."""

    names: tuple[str, ...]
    """Short and long, with their dashes."""
    argument: str = ""
    """What follows it (`N`, `[on|off|auto]`); empty for a switch."""
    text: str = ""
    """What `--help` says of it, its environment variable included."""

    @property
    def variable(self) -> str:
        """Return the environment variable that sets it, empty where none is named."""
        found = _ENV.search(self.text)
        return found[1] if found else ""


@dataclass(frozen=True, slots=True)
class ServerBuild:
    """What a program told of itself."""

    info: EngineInfo
    options: Mapping[str, Option] = field(default_factory=lambda: MappingProxyType({}))
    """By every name; empty where `--help` could not be read."""

    def knows(self, name: str) -> bool:
        """Tell whether it has an option."""
        return name in self.options

    def takes(self, name: str) -> bool:
        """Tell whether an option that it has is followed by a value."""
        return name in self.options and bool(self.options[name].argument)

    @property
    def rpc(self) -> bool:
        """Tell whether it was built to work with the devices of other machines."""
        return self.info.rpc

    @property
    def devices(self) -> tuple[Device, ...]:
        """Return its devices."""
        return self.info.devices


def parse_help(text: str) -> dict[str, Option]:
    """Read `--help` of llama-server, of now and of old builds (common/arg.cpp): options by every name.

    A line that begins with an option has the names, its argument and, after two spaces, the text, which goes on in
    lines that are indented further.
    """
    found: list[tuple[tuple[str, ...], str, list[str]]] = []
    for line in text.split("\n"):
        if re.match(r" {0,2}-", line):
            left, *rest = _CELL.split(line.strip(), maxsplit=1)
            names = tuple(match[0] for match in _NAME.finditer(left))
            if names and len(found) < MOST_OPTIONS:
                argument = left[left.rindex(names[-1]) + len(names[-1]) :].strip(" ,")
                found.append((names, argument, rest))
                continue
        if found and line.startswith("  ") and line.strip():
            found[-1][2].append(line.strip())
    options = (Option(names, argument, " ".join(said)) for names, argument, said in found)
    return {name: option for option in options for name in option.names}
