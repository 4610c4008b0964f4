"""What a command is, and where it can be given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Where a command can be given; the values are the headings of the `?` panel."""

    EVERYWHERE = "Everywhere"
    MODELS = "Models"
    HUB = "Hub, in the results"
    HUB_SEARCH = "Hub, in the search box"
    REPOSITORY = "Hub, in a repository"
    FILTER = "Models, in the filter"
    ARENA = "Arena, outside the field"
    THOUGHT = "Arena, on folded thinking"
    FIELD = "Arena, in the field"
    MONITOR = "Monitor"
    SESSION = "Monitor, on a session"
    SERIES = "Monitor, on a line of history"
    PANEL = "In a panel"
    DIFF = "Where answers differ"
    DETAILS = "Details of a variant"
    LADDER = "Ladder"
    ADVICE = "Advice"
    FRONTIER = "Frontier"
    HELP = "Help pages"
    COMPARE = "Compare"
    DELETE = "In the question before deleting"
    DOWNLOADS = "Downloads"
    SUITES = "Suites"
    HISTORY = "History"
    HISTORY_SEARCH = "History, in the search"
    QUANTISE = "Quantise"
    MEASURE = "Measure"
    PLAN = "Plan"
    PLAN_FIELD = "Plan, while a value is typed"
    PALETTE = "In the palette"
    SETTINGS = "In settings"
    SETTING = "In settings, while a value is typed"
    SAMPLING = "In the sampling panel"
    QUIT = "In the question before quitting"


TYPED = frozenset(
    {
        Where.FILTER,
        Where.HUB_SEARCH,
        Where.FIELD,
        Where.PALETTE,
        Where.SETTING,
        Where.SAMPLING,
        Where.PLAN_FIELD,
        Where.HISTORY_SEARCH,
    }
)
"""Where a text field has the focus: it keeps every key that types something."""
WITHIN: Mapping[Where, Where] = {
    Where.THOUGHT: Where.ARENA, Where.SESSION: Where.MONITOR, Where.SERIES: Where.MONITOR,
}  # fmt: skip
"""Spots inside of others, whose keys work there too."""
HOMES: Mapping[Where, str] = {
    Where.MODELS: "models", Where.FILTER: "models",
    Where.HUB: "hub", Where.HUB_SEARCH: "hub", Where.REPOSITORY: "hub",
    Where.ARENA: "arena", Where.THOUGHT: "arena", Where.FIELD: "arena",
    Where.MONITOR: "monitor", Where.SESSION: "monitor", Where.SERIES: "monitor",
}  # fmt: skip
"""The places that the spots belong to; the others belong to panels."""
MODAL = frozenset(Where) - HOMES.keys() - {Where.EVERYWHERE}
"""Where of the keys for everywhere only the urgent ones work."""
URGENT = frozenset({"quit", "palette"})
"""The commands that work from every spot, past a text field too."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    id: str
    """Unique; what a keymap of the user's names."""
    keys: str
    """Textual's key names, separated by commas; the first one is shown."""
    action: str
    label: str
    """One or two words, for the line of keys; empty: not shown there."""
    where: Where
    help: str
    """What it does, for the `?` panel."""
    bound: bool = True
    """False: the widget that has the focus handles the key itself."""

    @property
    def shown_key(self) -> str:
        """Return its first key as a hand knows it; empty when the user took it away."""
        return key_name(self.keys.split(",")[0])

    @property
    def shown_keys(self) -> str:
        """Return all its keys as a hand knows them."""
        return " ".join(key_name(key) for key in self.keys.split(",") if key)


_KEY_NAMES = {
    "question_mark": "?", "slash": "/", "escape": "esc", "pagedown": "pgdn", "pageup": "pgup", "comma": ",",
    "equals_sign": "=", "less_than_sign": "<", "greater_than_sign": ">", "plus": "+", "minus": "-",
}  # fmt: skip


def key_name(key: str) -> str:
    """Return a key of Textual's as it is written on screen."""
    return _KEY_NAMES.get(key, key)
