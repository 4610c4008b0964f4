"""The page about keys says what the keys do."""

from __future__ import annotations

from pathlib import Path

from qtui.cli.keys_doc import keys_page
from qtui.ui.commands import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "keys.md"


def test_the_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == keys_page(), "run: python -m qtui.cli.keys_doc > docs/keys.md"


def test_every_command_is_on_it() -> None:
    page = keys_page()
    for command in COMMANDS:
        assert command.help in page
        assert command.id in page or not command.bound
