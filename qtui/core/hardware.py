"""What the machine has and what is free of it now, as values. `None` is unknown, never zero."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Throttle(StrEnum):
    """Why a graphics card runs slower than it could."""

    HEAT = "heat"
    POWER_CAP = "power cap"
    """Its own power limit: normal under load on many cards."""
    POWER_BRAKE = "power brake"
    """The system asked it to draw less: a supply that is too weak."""
    HARDWARE = "hardware slowdown"
    CURRENT = "current limit"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One graphics card as its driver reports it; sizes in bytes."""

    index: int
    name: str
    total: int | None
    free: int | None
    uuid: str = ""
    used_by_us: int | None = None
    """What qtui's own children hold of it."""
    processes: tuple[tuple[int, int | None], ...] = ()
    """(process id, bytes or None: not told) of what computes on it; asked for while a session runs."""
    busy: float | None = None
    """Percent of the last moments in which it computed."""
    temperature: int | None = None
    """Degrees Celsius."""
    power: float | None = None
    """Watts."""
    throttled: tuple[Throttle, ...] | None = None
    """What slows it down now; None: not told."""
    divided: bool = False
    """Divided into instances (MIG): what is told of the whole may be missing, and a process has one instance only."""


@dataclass(frozen=True, slots=True)
class Pressure:
    """Share of the last ten seconds in which tasks waited for a resource, in percent (the kernel's PSI)."""

    some: float | None = None
    """At least one task waited."""
    full: float | None = None
    """All of them did: nothing was computed."""


@dataclass(frozen=True, slots=True)
class GroupEvents:
    """What the limit of our control group has led to so far; counters that only grow."""

    high: int | None = None
    """Times that it was throttled and made to give memory back."""
    limit: int | None = None
    """Times that it reached its limit."""
    oom_kills: int | None = None
    """Processes of it that the kernel has killed for memory."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A process that is not qtui's, and holds graphics memory or maps a GGUF file."""

    pid: int
    name: str
    """As the system calls it; clean."""
    resident: int | None = None
    """Bytes in RAM."""
    vram: int | None = None
    """Bytes of all cards; None: holds none, or not told."""
    file: str = ""
    """The GGUF file that it maps; clean."""


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Memory at one moment; sizes in bytes."""

    time: float
    """Seconds since the epoch."""
    ram_total: int | None
    ram_available: int | None
    """What the system would give now, capped by the cgroup's limit."""
    swap_total: int | None
    swap_used: int | None
    cgroup_limit: int | None = None
    """None: no limit below the machine's own memory."""
    cgroup_used: int | None = None
    gpus: tuple[Gpu, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read and why, e.g. `NVML: driver not loaded`."""
    cpu_percent: float | None = None
    """Of all processors together, since the sample before."""
    file_cache: int | None = None
    """Pages of files, mapped ones too, that are in RAM."""
    major_faults: float | None = None
    """Pages per second that had to be read from a disk to go on, of all processes. Few where files are read in order:
    the kernel then reads ahead, and whoever waits for that has a minor fault (see `refaults`)."""
    swap_in: float | None = None
    """Bytes per second read back from swap."""
    swap_out: float | None = None
    """Bytes per second written to swap."""
    refaults: float | None = None
    """Pages of files per second that were read back soon after they had been dropped, of all processes."""
    anonymous: int | None = None
    """Bytes of memory without a file behind it: it can only be swapped, not dropped."""
    locked: int | None = None
    """Bytes that may neither be dropped nor swapped."""
    memory_pressure: Pressure | None = None
    io_pressure: Pressure | None = None
    group_events: GroupEvents | None = None
    oom_kills: int | None = None
    """Processes that the kernel has killed for memory on the whole machine since it started."""
    foreign: tuple[Foreign, ...] | None = None
    """Processes of others that matter, looked for every few seconds; None: cannot be told here."""


class DeviceKind(StrEnum):
    """What llama.cpp calls a device's type."""

    CPU = "cpu"
    GPU = "gpu"
    IGPU = "igpu"
    ACCEL = "accel"


@dataclass(frozen=True, slots=True)
class Device:
    """A device that an engine can use, under llama.cpp's own name for it (`CPU`, `CUDA0`, `Vulkan0`)."""

    name: str
    description: str
    kind: DeviceKind
    total: int | None = None
    free: int | None = None

    @property
    def lent(self) -> bool:
        """Tell whether another machine lends it (`RPC0`); its description is then that machine's address."""
        return self.name.startswith("RPC")


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """An engine: what it is, which build, which devices it can use, or why it cannot be used."""

    name: str
    """`built-in`, or the path of a `llama-server`."""
    build: str = ""
    """llama.cpp's version and commit as the engine reports them."""
    version: str = ""
    devices: tuple[Device, ...] = ()
    features: tuple[str, ...] = ()
    """CPU features that the build uses, as llama.cpp names them (`AVX512`, `REPACK`)."""
    problem: str = ""
    """Why it cannot be used, or what is untested about it; empty when all is well."""
    usable: bool = True
    rpc: bool = False
    """It was built to use the devices of other machines (llama.cpp's RPC backend)."""

    @property
    def gpus(self) -> tuple[Device, ...]:
        """Return the devices that llama.cpp offloads layers to, in its order."""
        return tuple(d for d in self.devices if d.kind in (DeviceKind.GPU, DeviceKind.IGPU))


@dataclass(frozen=True, slots=True)
class Hardware:
    """What does not change while qtui runs."""

    cpu: str
    physical_cores: int
    logical_cores: int
    ram_total: int | None
    memlock_limit: int | None
    """Hard RLIMIT_MEMLOCK in bytes; None: no limit, or unknown."""


@dataclass(frozen=True, slots=True)
class ProcessMemory:
    """What the operating system says of one process; bytes, None where it cannot tell."""

    anonymous: int | None = None
    file_backed: int | None = None
    locked: int | None = None
    swapped: int | None = None
    peak: int | None = None
    """Highest resident size so far (VmHWM)."""
    vram: int | None = None

    @property
    def resident(self) -> int | None:
        """Return anonymous and file-backed resident bytes together."""
        if self.anonymous is None or self.file_backed is None:
            return None
        return self.anonymous + self.file_backed
