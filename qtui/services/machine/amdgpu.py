"""AMD cards through the amdgpu driver's sysfs and fdinfo. What a card or kernel does not tell is None.

Sources: the kernel's gpu/amdgpu/driver-misc.rst (mem_info_vram_*, product_name, unique_id), gpu/amdgpu/thermal.rst
(gpu_busy_percent, hwmon, gpu_metrics), gpu/drm-usage-stats.rst (fdinfo); include/kgd_pp_interface.h for the layout of
gpu_metrics v1.3, and pm/swsmu/inc/amdgpu_smu.h for the bits that say what throttles a card.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from qtui.core.hardware import Gpu, Throttle
from qtui.core.text import KIB, MIB, clean_name
from qtui.services.machine.cgroup import ROOT

VENDOR = "0x1002"
LEAST_VRAM = 1 << 30
"""Below it, it is the part of RAM that an integrated one sets aside; what it computes in is RAM."""
MOST_DESCRIPTORS = 1024
_CARD = re.compile(r"card(\d+)")
_METRICS = struct.Struct("<HBB")
_THROTTLE_AT = 112
"""Where v1.3 has `indep_throttle_status`."""
_BITS = ((range(16), Throttle.POWER_CAP), (range(16, 32), Throttle.CURRENT), (range(32, 56), Throttle.HEAT))
_SIZE = re.compile(r"(\d+)\s*(KiB|MiB)?")


def amd_cards(first_index: int = 0, pids: Iterable[int] = (), root: Path = ROOT) -> tuple[Gpu, ...]:
    """Return the AMD cards, counted from `first_index`, and what processes hold of them.

    Args:
        first_index: how many cards other drivers have.
        pids: whose memory is looked up.
        root: where `proc` and `sys` are mounted.
    """
    devices = [device for device in _devices(root) if (_number(device / "mem_info_vram_total") or 0) >= LEAST_VRAM]
    held = _held(pids, root) if devices else {}
    return tuple(_card(index, device, held) for index, device in enumerate(devices, first_index))


def throttled(metrics: bytes) -> tuple[Throttle, ...] | None:
    """Return what slows a card down, of the content of `gpu_metrics`; None for layouts that do not tell."""
    if len(metrics) < _THROTTLE_AT + 8:
        return None
    size, layout, content = _METRICS.unpack_from(metrics)
    if (layout, content) != (1, 3) or not _THROTTLE_AT + 8 <= size <= len(metrics):
        return None
    (status,) = struct.unpack_from("<Q", metrics, _THROTTLE_AT)
    if status == 2**64 - 1:  # the driver fills what a card does not tell with ones
        return None
    return tuple(why for bits, why in _BITS if any(status >> bit & 1 for bit in bits))


def _devices(root: Path) -> Iterator[Path]:
    base = root / "sys/class/drm"
    try:
        names = sorted((int(match[1]), name) for name in os.listdir(base) if (match := _CARD.fullmatch(name)))  # noqa: PTH208
    except OSError:
        return
    for _, name in names:
        if _text(base / name / "device/vendor") == VENDOR:
            yield base / name / "device"


def _card(index: int, device: Path, held: dict[str, dict[int, int]]) -> Gpu:
    total, used = _number(device / "mem_info_vram_total"), _number(device / "mem_info_vram_used")
    address = _slot(device)
    power = _sensor(device, "power1_average") or _sensor(device, "power1_input")
    heat = _sensor(device, "temp1_input")
    running = held.get(address, {})
    busy = _number(device / "gpu_busy_percent")
    return Gpu(
        index, clean_name(_text(device / "product_name")) or f"AMD GPU {clean_name(_text(device / 'device'))}".strip(),
        total, None if total is None or used is None else max(0, total - used),
        clean_name(_text(device / "unique_id") or address),
        used_by_us=sum(running.values()) if running else None,
        processes=tuple(running.items()),
        busy=None if busy is None else float(busy),
        temperature=None if heat is None else heat // 1000,
        power=None if power is None else power / 1e6,
        throttled=throttled(_bytes(device / "gpu_metrics")),
    )  # fmt: skip


def _held(pids: Iterable[int], root: Path) -> dict[str, dict[int, int]]:
    """Return the VRAM that processes hold, by the card's PCI address; a client with several descriptors counts once."""
    held: dict[str, dict[int, int]] = {}
    for pid in pids:
        clients: dict[tuple[str, str], int] = {}
        folder = root / "proc" / str(pid) / "fdinfo"
        try:
            names = os.listdir(folder)[:MOST_DESCRIPTORS]  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            fields = dict(line.partition(":")[::2] for line in _text(folder / name).splitlines())
            address, client = fields.get("drm-pdev", "").strip(), fields.get("drm-client-id", "").strip()
            size = _size(fields.get("drm-total-vram") or fields.get("drm-memory-vram") or "")
            if address and size is not None:
                clients[address, client] = size
        for (address, _), size in clients.items():
            of_card = held.setdefault(address, {})
            of_card[pid] = of_card.get(pid, 0) + size
    return held


def _size(text: str) -> int | None:
    match = _SIZE.fullmatch(text.strip())
    return int(match[1]) * {"KiB": KIB, "MiB": MIB}.get(match[2], 1) if match else None


def _slot(device: Path) -> str:
    fields = dict(line.partition("=")[::2] for line in _text(device / "uevent").splitlines())
    return fields.get("PCI_SLOT_NAME", "")


def _sensor(device: Path, name: str) -> int | None:
    try:
        monitors = sorted(os.listdir(device / "hwmon"))  # noqa: PTH208
    except OSError:
        return None
    return next((value for m in monitors if (value := _number(device / "hwmon" / m / name)) is not None), None)


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", "replace").strip()


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(4096)
    except OSError:  # also EBUSY, EPERM: a card that sleeps or is being reset
        return b""
