"""Which keys a llama-server knows, by its own `--help`: one that it does not know makes it refuse a whole file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from qtui.core.server.build import Option

PRESET_ONLY = ("load-on-startup", "stop-timeout", "dedup-cache-models")
"""Keys that are no options (common/arg.cpp, common_params_add_preset_options)."""
_ONE = re.compile(r"<[^>]*>|\[[^\]]*\]")


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """What one build knows."""

    arity: Mapping[str, int] = field(default_factory=dict)
    """How many values follow, by name without dashes and by environment variable."""

    def __bool__(self) -> bool:
        """Tell whether anything is known."""
        return bool(self.arity)

    def knows(self, key: str) -> bool:
        """Tell whether a key may stand in its `presets.ini`: two values cannot."""
        return self.arity.get(key, 2) < 2

    def switch(self, key: str) -> bool:
        """Tell whether an option has no value on a command line."""
        return self.arity.get(key) == 0


def keys_of(options: Mapping[str, Option]) -> ServerKeys:
    """Return the keys that options make: every name without dashes, and the environment variable."""
    arity: dict[str, int] = {}
    for option in options.values():
        values = len(_ONE.sub("X", option.argument).split())
        arity.update(dict.fromkeys((name.lstrip("-") for name in option.names), values))
        if option.variable:
            arity[option.variable] = values
    return ServerKeys({**arity, **dict.fromkeys(PRESET_ONLY, 1)} if arity else {})
