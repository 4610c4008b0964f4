"""The one table of commands: no key means two things in one spot, and none is lost to a text field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from textual.binding import Binding
from textual.widgets import Input, TextArea

from qtui.ui.command import HOMES, MODAL, TYPED, URGENT, WITHIN, Command, Where, key_name
from qtui.ui.commands import COMMANDS, bindings, rivals, shown, spot_of
from qtui.ui.keymap import types_something
from qtui.ui.present.top_line import PLACES
from qtui.ui.widgets.key_line import key_line


def keys(command: Command) -> list[str]:
    return command.keys.split(",")


def twice(commands: Iterable[Command]) -> list[str]:
    counted = Counter(key for command in commands for key in keys(command))
    return [key for key, times in counted.items() if times > 1]


def test_ids_are_unique() -> None:
    assert max(Counter(c.id for c in COMMANDS).values()) == 1


@pytest.mark.parametrize("where", Where)
def test_no_key_means_two_things_in_one_spot(where: Where) -> None:
    spot = spot_of(where)
    assert twice(c for c in COMMANDS if c in spot) == []


def test_a_clash_is_found() -> None:
    spot = spot_of(Where.MODELS)
    again = Command("x", "1", "x", "x", Where.MODELS, "x")
    assert twice(c for c in (*COMMANDS, again) if c in spot) == ["1"]
    assert "go.models" in {c.id for c in rivals(again, COMMANDS)}


def own_keys(field: type[Input | TextArea]) -> set[str]:
    return {binding.key for binding in Binding.make_bindings(field.BINDINGS)}


@pytest.mark.parametrize("where", sorted(TYPED))
def test_a_field_swallows_no_command(where: Where) -> None:
    """What is bound where text is typed is no key that types, and none that the field has another use for."""
    spot = spot_of(where)
    for command in COMMANDS:
        if command in spot and command.bound:
            # The prompt field's own commands are bindings of the field itself, and so come before Textual's.
            own = where is Where.FIELD and command.where is where
            taken = set() if own else own_keys(TextArea if where is Where.FIELD else Input)
            for key in keys(command):
                assert not types_something(key), (command.id, key)
                assert key not in taken, (command.id, key)


def test_only_what_is_urgent_gets_past_a_field() -> None:
    priority = [b for w in Where for b in bindings(w) if isinstance(b, Binding) and b.priority]
    assert sorted((b.id, b.key) for b in priority) == [("palette", "ctrl+p"), ("quit", "ctrl+q")]
    assert {b.id for b in priority} == URGENT


def test_every_spot_belongs_to_a_place_or_a_panel() -> None:
    assert set(HOMES.values()) == {name for _, name, _ in PLACES}
    assert all(inner in HOMES and outer in HOMES for inner, outer in WITHIN.items())
    assert MODAL.isdisjoint({*HOMES, Where.EVERYWHERE})
    assert not any(c.where is Where.EVERYWHERE and c.id not in URGENT for c in COMMANDS if c in spot_of(Where.PANEL))


def test_every_place_has_its_key_in_the_table() -> None:
    actions = {c.keys: c.action for c in COMMANDS if c.where is Where.EVERYWHERE}
    for key, name, _ in PLACES:
        assert actions[key] == f"go({name!r})"


def test_every_command_says_what_it_does() -> None:
    for command in COMMANDS:
        assert command.help, command.id
        assert len(command.label) <= 20, command.id
        assert command.bound == bool(command.action), command.id
        assert command.id.isascii(), command.id


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_the_line_of_keys_fits_and_keeps_what_works_everywhere(width: int) -> None:
    line = key_line(shown([Where.MODELS, Where.EVERYWHERE]), width)
    assert line.cell_length <= width
    assert line.plain.endswith("ctrl+q quit")


def test_hidden_commands_are_not_shown() -> None:
    assert [c.id for c in shown([Where.MODELS], frozenset({"models.a"}))][:2] == ["models.chat", "models.b"]


def test_keys_are_shown_as_a_hand_knows_them() -> None:
    assert key_name("question_mark") == "?"
    assert key_name("equals_sign") == "="
    assert key_name("ctrl+q") == "ctrl+q"


def test_the_way_out_of_a_panel_stays_on_the_line_of_keys_however_narrow() -> None:
    for where in (Where.PLAN, Where.QUANTISE, Where.MEASURE):
        line = str(key_line(shown([where]), 40))
        assert line.endswith(("esc back", "esc close")) and len(line) <= 40
