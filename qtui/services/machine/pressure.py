"""Pressure stall information: how much of the time tasks waited for memory or disks.

The kernel's accounting/psi.rst: one file per resource, a line `some` and one `full`, each with averages over 10, 60
and 300 s. Kernels without it have no such files.
"""

from __future__ import annotations

from pathlib import Path

from qtui.core.hardware import Pressure
from qtui.services.machine.cgroup import ROOT


def pressure(resource: str, root: Path = ROOT) -> Pressure | None:
    """Return the pressure on `memory`, `io` or `cpu`; None where the kernel does not tell."""
    try:
        text = (root / "proc/pressure" / resource).read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    shares = {line.split(" ", 1)[0]: _average(line) for line in text.splitlines()}
    found = Pressure(shares.get("some"), shares.get("full"))
    return None if found == Pressure() else found


def _average(line: str) -> float | None:
    for field in line.split():
        name, _, value = field.partition("=")
        if name == "avg10":
            try:
                share = float(value)
            except ValueError:
                return None
            return share if 0 <= share <= 100 else None
    return None
