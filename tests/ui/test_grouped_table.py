"""The table in more rows than the screen has: the cursor moves, and the screen follows it."""

from __future__ import annotations

import pytest

from tests.fakes import make_variant
from tests.ui.stage import Stage, screen_text, sees, table, wait_until

MANY = tuple(make_variant(f"M{number:02}", "Q4_0") for number in range(40))


@pytest.mark.parametrize(
    ("keys", "row"),
    [
        (["down"], "M01"), (["down", "down", "up"], "M01"), (["j", "k", "j"], "M01"), (["end"], "M39"),
        (["end", "home"], "M00"), (["G", "g"], "M00"), (["end", "up"], "M38"),
    ],
)  # fmt: skip
async def test_keys_move_the_cursor_though_the_table_could_scroll(keys: list[str], row: str) -> None:
    async with Stage(variants=MANY).app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "40 files")
        await pilot.press(*keys)
        await wait_until(pilot, lambda: table(pilot).key == f"/models/{row}-Q4_0.gguf")
        await sees(pilot, row)


async def test_pages_move_the_cursor_by_what_is_seen() -> None:
    async with Stage(variants=MANY).app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "40 files")
        await pilot.press("pagedown")
        await wait_until(pilot, lambda: table(pilot).key not in (None, "/models/M00-Q4_0.gguf"))
        assert "›" in screen_text(pilot)
        await pilot.press("pageup")
        await wait_until(pilot, lambda: table(pilot).key == "/models/M00-Q4_0.gguf")
