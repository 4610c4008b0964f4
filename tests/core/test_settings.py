from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.memory.options import OPTIONS
from qtui.core.memory.verdict import Margins
from qtui.core.settings import SETTING_KEYS, Settings, flatten, read_settings, size_text, write_settings
from qtui.core.text import GIB, parse_size

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("size", "text"), [(GIB, "1GiB"), (3 * GIB // 2, "1536MiB"), (2048, "2KiB"), (7, "7"), (0, "0")]
)
def test_sizes_are_written_exactly(size: int, text: str) -> None:
    assert size_text(size) == text
    assert parse_size(text) == size


def test_margins_not_set_are_those_of_the_guard() -> None:
    assert Settings().margins == Margins()
    assert Settings(margin_ram=0, margin_gpu=0).margins == Margins(0, 0)


def test_defaults_are_not_written() -> None:
    assert write_settings(Settings()) == {}
    assert write_settings(Settings(margin_ram=0)) == {"margins.ram": "0"}


def test_keys_are_found_however_they_are_nested() -> None:
    table = {"keys": {"a.b": "x", "c": {"d": "y", "e": {}}}, "margins": {}, "theme": {}, "x": 1}
    assert flatten(table) == {"keys.a.b": "x", "keys.c.d": "y", "keys.c.e": {}, "theme": {}, "x": 1}
    settings, problems = read_settings(table)
    assert settings.keys == {"a.b": "x", "c.d": "y"}
    assert [problem.key for problem in problems] == ["keys.c.e", "theme", "x"]


def test_every_key_is_described() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert [key for key in (*SETTING_KEYS, *OPTIONS) if f"`{key}`" not in page] == []
