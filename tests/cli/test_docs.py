"""The page about the command says what the command does."""

from __future__ import annotations

from pathlib import Path

from qtui.cli.docs import JSON, cli_page

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_is_made_from_the_parser() -> None:
    assert PAGE.read_text() == cli_page(), "run: python -m qtui.cli.docs > docs/cli.md"


def test_every_verb_has_its_json_described() -> None:
    page = cli_page()
    for verb in ("ls", "show", "rm", "fit", "ask", "duel", "bench", "monitor", "doctor", "demo"):
        assert f"## `qtui {verb}`" in page
        assert verb in JSON
