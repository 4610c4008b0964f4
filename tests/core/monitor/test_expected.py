"""Expected rates: asked once a session, from what was measured."""

from __future__ import annotations

from qtui.core.errors import BadFileError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.monitor.expected import Expected
from qtui.core.sessions import SessionState
from tests.fakes import FakeLibrary, make_seen, make_variant

TINY = make_variant()


async def test_each_session_is_asked_for_once_when_it_is_loaded() -> None:
    asked: list[tuple[str, int]] = []

    async def rate(variant: Variant, plan: LoadPlan) -> float | None:
        asked.append((variant.model, plan.ctx_size))
        return 40.0

    expected = Expected(FakeLibrary(TINY), rate)
    expected.learn([make_seen(path=str(TINY.path), state=SessionState.LOADING)])
    await expected.settle()
    assert (asked, expected.rates) == ([], {})
    for _ in range(3):
        expected.learn([make_seen(path=str(TINY.path))])
        await expected.settle()
    assert (asked, dict(expected.rates)) == ([("Tiny", 4096)], {"s1": 40.0})
    expected.learn([])
    await expected.settle()
    assert expected.rates == {}


async def test_what_nobody_measured_is_not_expected() -> None:
    async def nothing(variant: Variant, plan: LoadPlan) -> float | None:
        raise BadFileError("gone")

    expected = Expected(FakeLibrary(TINY), nothing)
    expected.learn([make_seen(path=str(TINY.path)), make_seen("s2", path="/gone"), make_seen("s3", plan={"lora": 3})])
    assert expected.rates == {}
