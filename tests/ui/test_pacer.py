"""Rates are shown once everything was weighed, what is on screen first, and never measured beside an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.forecast import BUSY, Forecast
from qtui.core.library.variant import Variant
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard, Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit, Verdict
from qtui.core.origin import Origin
from qtui.core.sessions import SessionState
from qtui.core.text import GIB
from qtui.ui.pacer import Pacer
from qtui.ui.places.arena import ArenaPlace
from tests.fakes import FakeDryRun, FakeMachine, FakeSessions, Reply, ScriptedEngine, make_seen
from tests.ui.stage import LARGE, OTHER, PROJECTOR, SMALL, Stage, models, rows_of, screen_text, sees, wait_until
from tests.ui.test_chat import say


class KnownRates(Forecast):
    """Tells rates by name, and remembers what it was asked."""

    def __init__(self, rates: Mapping[Path, Speed]) -> None:
        self.rates = rates
        self.asked: list[Path] = []
        self.kept: list[Path] = []
        """What the history was asked about."""

    async def measured(self, variant: Variant, plan: LoadPlan) -> Speed | None:
        self.kept.append(variant.path)
        speed = self.rates.get(variant.path)
        return speed if speed is not None and speed.origin is Origin.MEASURED else None

    async def of(self, variant: Variant, weighing: Weighing) -> Speed:
        self.asked.append(variant.path)
        return self.rates.get(variant.path, Speed(None, Origin.UNKNOWN, note="nobody knows"))


RATES = {SMALL.path: Speed(41.2, Origin.MEASURED), LARGE.path: Speed(24.6, Origin.COMPUTED)}


async def weighed(variant: Variant) -> Weighing:
    machine, engine = FakeMachine(), ScriptedEngine()
    return await Guard(Footprints(FakeDryRun()), machine, engine).weigh(variant, LoadPlan())


async def test_what_was_paced_on_a_busy_machine_is_paced_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    forecast = KnownRates({SMALL.path: Speed(4.0, Origin.COMPUTED, note=BUSY)})
    pacer = Pacer(forecast)
    pacer.want(SMALL, await weighed(SMALL))
    assert [s.rate async for _, s in pacer.run(list, lambda: True)] == [4.0]
    pacer.renew()
    assert pacer.idle  # not at once
    monkeypatch.setattr("qtui.ui.pacer.RENEW_S", -1.0)
    pacer.renew()
    forecast.rates = {SMALL.path: Speed(32.0, Origin.COMPUTED)}
    assert [s.rate async for _, s in pacer.run(list, lambda: True)] == [32.0]
    pacer.renew()
    assert pacer.idle


async def test_the_detail_marks_a_rate_of_a_busy_machine_and_it_changes_once_it_is_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qtui.ui.pacer.RENEW_S", -1.0)
    stage, forecast = Stage(variants=(SMALL,)), KnownRates({SMALL.path: Speed(4.0, Origin.COMPUTED, note=BUSY)})
    stage.machine.now = replace(stage.machine.now, cpu_percent=95.0)
    stage.forecast = forecast
    async with stage.app().run_test(size=(80, 24)) as pilot:
        await sees(pilot, "measured beside other programs: faster without them")
        forecast.rates = {SMALL.path: Speed(32.0, Origin.COMPUTED)}
        stage.machine.now = replace(stage.machine.now, cpu_percent=2.0)
        stage.machine.set()
        await sees(pilot, "32.0")
        await wait_until(pilot, lambda: "beside other programs" not in screen_text(pilot))


async def test_what_is_on_screen_goes_first_and_what_cannot_be_loaded_is_left_out() -> None:
    forecast = KnownRates(RATES)
    pacer = Pacer(forecast)
    for variant in (SMALL, LARGE, OTHER, PROJECTOR):
        pacer.want(variant, await weighed(variant))
    hopeless = replace(await weighed(SMALL), verdict=Verdict(Fit.TOO_BIG))
    found = {v.path: s async for v, s in pacer.run(lambda: [LARGE.path], lambda: True)}
    assert forecast.asked == [LARGE.path, OTHER.path] and set(found) == {SMALL.path, LARGE.path, OTHER.path}
    assert pacer.idle
    pacer.want(SMALL, await weighed(SMALL))
    pacer.want(SMALL, hopeless)
    assert pacer.idle


async def test_nothing_is_measured_while_it_may_not_be() -> None:
    forecast = KnownRates(RATES)
    pacer = Pacer(forecast)
    pacer.want(LARGE, await weighed(LARGE))
    for _ in range(3):
        assert [_ async for _ in pacer.run(list, lambda: False)] == [] and not forecast.asked
    assert not pacer.idle and forecast.kept == [LARGE.path]  # the history is asked once, however often it is tried
    pacer.want(SMALL, await weighed(SMALL))
    assert [v async for v, _ in pacer.run(list, lambda: False)] == [SMALL]
    pacer.drop(LARGE.path)
    assert pacer.idle


async def test_without_a_forecast_nothing_is_wanted() -> None:
    pacer = Pacer(None)
    pacer.want(SMALL, await weighed(SMALL))
    assert pacer.idle


async def test_models_and_the_plan_show_rates_with_their_sign() -> None:
    stage = Stage(forecast=KnownRates(RATES))
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await sees(pilot, "~24.6")
        row = next(row for row in rows_of(pilot) if row.startswith("Q4_K_M"))
        assert " 41.2 " in row and "~41.2" not in row
        assert models(pilot).shelf.speed(SMALL.path) == RATES[SMALL.path]
        await pilot.press("p")
        await sees(pilot, "~24.6 t/s")


async def test_a_session_that_answers_holds_it_up() -> None:
    forecast = KnownRates(RATES)
    stage = Stage(forecast=forecast, sessions=FakeSessions(make_seen(state=SessionState.ANSWERING)))
    async with stage.app().run_test(size=(120, 36)) as pilot:
        await wait_until(pilot, lambda: "fits" in screen_text(pilot) and "asking" not in screen_text(pilot))
        await wait_until(pilot, lambda: models(pilot).vitals.history.latest)
        await sees(pilot, " 41.2 ")  # what was measured before is known all the same
        assert not forecast.asked
        stage.sessions.seen = []
        stage.machine.set(available=15 * GIB)
        await sees(pilot, "~24.6")


async def test_a_rate_is_shown_as_it_is_on_record_once_it_is() -> None:
    rates = {SMALL.path: Speed(11.0, Origin.COMPUTED)}
    forecast = KnownRates(rates)
    stage = Stage(forecast=forecast)
    stage.engine.enqueue(Reply("one", generation_rate=40.0), Reply("two", generation_rate=50.0))
    async with stage.duel(A=SMALL).run_test(size=(120, 36)) as pilot:
        await say(pilot, "why")
        await pilot.press("escape", "1")
        await sees(pilot, "40.0")  # measured by this run, and not on record yet
        rates[SMALL.path] = Speed(33.3, Origin.MEASURED)
        await pilot.press("3")
        await wait_until(pilot, lambda: isinstance(pilot.app.screen, ArenaPlace))
        await say(pilot, "why not")
        await pilot.press("escape", "1")
        await sees(pilot, "33.3")
        assert "50.0" not in screen_text(pilot)
