"""NVIDIA cards through NVML. No driver, no library, a lost card, an unsupported field: all normal, none raises.

`NvmlReader` is the little of NVML that qtui asks; `read_cards` turns it into values. NVML counts cards in PCI order
and sees all of them, whatever CUDA_VISIBLE_DEVICES says; engines number theirs by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import pynvml

from qtui.core.hardware import Gpu
from qtui.core.text import clean, clean_name

T = TypeVar("T")


class NvmlError(Exception):
    """NVML refused a call. `unsupported`: this card or system never answers it; `absent`: there is no NVIDIA driver."""

    def __init__(self, message: str, unsupported: bool = False, absent: bool = False) -> None:
        super().__init__(message)
        self.unsupported = unsupported
        self.absent = absent


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
        """Return (process id, bytes or None) of what computes on a card."""
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


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards, and in sentences what could not be read of them."""

    gpus: tuple[Gpu, ...] = ()
    problems: tuple[str, ...] = ()


def read_cards(reader: NvmlReader, pids: Iterable[int] = ()) -> Cards:
    """Read every card, and what the processes `pids` hold of it. Never raises.

    Where a card does not answer a field, the field is None; where it should have and failed, that is a problem too.
    """
    problems: list[str] = []
    try:
        count = reader.count()
    except NvmlError as error:
        return Cards((), (f"NVML: {error}",))
    ours = frozenset(pids)
    gpus = []
    for index in range(count):
        total, free = _answer(reader.memory, index, "memory", problems) or (None, None)
        name = _answer(reader.name, index, "name", problems) or f"GPU {index}"
        uuid = _answer(reader.uuid, index, "id", problems) or ""
        running = _answer(reader.processes, index, "processes", problems) if ours else None
        gpus.append(
            Gpu(
                index, name, total, free, uuid, None if running is None else _held(running, ours),
                processes=tuple(running or ()),
                busy=_answer(reader.busy, index, "load", problems),
                temperature=_answer(reader.temperature, index, "temperature", problems),
                power=_answer(reader.power, index, "power", problems),
            )
        )  # fmt: skip
    return Cards(tuple(gpus), tuple(problems))


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
        """Return (process id, bytes or None) of what computes on a card."""
        running = self._call(pynvml.nvmlDeviceGetComputeRunningProcesses, self._handle(index))
        return [(int(p.pid), None if p.usedGpuMemory is None else int(p.usedGpuMemory)) for p in running]

    def busy(self, index: int) -> float:
        """Return the percent of the last moments in which a card computed."""
        return float(self._call(pynvml.nvmlDeviceGetUtilizationRates, self._handle(index)).gpu)

    def temperature(self, index: int) -> int:
        """Return a card's temperature in degrees Celsius."""
        return int(self._call(pynvml.nvmlDeviceGetTemperature, self._handle(index), pynvml.NVML_TEMPERATURE_GPU))

    def power(self, index: int) -> float:
        """Return what a card draws, in watts."""
        return int(self._call(pynvml.nvmlDeviceGetPowerUsage, self._handle(index))) / 1000

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
