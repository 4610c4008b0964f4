"""Alarms: each rule, what it blames, the change that would end it, and that none of them flickers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from qtui.core.hardware import Foreign, Gpu, GroupEvents, MemorySample, ProcessMemory, Throttle
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from qtui.core.memory.verdict import Margins
from qtui.core.monitor.alarms import CLEAR_S, Alarm, Change, Watch, alarms_now
from qtui.core.monitor.history import History, Moment
from qtui.core.monitor.remedies import fewer_layers, smaller_context
from qtui.core.monitor.rules import AlarmKind
from qtui.core.sessions import SessionSeen, SessionState
from qtui.core.text import GIB, MIB
from tests.fakes import make_seen

CALM = MemorySample(1000.0, 32 * GIB, 20 * GIB, 8 * GIB, 0, major_faults=0.0, swap_out=0.0)
MARGINS = Margins(ram=2 * GIB, gpu=GIB)
PLAN = replace(LoadPlan(), ctx_size=16384, n_gpu_layers=0, load_mode=LoadMode.MMAP)
HELD = ProcessMemory(anonymous=2 * GIB, file_backed=4 * GIB, locked=0, swapped=0)


def session(plan: LoadPlan = PLAN, memory: ProcessMemory = HELD, **fields: object) -> SessionSeen:
    plain: dict[str, object] = {"estimated_ram": 6 * GIB, "estimated_context": 2 * GIB, "context_used": 512}
    seen = make_seen("s1", "Qwen3-8B Q4_K_M", memory=memory, plan=plan.as_json())
    return replace(seen, record=replace(seen.record, **{**plain, **fields}))  # type: ignore[arg-type]


def card(**changes: object) -> Gpu:
    plain = Gpu(0, "A card", 12 * GIB, 4 * GIB, processes=((4242, 7 * GIB),), busy=97.0, temperature=70, throttled=())
    return replace(plain, **changes)  # type: ignore[arg-type]


class Machine:
    """Feeds moments to a watch, a second apart, and keeps what changed."""

    def __init__(self, expected: dict[str, float] | None = None) -> None:
        self.history = History()
        self.watch = Watch()
        self.changes: list[Change] = []
        self.now = 1000.0
        self.expected = expected

    def run(self, seconds: float, sample: MemorySample, *sessions: SessionSeen) -> tuple[Alarm, ...]:
        """Let some seconds pass in which nothing changes."""
        for _ in range(round(seconds)):
            self.now += 1
            self.history = self.history.add(Moment(replace(sample, time=self.now), sessions))
            self.watch, changed = self.watch.look(self.history, MARGINS, self.expected)
            self.changes += changed
        return self.watch.alarms


def only(alarms: Sequence[Alarm]) -> Alarm:
    (alarm,) = alarms
    return alarm


LOW = replace(CALM, ram_available=GIB)
SWAPPING = replace(CALM, swap_used=3 * GIB, swap_out=5.0 * MIB)
READING = replace(CALM, ram_available=GIB, major_faults=1800.0)
TROUBLES: dict[str, tuple[Callable[[Machine], None], AlarmKind, str]] = {
    "headroom of RAM": (lambda m: void(m.run(5, LOW, session())), AlarmKind.HEADROOM, "ram"),
    "headroom of a card": (
        lambda m: void(m.run(5, replace(CALM, gpus=(card(free=GIB // 2),)), session(estimated_vram=7 * GIB))),
        AlarmKind.HEADROOM, "gpu0",
    ),
    "swap": (lambda m: void(m.run(5, SWAPPING, session())), AlarmKind.SWAP, "ram"),
    "faults": (
        lambda m: void(m.run(5, replace(READING, ram_available=3 * GIB), session(estimated_ram=8 * GIB))),
        AlarmKind.FAULTS, "s1",
    ),
    "spill": (
        lambda m: void(m.run(8, replace(CALM, gpus=(card(free=1100 * MIB, total=80 * GIB),)), session(rate=8.0))),
        AlarmKind.SPILL, "s1",
    ),
    "throttling": (
        lambda m: void(m.run(8, replace(CALM, gpus=(card(throttled=(Throttle.HEAT,)),)), session())),
        AlarmKind.THROTTLING, "gpu0",
    ),
    "OOM kill": (
        lambda m: void(m.run(1, replace(CALM, oom_kills=3)), m.run(1, replace(CALM, oom_kills=4))),
        AlarmKind.OOM_KILL, "ram",
    ),
}  # fmt: skip


def void(*_: object) -> None:
    """Drop what a step returned."""


@pytest.mark.parametrize("name", TROUBLES)
def test_each_trouble_raises_its_alarm_and_no_other(name: str) -> None:
    trouble, kind, subject = TROUBLES[name]
    machine = Machine({"s1": 40.0})
    assert machine.run(5, replace(CALM, oom_kills=3), session()) == ()
    trouble(machine)
    assert only(machine.watch.alarms).key == (kind, subject)
    assert [change.raised for change in machine.changes] == [True]
    assert machine.changes[0].line.startswith("alarm: ")


@pytest.mark.parametrize("name", [name for name in TROUBLES if name != "OOM kill"])
def test_an_alarm_goes_when_its_trouble_is_over_and_not_before(name: str) -> None:
    machine = Machine({"s1": 40.0})
    TROUBLES[name][0](machine)
    raised = only(machine.watch.alarms)
    assert machine.run(CLEAR_S - 1, CALM, session())[0].key == raised.key
    assert machine.run(2, CALM, session()) == ()
    assert [change.raised for change in machine.changes] == [True, False]
    assert machine.changes[1].line.startswith("alarm over after ")


@pytest.mark.parametrize("name", [name for name in TROUBLES if name != "OOM kill"])
def test_a_moment_of_trouble_is_no_alarm(name: str) -> None:
    machine = Machine({"s1": 40.0})
    bad: list[Moment] = []
    TROUBLES[name][0](Recorder(bad))
    for _ in range(10):
        machine.run(1, bad[-1].sample, *bad[-1].sessions)
        machine.run(12, CALM, session())
    assert machine.changes == []


class Recorder(Machine):
    """Notes what would be fed."""

    def __init__(self, moments: list[Moment]) -> None:
        super().__init__()
        self._moments = moments

    def run(self, seconds: float, sample: MemorySample, *sessions: SessionSeen) -> tuple[Alarm, ...]:
        self._moments.append(Moment(sample, sessions))
        return ()


@pytest.mark.parametrize("name", [name for name in TROUBLES if name not in ("OOM kill", "throttling", "spill", "swap")])
def test_a_clock_that_jumps_ahead_raises_nothing(name: str) -> None:
    bad: list[Moment] = []
    TROUBLES[name][0](Recorder(bad))
    machine = Machine({"s1": 40.0})
    machine.run(1, bad[-1].sample, *bad[-1].sessions)
    machine.now += 3600
    assert machine.run(1, bad[-1].sample, *bad[-1].sessions) == ()


def test_a_clock_that_is_set_back_keeps_an_alarm_and_its_age_below_zero_never() -> None:
    machine = Machine()
    machine.run(5, LOW, session())
    machine.now -= 500
    alarms = machine.run(3, LOW, session())
    assert only(alarms).kind is AlarmKind.HEADROOM
    assert machine.run(CLEAR_S + 1, CALM, session()) == ()
    assert "over after 0 s" in machine.changes[-1].line


def test_without_a_session_low_memory_is_nobodys_business() -> None:
    machine = Machine()
    low = replace(LOW, gpus=(card(free=0, processes=((9, 8 * GIB),)),), swap_out=9.0 * MIB, major_faults=900.0)
    assert machine.run(20, low) == ()


def test_what_is_unknown_raises_nothing() -> None:
    machine = Machine({"s1": 40.0})
    nothing = MemorySample(1.0, None, None, None, None, gpus=(Gpu(0, "?", None, None),))
    bare = session(memory=ProcessMemory(), rate=None, estimated_ram=None, estimated_context=None)
    assert machine.run(20, nothing, bare) == ()
    assert machine.run(20, nothing, replace(bare, record=replace(bare.record, plan={"ctx_size": "x"}))) == ()


# Headroom


def test_headroom_names_who_took_the_memory_and_shrinks_the_cache() -> None:
    machine = Machine()
    machine.run(5, replace(CALM, foreign=(Foreign(77, "python", GIB),)), session())
    alarm = only(
        machine.run(5, replace(LOW, foreign=(Foreign(77, "python", 12 * GIB),)), session(estimated_context=4 * GIB))
    )
    assert alarm.message == "RAM 1.0 GiB free, you keep 2.0: python (pid 77) took 11.0"
    assert alarm.remedy is not None
    assert (alarm.remedy.session_id, alarm.remedy.words) == ("s1", "KV q8_0")
    assert alarm.since == 1006.0


def test_headroom_stays_until_there_is_some_slack() -> None:
    machine = Machine()
    machine.run(5, LOW, session())
    assert machine.run(20, replace(CALM, ram_available=2 * GIB + 64 * MIB), session())
    assert machine.run(CLEAR_S + 1, replace(CALM, ram_available=3 * GIB), session()) == ()


def test_locked_or_copied_weights_become_droppable_first() -> None:
    machine = Machine()
    alarm = only(machine.run(5, LOW, session(replace(PLAN, load_mode=LoadMode.MMAP_MLOCK))))
    assert alarm.remedy is not None
    assert (alarm.remedy.words, alarm.remedy.plan.load_mode) == ("load mode mmap", LoadMode.MMAP)


def test_headroom_of_a_card_names_the_process_that_took_it() -> None:
    machine = Machine()
    on_card = session(replace(PLAN, n_gpu_layers=37), estimated_vram=7 * GIB, estimated_context=2 * GIB)
    machine.run(3, replace(CALM, gpus=(card(),), foreign=(Foreign(4343, "python", GIB, MIB),)), on_card)
    taken = card(free=600 * MIB, processes=((4242, 7 * GIB), (4343, 1536 * MIB)))
    alarm = only(
        machine.run(5, replace(CALM, gpus=(taken,), foreign=(Foreign(4343, "python", GIB, 1536 * MIB),)), on_card)
    )
    assert alarm.message == "GPU0 0.6 GiB free, you keep 1.0: python (pid 4343) took 1.5"
    assert alarm.remedy is not None
    assert alarm.remedy.words == "KV q8_0"


def test_where_the_context_saves_too_little_layers_leave_the_card() -> None:
    on_card = session(replace(PLAN, n_gpu_layers=30), estimated_vram=6 * GIB, estimated_context=200 * MIB)
    machine = Machine()
    alarm = only(machine.run(5, replace(CALM, gpus=(card(free=0),)), on_card))
    assert alarm.remedy is not None
    assert alarm.remedy.plan.n_gpu_layers == 24  # 1.125 GiB at 0.2 GiB a layer


# Swap


def test_swap_that_only_stands_there_is_no_alarm_and_one_that_grows_is() -> None:
    machine = Machine()
    assert machine.run(20, replace(CALM, swap_used=4 * GIB), session()) == ()
    swapped = session(replace(PLAN, load_mode=LoadMode.NONE), replace(HELD, swapped=GIB))
    for step in range(6):
        machine.run(1, replace(CALM, swap_used=4 * GIB + step * 100 * MIB), swapped)
    alarm = only(machine.watch.alarms)
    assert alarm.message == "swap grows, 4.5 GiB now: 1.0 GiB of Qwen3-8B Q4_K_M are there"
    assert alarm.remedy is not None
    assert alarm.remedy.words == "load mode mmap"


def test_without_swap_nothing_can_grow() -> None:
    assert Machine().run(10, replace(SWAPPING, swap_total=0), session()) == ()


# Faults


def test_a_mapped_model_that_does_not_fit_is_blamed_with_the_numbers() -> None:
    """6 GiB are needed; 1 is to be had, and 2 are held already."""
    sample = replace(READING, cgroup_limit=4 * GIB, cgroup_used=4 * GIB, ram_available=GIB)
    machine = Machine()
    alarms = machine.run(5, sample, session())
    alarm = next(alarm for alarm in alarms if alarm.kind is AlarmKind.FAULTS)
    assert alarm.message == (
        "1800 pages a second are read from disk while Qwen3-8B Q4_K_M answers: it needs 6.0 GiB of RAM, and its "
        "control group, limited to 4.0, has room for 3.0"
    )
    assert alarm.remedy is None  # the context is 2 GiB and 3 are missing
    assert alarm.advice.startswith("a smaller quant")


def test_a_smaller_context_ends_it_where_that_is_enough() -> None:
    machine = Machine()
    alarms = machine.run(5, replace(READING, ram_available=2 * GIB), session(estimated_context=3 * GIB))
    alarm = next(alarm for alarm in alarms if alarm.kind is AlarmKind.FAULTS)
    assert alarm.remedy is not None
    assert alarm.remedy.words == "ctx 5376"


def test_first_touches_of_a_mapped_file_are_given_time() -> None:
    machine = Machine()
    plenty = replace(READING, ram_available=20 * GIB)
    assert machine.run(12, plenty, session()) == ()
    assert machine.run(6, plenty, session())


def test_pages_that_the_kernel_reads_ahead_count_though_nobody_has_a_major_fault() -> None:
    """Weights are read in order, so that few faults are major: seen on Linux 6.18 with a group that was too small."""
    sample = replace(READING, major_faults=1.0, refaults=60_000.0, ram_available=3 * GIB)
    alarm = only(Machine().run(5, sample, session(estimated_ram=8 * GIB)))
    assert alarm.message.startswith("60000 pages a second")


@pytest.mark.parametrize(("back", "raised"), [(300.0, False), (3000.0, True)])
def test_a_few_pages_read_back_where_there_is_room_are_anothers(back: float, raised: bool) -> None:
    sample = replace(CALM, major_faults=1.0, refaults=back)
    assert bool(Machine().run(20, sample, session())) is raised


def test_faults_while_nothing_answers_are_not_ours() -> None:
    assert Machine().run(30, replace(READING, ram_available=20 * GIB), session(state=SessionState.READY)) == ()


# Spill


def test_a_slow_answer_on_a_card_with_room_is_no_spill() -> None:
    machine = Machine({"s1": 40.0})
    assert machine.run(20, replace(CALM, gpus=(card(),)), session(rate=8.0)) == ()


def test_a_spill_tells_both_rates() -> None:
    machine = Machine({"s1": 40.0})
    full = replace(CALM, gpus=(card(free=100 * MIB),))
    on_card = session(replace(PLAN, n_gpu_layers=37), rate=8.0, estimated_vram=9 * GIB)
    alarm = next(alarm for alarm in machine.run(8, full, on_card) if alarm.kind is AlarmKind.SPILL)
    assert alarm.message.startswith("Qwen3-8B Q4_K_M writes 8.0 t/s instead of 40, and GPU0 is full")
    assert alarm.remedy is not None
    assert alarm.remedy.words == "KV q8_0"
    assert Machine({}).run(8, replace(full, gpus=(card(free=1100 * MIB),)), on_card) == ()


def test_while_it_reads_the_prompt_no_rate_is_expected() -> None:
    machine = Machine({"s1": 40.0})
    full = replace(CALM, gpus=(card(free=1100 * MIB, total=80 * GIB),))
    assert machine.run(20, full, session(rate=8.0, progress=0.5)) == ()


# Throttling


@pytest.mark.parametrize(
    ("changes", "raised"),
    [
        ({"throttled": (Throttle.POWER_CAP,)}, False),
        ({"throttled": (Throttle.POWER_CAP, Throttle.HEAT)}, True),
        ({"throttled": (Throttle.HEAT,), "busy": 3.0}, False),
        ({"throttled": (Throttle.POWER_BRAKE,), "busy": None}, True),
        ({"throttled": None}, False),
    ],
)
def test_only_what_is_unusual_is_throttling(changes: dict[str, object], raised: bool) -> None:
    assert bool(Machine().run(8, replace(CALM, gpus=(card(**changes),)), session())) is raised


# OOM kills


def test_a_kill_is_told_at_once_with_who_is_gone_and_forgotten_after_minutes() -> None:
    machine = Machine()
    before = replace(CALM, group_events=GroupEvents(0, 5, 1), oom_kills=9)
    machine.run(3, before, session())
    alarm = only(machine.run(1, replace(before, group_events=GroupEvents(0, 6, 2))))
    assert alarm.message == "the kernel has killed a process for want of memory; Qwen3-8B Q4_K_M is gone"
    assert alarm.since == machine.now
    after = replace(before, group_events=GroupEvents(0, 6, 2))
    assert only(machine.run(200, after)).since == alarm.since
    assert machine.run(120, after) == ()


def test_kills_of_other_groups_do_not_count_where_our_own_is_known() -> None:
    machine = Machine()
    machine.run(2, replace(CALM, group_events=GroupEvents(0, 0, 0), oom_kills=1))
    assert machine.run(2, replace(CALM, group_events=GroupEvents(0, 0, 0), oom_kills=5)) == ()


# Several at once


def test_the_newest_stands_first_and_of_equals_the_heavier() -> None:
    machine = Machine()
    machine.run(5, LOW, session())
    machine.run(5, replace(LOW, major_faults=1800.0, swap_out=5.0 * MIB), session(estimated_ram=9 * GIB))
    assert [alarm.kind for alarm in machine.watch.alarms] == [AlarmKind.FAULTS, AlarmKind.SWAP, AlarmKind.HEADROOM]


def test_a_single_look_waits_for_nothing() -> None:
    history = History().add(Moment(LOW, (session(),)))
    alarm = only(alarms_now(history, MARGINS))
    assert (alarm.kind, alarm.since) == (AlarmKind.HEADROOM, LOW.time)
    body = alarm.as_json()
    assert body["remedy"]["change"] == "ctx 7168"
    assert body["remedy"]["plan"]["ctx_size"] == 7168
    assert alarms_now(History(), MARGINS) == ()
    assert Watch().look(History())[1] == ()


# Remedies


def test_a_context_is_never_cut_below_what_is_in_it() -> None:
    full = session(replace(PLAN, cache_type_k="q8_0", cache_type_v="q8_0"), context_used=12000)
    assert smaller_context(full, GIB // 4) is not None
    assert smaller_context(full, GIB) is None


def test_without_flash_attention_the_cache_stays_as_it_is() -> None:
    remedy = smaller_context(session(replace(PLAN, flash_attn=FlashAttention.OFF)), GIB // 2)
    assert remedy is not None
    assert remedy.words == "ctx 12288"


def test_not_all_layers_are_taken_off_a_card() -> None:
    assert fewer_layers(session(replace(PLAN, n_gpu_layers=10), estimated_vram=GIB), 2 * GIB) is None
    assert fewer_layers(session(), GIB) is None
