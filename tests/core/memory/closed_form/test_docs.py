"""`docs/memory.md` names what is not exact, as the code has it."""

from __future__ import annotations

import re
from pathlib import Path

from qtui.core.memory.closed_form import exactness
from qtui.core.memory.consumers import BUILT_IN, CONSUMERS

TEXT = (Path(__file__).parents[4] / "docs" / "memory.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return TEXT.split(f"{title}\n")[1].split("\n#")[0]


def test_every_approximate_architecture_is_named() -> None:
    assert set(re.findall(r"`([\w-]+)`", section("### Approximate"))) == exactness.APPROXIMATE


def test_the_known_misses_are_listed_with_their_bands() -> None:
    listed: dict[str, float] = {}
    for names, percent in re.findall(r"\| (`.+`) \| (\d+) % \|", section("## What is estimated: the compute buffer")):
        listed |= {name: int(percent) / 100 for name in re.findall(r"`([\w-]+)`", names)}
    assert listed == exactness.MISSES
    for band in (exactness.COMPUTE_BAND, exactness.UNCOMPARED_BAND, exactness.SHORT_WITHOUT_FLASH):
        assert f"{round(100 * band)} %" in TEXT


def test_the_table_of_engines_is_the_code_s() -> None:
    for consumer in CONSUMERS:
        context = "trained" if not consumer.ctx_size else str(consumer.ctx_size)
        if consumer is BUILT_IN:
            context = f"min({consumer.ctx_size}, trained)"
        slots = f"{consumer.slots}, shared" if consumer.unified else str(consumer.slots)
        cells = (
            consumer.name, context, f"{consumer.batch_size} / {consumer.ubatch_size}", slots,
            consumer.flash_attn.value, "yes" if consumer.swa_full else "no", consumer.outputs.value,
        )  # fmt: skip
        assert f"| {' | '.join(cells)} |" in TEXT
