from __future__ import annotations

from collections import Counter

import pytest
from textual.binding import Binding

from qtui.ui.commands import COMMANDS, Where, bindings, key_name, shown
from qtui.ui.present.top_line import PLACES
from qtui.ui.widgets.key_line import key_line

SPOTS = {
    "models": {Where.MODELS, Where.EVERYWHERE},
    "filter": {Where.FILTER, Where.EVERYWHERE},
    "arena": {Where.ARENA, Where.THOUGHT, Where.EVERYWHERE},
    "field": {Where.FIELD, Where.EVERYWHERE},
}


def test_ids_are_unique() -> None:
    assert max(Counter(c.id for c in COMMANDS).values()) == 1


@pytest.mark.parametrize("spot", SPOTS)
def test_no_key_means_two_things_in_one_spot(spot: str) -> None:
    keys = Counter(key for c in COMMANDS if c.where in SPOTS[spot] for key in c.keys.split(","))
    assert [key for key, times in keys.items() if times > 1] == []


@pytest.mark.parametrize("where", [Where.FIELD, Where.FILTER])
def test_a_field_keeps_its_letters(where: Where) -> None:
    """A command of a field never hides a character that can be typed, and only ctrl+q gets past the field."""
    for command in COMMANDS:
        if command.where is where:
            assert all(len(key_name(key)) > 1 for key in command.keys.split(",")), command.id
    priority = [b for w in Where for b in bindings(w) if isinstance(b, Binding) and b.priority]
    assert [b.key for b in priority] == ["ctrl+q"]


def test_every_place_has_its_key_in_the_table() -> None:
    keys = {c.keys: c.action for c in COMMANDS if c.where is Where.EVERYWHERE}
    for key, name, _ in PLACES:
        assert keys[key] == f"go({name!r})"


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_the_line_of_keys_fits_and_keeps_what_works_everywhere(width: int) -> None:
    line = key_line(shown([Where.MODELS, Where.EVERYWHERE]), width)
    assert line.cell_length <= width
    assert line.plain.endswith("ctrl+q quit")


def test_hidden_commands_are_not_shown() -> None:
    assert [c.id for c in shown([Where.MODELS], frozenset({"models.a"}))][:2] == ["models.chat", "models.b"]
