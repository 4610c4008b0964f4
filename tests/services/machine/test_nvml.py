"""Cards through our own NvmlReader, and the driver that is not there."""

from __future__ import annotations

import ctypes.util
from dataclasses import dataclass, field

import pytest

from qtui.core.hardware import Gpu, Throttle
from qtui.services.machine.nvml import DriverReader, NvmlError, read_cards

GIB = 1 << 30
UNSUPPORTED = NvmlError("Not Supported", unsupported=True)


@dataclass
class FakeCards:
    """An NvmlReader whose cards are tables of field to answer; an NvmlError as the answer is raised."""

    cards: list[dict[str, object]] = field(default_factory=list)
    failure: NvmlError | None = None

    def count(self) -> int:
        if self.failure is not None:
            raise self.failure
        return len(self.cards)

    def _get(self, index: int, what: str) -> object:
        answer = self.cards[index][what]
        if isinstance(answer, NvmlError):
            raise answer
        return answer

    def name(self, index: int) -> str:
        answer = self._get(index, "name")
        assert isinstance(answer, str)
        return answer

    def uuid(self, index: int) -> str:
        answer = self._get(index, "uuid")
        assert isinstance(answer, str)
        return answer

    def memory(self, index: int) -> tuple[int, int]:
        answer = self._get(index, "memory")
        assert isinstance(answer, tuple)
        return answer

    def processes(self, index: int) -> list[tuple[int, int | None]]:
        answer = self._get(index, "processes")
        assert isinstance(answer, list)
        return answer

    def busy(self, index: int) -> float:
        answer = self._get(index, "busy")
        assert isinstance(answer, float)
        return answer

    def temperature(self, index: int) -> int:
        answer = self._get(index, "temperature")
        assert isinstance(answer, int)
        return answer

    def power(self, index: int) -> float:
        answer = self._get(index, "power")
        assert isinstance(answer, float)
        return answer

    def reasons(self, index: int) -> int:
        answer = self._get(index, "reasons")
        assert isinstance(answer, int)
        return answer

    def divided(self, index: int) -> bool:
        return bool(self._get(index, "divided"))


def card(**changes: object) -> dict[str, object]:
    plain = {"name": "RTX 4090", "uuid": "GPU-1", "memory": (24 * GIB, 20 * GIB), "processes": []}
    return {**plain, "busy": 7.0, "temperature": 40, "power": 33.5, "reasons": 1, "divided": False, **changes}


def test_two_cards_and_what_our_children_hold() -> None:
    running = [(10, 3 * GIB), (11, GIB), (99, 8 * GIB)]
    cards = read_cards(FakeCards([card(processes=running), card(name="RTX 3060", uuid="GPU-2")]), [10, 11])
    assert cards.problems == ()
    assert cards.gpus == (
        Gpu(0, "RTX 4090", 24 * GIB, 20 * GIB, "GPU-1", 4 * GIB, tuple(running), 7.0, 40, 33.5, ()),
        Gpu(1, "RTX 3060", 24 * GIB, 20 * GIB, "GPU-2", 0, (), 7.0, 40, 33.5, ()),
    )


def test_without_children_nobody_is_asked_for_processes() -> None:
    cards = read_cards(FakeCards([card(processes=NvmlError("must not be asked"))]))
    assert cards.problems == ()
    assert cards.gpus[0].used_by_us is None


def test_an_unsupported_field_is_unknown_and_no_problem() -> None:
    fields = ("memory", "uuid", "processes", "busy", "temperature", "power", "reasons", "divided")
    cards = read_cards(FakeCards([card(**dict.fromkeys(fields, UNSUPPORTED))]), [1])
    assert cards.problems == ()
    assert cards.gpus == (Gpu(0, "RTX 4090", None, None, "", None),)


def test_memory_that_the_driver_does_not_tell_of_a_process_is_unknown() -> None:
    cards = read_cards(FakeCards([card(processes=[(7, None), (8, GIB)])]), [7, 8])
    assert cards.gpus[0].used_by_us is None


def test_a_lost_card_is_one_problem_and_the_other_is_still_read() -> None:
    lost = NvmlError("GPU is lost", lost=True)
    cards = read_cards(FakeCards([card(**dict.fromkeys(card(), lost)), card()]))
    assert [gpu.name for gpu in cards.gpus] == ["GPU 0", "RTX 4090"]
    assert cards.gpus[0].free is None
    assert cards.problems == ("NVML: GPU 0 is lost: GPU is lost",)


def test_what_slows_a_card_down_is_told_and_idling_is_not() -> None:
    heat_and_power = 0x20 | 0x04 | 0x01
    cards = read_cards(FakeCards([card(reasons=heat_and_power), card(reasons=0x1), card(reasons=0x80 | 0x08)]))
    assert [gpu.throttled for gpu in cards.gpus] == [
        (Throttle.HEAT, Throttle.POWER_CAP), (), (Throttle.POWER_BRAKE, Throttle.HARDWARE),
    ]  # fmt: skip


def test_everyone_is_asked_for_though_nothing_of_ours_runs() -> None:
    cards = read_cards(FakeCards([card(processes=[(9, GIB)])]), everyone=True)
    assert (cards.gpus[0].processes, cards.gpus[0].used_by_us) == (((9, GIB),), None)


def test_no_driver_is_said() -> None:
    cards = read_cards(FakeCards(failure=NvmlError("NVIDIA driver not loaded")))
    assert cards.gpus == ()
    assert cards.problems == ("NVML: NVIDIA driver not loaded",)


def test_the_installed_driver_or_its_absence() -> None:
    """The real library: cards where there is a driver, one sentence where there is none; the same twice."""
    reader = DriverReader()
    first, second = read_cards(reader), read_cards(reader, [1])
    assert [gpu.uuid for gpu in first.gpus] == [gpu.uuid for gpu in second.gpus]
    if ctypes.util.find_library("nvidia-ml") is None:
        assert first.gpus == ()
        assert first.problems == second.problems == ("NVML: no NVIDIA driver library on this machine",)
        with pytest.raises(NvmlError) as caught:
            reader.count()
        assert caught.value.absent
