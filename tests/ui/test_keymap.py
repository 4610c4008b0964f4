from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qtui.core.settings import Settings
from qtui.ui.command import Where
from qtui.ui.commands import COMMANDS, rivals
from qtui.ui.keymap import Keymap, resolve_keys
from tests.ui.stage import Stage, screen_text, sees, table, wait_until


def keys_of(keymap: Keymap) -> dict[str, str]:
    own = {command.id: command.keys for command in COMMANDS}
    return {c.id: c.keys for c in keymap.commands if c.keys != own[c.id]}


def test_without_wishes_nothing_changes() -> None:
    assert resolve_keys({}) == Keymap()
    assert Keymap().for_textual() == {}


def test_a_wish_is_taken_in_several_ways_of_writing() -> None:
    keymap = resolve_keys({"models.chat": "space, f5", "models.rescan": "!", "keys": "f1", "settings": "comma,f2"})
    assert keys_of(keymap) == {
        "models.chat": "space,f5", "models.rescan": "exclamation_mark", "keys": "f1", "settings": "comma,f2",
    }  # fmt: skip
    assert keymap.problems == ()


def test_a_command_may_be_without_a_key() -> None:
    keymap = resolve_keys({"models.copy": ""})
    assert keys_of(keymap) == {"models.copy": ""}
    assert keymap.for_textual()["models.copy"] == "no-key-models.copy"


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"models.chatt": "c"}, "names no command"),
        ({"mod\x1b[2J": "c"}, "names no command"),
        ({"models.chat": "wibble"}, "which is no key"),
        ({"models.chat": "ctrl+wibble"}, "which is no key"),
        ({"models.chat": "hyperspace+a"}, "which is no key"),
        ({"models.chat": "\x1b"}, "which is no key"),
        ({"models.chat": "a"}, "also models.a"),
        ({"models.chat": "1"}, "also go.models"),
        ({"keys": "j"}, "also"),
        ({"quit": "q"}, "takes as text"),
        ({"palette": "space"}, "takes as text"),
        ({"field.newline": "x"}, "takes as text"),
        ({"quit": ""}, "cannot be without a key"),
        ({"field.send": "f5"}, "cannot have another key"),
        ({"models.chat": "ctrl+q"}, "also quit"),
    ],
)
def test_what_cannot_be_is_reported_and_left_out(wish: dict[str, str], said: str) -> None:
    keymap = resolve_keys(wish)
    assert keys_of(keymap) == {}
    (problem,) = keymap.problems
    assert said in problem.message
    assert problem.line.isprintable()


def test_two_wishes_for_one_key_cancel_each_other() -> None:
    keymap = resolve_keys({"models.chat": "f5", "models.rescan": "f5", "models.copy": "f6"})
    assert keys_of(keymap) == {"models.copy": "f6"}
    assert {problem.key for problem in keymap.problems} == {"keys.models.chat", "keys.models.rescan"}


def test_two_commands_may_swap_their_keys() -> None:
    keymap = resolve_keys({"models.a": "b", "models.b": "a"})
    assert keys_of(keymap) == {"models.a": "b", "models.b": "a"}


IDS = st.sampled_from([command.id for command in COMMANDS])
KEYS = st.lists(st.sampled_from(["a", "b", "j", "1", "?", ",", "f5", "ctrl+q", "enter", "escape", "x", ""]), max_size=3)


@settings(deadline=None)  # other programs may keep the machine busy
@given(st.dictionaries(IDS, KEYS.map(",".join), max_size=6))
def test_no_wishes_make_a_clash(wishes: dict[str, str]) -> None:
    commands = resolve_keys(wishes).commands
    assert [c.id for c in commands] == [c.id for c in COMMANDS]
    for command in commands:
        mine = {key for key in command.keys.split(",") if key}
        for other in rivals(command, commands):
            assert mine.isdisjoint(other.keys.split(",")), (command.id, other.id)


async def test_the_users_keys_work_and_the_old_ones_do_not() -> None:
    stage = Stage()
    stage.settings.now = Settings(keys={"models.a": "b", "models.b": "a", "models.down": "f3,n", "keys": "f1"})
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "6 files")
        first = table(pilot).key
        await pilot.press("j")
        assert table(pilot).key == first
        await pilot.press("n", "f3")
        assert table(pilot).key not in (None, first)
        await pilot.press("a")
        await wait_until(pilot, lambda: any(row.mark == "B" for row in table(pilot).rows))
        assert "b side A" in screen_text(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert "Everywhere" not in screen_text(pilot)
        await pilot.press("f1")
        await sees(pilot, "f1")
        assert Where.MODELS.value in screen_text(pilot)


async def test_clashes_are_told_once_at_the_start() -> None:
    stage = Stage()
    stage.settings.now = Settings(keys={"models.chat": "a"})
    app = stage.app()
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await sees(pilot, "6 files")
        (notice,) = [n for n in app._notifications if "models.chat" in n.message]
        assert "also models.a" in notice.message
