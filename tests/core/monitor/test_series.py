from __future__ import annotations

from dataclasses import replace

from qtui.core.hardware import Gpu, MemorySample, ProcessMemory
from qtui.core.monitor.history import History, Moment
from qtui.core.monitor.series import Series, Unit, ram_used, series
from qtui.core.sessions import SessionRecord, SessionSeen, SessionState
from qtui.core.text import GIB, MIB

SAMPLE = MemorySample(1000.0, 32 * GIB, 20 * GIB, 8 * GIB, GIB // 2)
CARD = Gpu(0, "A card", 12 * GIB, 2 * GIB, busy=96.0, temperature=71, power=212.4)
RECORD = SessionRecord("s1", 5, 1, 4, "Tiny Q8_0", "/m/tiny.gguf", state=SessionState.ANSWERING, rate=41.2)
SEEN = SessionSeen(RECORD, ProcessMemory(anonymous=GIB, file_backed=GIB, locked=GIB))


def named(history: History, name: str, **labels: str) -> Series:
    (found,) = [line for line in series(history, labels) if line.name == name]
    return found


def test_without_a_moment_there_is_nothing() -> None:
    assert series(History()) == ()


def test_what_is_known_of_a_bare_machine() -> None:
    lines = series(History().add(Moment(SAMPLE)))
    assert [line.name for line in lines] == ["RAM", "swap", "disk", "CPU"]
    assert lines[0].now == "12.0 of 32.0 GiB   locked 0"
    assert (lines[0].points[0].value, lines[0].top) == (12 * GIB, 32 * GIB)
    assert lines[1].now == "0.5 of 8.0 GiB   in ?   out ? MiB/s"
    assert (lines[2].now, lines[2].points[0].value) == ("? major faults/s", None)
    assert lines[3].now == "? %"


def test_everything_that_may_be_known() -> None:
    full = replace(
        SAMPLE, gpus=(CARD,), cpu_percent=73.4, file_cache=6 * GIB, major_faults=250.0, swap_in=1.5 * MIB, swap_out=0.0
    )
    history = History().add(Moment(SAMPLE)).add(Moment(replace(full, time=1001.0), (SEEN,)))
    lines = series(history, {"s1": "A"})
    assert [line.name for line in lines] == ["RAM", "cache", "swap", "disk", "CPU", "GPU0", "t/s"]
    said = {line.name: line.now for line in lines}
    assert said["RAM"].endswith("locked 1.0")
    assert said["cache"] == "6.0 GiB of files in RAM"
    assert said["swap"].endswith("in 1.5   out 0 MiB/s")
    assert said["disk"] == "250 major faults/s"
    assert said["CPU"] == "73 %"
    assert said["GPU0"] == "10.0 of 12.0 GiB   96 %   71 °C   212 W"
    assert said["t/s"] == "A 41.2"
    assert [point.value for point in named(history, "GPU0").points] == [None, 10 * GIB]
    assert [point.value for point in named(history, "t/s").points] == [0.0, 41.2]  # before it was there: nothing
    assert named(history, "disk").top == 250.0


def test_a_machine_without_swap_says_so() -> None:
    history = History().add(Moment(replace(SAMPLE, swap_total=0, swap_used=0)))
    assert named(history, "swap").now == "none here"


def test_a_control_group_is_the_machine() -> None:
    limited = replace(SAMPLE, ram_available=GIB, cgroup_limit=4 * GIB)
    assert ram_used(limited) == 3 * GIB
    line = named(History().add(Moment(limited)), "RAM")
    assert (line.now.partition("   ")[0], line.top) == ("3.0 of 4.0 GiB", 4 * GIB)


def test_a_session_that_does_not_answer_generates_nothing() -> None:
    def line(**changes: object) -> Series:
        seen = SessionSeen(replace(RECORD, **changes))  # type: ignore[arg-type]
        return named(History().add(Moment(SAMPLE, (seen,))), "t/s")

    assert line(state=SessionState.READY).points[0].value == 0.0
    assert line(state=SessionState.READY).now == "Tiny Q8_0 41.2   ready"
    assert line(progress=0.25).points[0].value == 0.0
    assert line(progress=0.25, rate=None).now == "Tiny Q8_0 ?   reading 25 %"
    assert line(rate=None).points[0].value is None


def test_rates_share_one_scale() -> None:
    other = SessionSeen(replace(RECORD, id="s2", rate=10.0))
    lines = series(History().add(Moment(SAMPLE, (SEEN, other))), {"s1": "A", "s2": "B"})
    assert [(line.now, line.top) for line in lines if line.name == "t/s"] == [("A 41.2", 41.2), ("B 10.0", 41.2)]


def test_a_longer_span_reaches_further_back() -> None:
    history = History()
    for second in range(400):
        history = history.add(Moment(replace(SAMPLE, time=1000.0 + second), (SEEN,)))
    assert [len(line.points) for line in series(history)] == [60] * 5
    assert [len(line.points) for line in series(history, span_s=300.0)] == [300] * 5
    assert [len(line.points) for line in series(history, span_s=900.0)] == [400] * 5


def test_every_series_has_a_key_of_its_own_and_a_unit() -> None:
    other = SessionSeen(replace(RECORD, id="s2"))
    cards = (CARD, replace(CARD, index=1))
    lines = series(History().add(Moment(replace(SAMPLE, gpus=cards), (SEEN, other))))
    keys = [line.key for line in lines]
    assert len(set(keys)) == len(keys)
    assert keys[-4:] == ["GPU0", "GPU1", "t/s s1", "t/s s2"]
    units = {line.name: line.unit.value for line in lines}
    assert units == {
        "RAM": "GiB", "swap": "GiB", "disk": "pages/s", "CPU": "%", "GPU0": "GiB", "GPU1": "GiB", "t/s": "t/s",
    }  # fmt: skip


def test_values_in_their_unit() -> None:
    said = Unit.GIB.said
    assert [said(None), said(0.0), said(12.5 * GIB), said(MIB), said(0.05 * GIB), said(512.0 * GIB), said(1.0)] == [
        "?", "0", "12.5", "<.001", "0.05", "512", "<.001"
    ]  # fmt: skip
    assert [Unit.TOKENS.said(41.24), Unit.PERCENT.said(100.0), Unit.PAGES.said(2500.0)] == ["41.2", "100", "2500"]
