"""NVIDIA cards through NVML. No driver, no library, a lost card, an unsupported field: all normal, none raises.

`NvmlReader` is the little of NVML that qtui asks; `read_cards` turns it into values. NVML counts cards in PCI order
and sees all of them, whatever CUDA_VISIBLE_DEVICES says; engines number theirs by themselves.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pynvml

from qtui.core.hardware import Gpu, Throttle
from qtui.core.text import clean, clean_name

T = TypeVar("T")


class NvmlError(Exception):
    """NVML refused a call.

    Args:
        message: a sentence.
        unsupported: this card or system never answers it.
        absent: there is no NVIDIA driver.
        lost: the card has fallen off the bus, and answers nothing any more.
    """

    def __init__(self, message: str, unsupported: bool = False, absent: bool = False, lost: bool = False) -> None:
        super().__init__(message)
        self.unsupported = unsupported
        self.absent = absent
        self.lost = lost


class NvmlReader(Protocol):
    """What qtui asks NVML; cards are counted from 0. Every call raises NvmlError when it fails."""

    def count(self) -> int:
        """Return how many cards there are."""
        ...

    def name(self, index: int) -> str:
        """Return a card's product name."""
        ...

    def uuid(self, index: int) -> str:
        """Return a card's unique id (`GPU-…`)."""
        ...

    def memory(self, index: int) -> tuple[int, int]:
        """Return a card's (total, free) bytes."""
        ...

    def processes(self, index: int) -> list[tuple[int, int | None]]:
        """Return (process id, bytes or None) of what computes or draws on a card."""
        ...

    def busy(self, index: int) -> float:
        """Return the percent of the last moments in which a card computed."""
        ...

    def temperature(self, index: int) -> int:
        """Return a card's temperature in degrees Celsius."""
        ...

    def power(self, index: int) -> float:
        """Return what a card draws, in watts."""
        ...

    def reasons(self, index: int) -> int:
        """Return why a card's clocks are not higher, as NVML's bits."""
        ...

    def divided(self, index: int) -> bool:
        """Tell whether a card is divided into instances (MIG)."""
        ...


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards, and in sentences what could not be read of them."""

    gpus: tuple[Gpu, ...] = ()
    problems: tuple[str, ...] = ()


_HOT = pynvml.nvmlClocksThrottleReasonSwThermalSlowdown | pynvml.nvmlClocksThrottleReasonHwThermalSlowdown
SLOWED = (
    (_HOT, Throttle.HEAT),
    (pynvml.nvmlClocksThrottleReasonSwPowerCap, Throttle.POWER_CAP),
    (pynvml.nvmlClocksThrottleReasonHwPowerBrakeSlowdown, Throttle.POWER_BRAKE),
    (pynvml.nvmlClocksThrottleReasonHwSlowdown, Throttle.HARDWARE),
)
"""NVML's bits that mean that a card is slowed down; idle clocks and clocks that the user has set do not."""


def read_cards(reader: NvmlReader, pids: Iterable[int] = (), *, everyone: bool = False) -> Cards:
    """Read every card, and what the processes `pids` hold of it. Never raises.

    Where a card does not answer a field, the field is None; where it should have and failed, that is a problem too.

    Args:
        reader: asks the driver.
        pids: qtui's own.
        everyone: ask for processes although none is qtui's own.
    """
    problems: list[str] = []
    try:
        count = reader.count()
    except NvmlError as error:
        return Cards((), (f"NVML: {error}",))
    ours = frozenset(pids)
    gpus = []
    for index in range(count):
        try:
            total, free = reader.memory(index)
        except NvmlError as error:
            if error.lost:
                gpus.append(Gpu(index, f"GPU {index}", None, None))
                problems.append(f"NVML: GPU {index} is lost: {error}")
                continue
            total = free = None  # type: ignore[assignment]  # read as a field below
            problems += [] if error.unsupported else [f"NVML: memory of GPU {index}: {error}"]
        gpus.append(_card(reader, index, (total, free), problems, ours=ours, everyone=everyone))
    return Cards(tuple(gpus), tuple(problems))


def _card(
    reader: NvmlReader, index: int, memory: tuple[int | None, int | None], problems: list[str],
    *, ours: frozenset[int], everyone: bool,
) -> Gpu:  # fmt: skip
    """Read the other fields of a card."""

    def ask(what: str, how: Callable[[int], T]) -> T | None:
        return _answer(how, index, what, problems)

    name, uuid = ask("name", reader.name), ask("id", reader.uuid)
    running = ask("processes", reader.processes) if ours or everyone else None
    reasons = ask("clocks", reader.reasons)
    return Gpu(
        index, name or f"GPU {index}", *memory, uuid or "",
        used_by_us=None if running is None or not ours else _held(running, ours),
        processes=tuple(running or ()),
        busy=ask("load", reader.busy), temperature=ask("temperature", reader.temperature),
        power=ask("power", reader.power),
        throttled=None if reasons is None else tuple(why for bits, why in SLOWED if reasons & bits),
        divided=bool(ask("division", reader.divided)),
    )  # fmt: skip


def _answer(ask: Callable[[int], T], index: int, what: str, problems: list[str]) -> T | None:
    """Return a field of a card; None when it has none, or, with a problem, when it failed."""
    try:
        return ask(index)
    except NvmlError as error:
        if not error.unsupported:
            problems.append(f"NVML: {what} of GPU {index}: {error}")
        return None


def _held(running: Iterable[tuple[int, int | None]], pids: frozenset[int]) -> int | None:
    """Add up what some processes hold; None when the driver does not say it of one of them (WSL, vGPU)."""
    sizes = [size for pid, size in running if pid in pids]
    return None if None in sizes else sum(size for size in sizes if size is not None)


class DriverReader:
    """NvmlReader over the installed driver; starts NVML at the first call, and again after the driver came back."""

    def __init__(self) -> None:
        self._started = False
        self._library_missing: NvmlError | None = None

    def count(self) -> int:
        """Return how many cards there are, starting NVML when that has not been done."""
        self._start()
        return int(self._call(pynvml.nvmlDeviceGetCount))

    def name(self, index: int) -> str:
        """Return a card's product name, clean."""
        return clean_name(_text(self._call(pynvml.nvmlDeviceGetName, self._handle(index))))

    def uuid(self, index: int) -> str:
        """Return a card's unique id."""
        return clean_name(_text(self._call(pynvml.nvmlDeviceGetUUID, self._handle(index))))

    def memory(self, index: int) -> tuple[int, int]:
        """Return a card's (total, free) bytes; cards that share the system's memory have none of their own."""
        memory = self._call(pynvml.nvmlDeviceGetMemoryInfo, self._handle(index))
        return int(memory.total), int(memory.free)

    def processes(self, index: int) -> list[tuple[int, int | None]]:
        """Return (process id, bytes or None) of what computes or draws on a card, each process once."""
        running = list(self._call(pynvml.nvmlDeviceGetComputeRunningProcesses, self._handle(index)))
        with contextlib.suppress(NvmlError):  # cards without a display engine
            running += self._call(pynvml.nvmlDeviceGetGraphicsRunningProcesses, self._handle(index))
        held: dict[int, int | None] = {}
        for one in running:
            known = held.get(int(one.pid))
            size = None if one.usedGpuMemory is None else int(one.usedGpuMemory)
            # A process that does both is listed twice with the same sum.
            held[int(one.pid)] = size if known is None else max(known, size or 0)
        return list(held.items())

    def busy(self, index: int) -> float:
        """Return the percent of the last moments in which a card computed."""
        return float(self._call(pynvml.nvmlDeviceGetUtilizationRates, self._handle(index)).gpu)

    def temperature(self, index: int) -> int:
        """Return a card's temperature in degrees Celsius."""
        return int(self._call(pynvml.nvmlDeviceGetTemperature, self._handle(index), pynvml.NVML_TEMPERATURE_GPU))

    def power(self, index: int) -> float:
        """Return what a card draws, in watts."""
        return int(self._call(pynvml.nvmlDeviceGetPowerUsage, self._handle(index))) / 1000

    def reasons(self, index: int) -> int:
        """Return why a card's clocks are not higher, as NVML's bits."""
        return int(self._call(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, self._handle(index)))

    def divided(self, index: int) -> bool:
        """Tell whether a card is divided into instances (MIG)."""
        current, _ = self._call(pynvml.nvmlDeviceGetMigMode, self._handle(index))
        return bool(int(current) == pynvml.NVML_DEVICE_MIG_ENABLE)

    def _handle(self, index: int) -> Any:
        return self._call(pynvml.nvmlDeviceGetHandleByIndex, index)

    def _start(self) -> None:
        if self._library_missing is not None:
            raise self._library_missing
        if self._started:
            return
        try:
            self._call(pynvml.nvmlInit)
        except NvmlError as error:
            if error.absent:
                self._library_missing = error
            raise
        self._started = True

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except pynvml.NVMLError as error:
            code = getattr(error, "value", None)
            if code in (pynvml.NVML_ERROR_UNINITIALIZED, pynvml.NVML_ERROR_DRIVER_NOT_LOADED):
                self._started = False
            raise NvmlError(
                _sentence(error, code),
                unsupported=code in (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND),
                absent=code == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND,
                lost=code == pynvml.NVML_ERROR_GPU_IS_LOST,
            ) from error
        except (OSError, AttributeError) as error:
            # A library that cannot be loaded, or that lacks the symbol.
            raise NvmlError(
                clean(str(error)) or type(error).__name__, unsupported=isinstance(error, AttributeError)
            ) from error


def _sentence(error: Exception, code: int | None) -> str:
    if code == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return "no NVIDIA driver library on this machine"
    if code == pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return "NVIDIA driver not loaded"
    return clean(str(error))


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
