"""`qtui fit --json`: a weighing as the object that other programs may rely on."""

from __future__ import annotations

from typing import Any

from qtui.core.memory.footprint import Footprint
from qtui.core.memory.guard import Weighing
from qtui.core.text import clean_name

SCHEMA = 1


def fit_report(variant_path: str, weighing: Weighing, simulated: bool | None = None) -> dict[str, Any]:
    """Return the object of `qtui fit --json`; sizes in bytes, None where something is not known.

    `formula` is the closed form in the same shape; its lists are empty and its total is None where it could not be
    computed. `simulated` None: as the headroom says.
    """
    footprint, room, verdict = weighing.footprint, weighing.headroom, weighing.verdict
    plan = footprint.plan if footprint is not None else weighing.plan
    known = footprint is not None
    return {
        "schema": SCHEMA,
        "file": clean_name(variant_path, limit=4096),
        "engine": clean_name(footprint.engine if footprint is not None else plan.engine, 4096),
        "plan": plan.as_json(),
        "origin": footprint.origin.value if footprint is not None else "unknown",
        "devices": [device.as_json() for device in footprint.devices] if footprint is not None else [],
        "extra": [item.as_json() for item in footprint.extra] if footprint is not None else [],
        "pools": footprint.pools.as_json() if footprint is not None else {},
        "total": footprint.total if footprint is not None else None,
        "peak": footprint.peak if footprint is not None else None,
        "reclaimable": footprint.reclaimable if footprint is not None else None,
        "locked": footprint.locked if footprint is not None else None,
        "formula": _formula(weighing.formula),
        "headroom": {"ram": room.ram, "vram": list(room.vram)},
        "margin": {"ram": room.margin_ram, "vram": list(room.margin_vram)},
        "simulated": room.simulated if simulated is None else simulated,
        "verdict": verdict.fit.value,
        "pool": verdict.pool,
        "short_by": verdict.short_by if known else None,
        "reason": verdict.reason,
        "warnings": [warning.as_json() for warning in weighing.warnings],
        **({"fitting": weighing.fitting.as_json()} if weighing.fitting is not None else {}),
    }


def _formula(footprint: Footprint | None) -> dict[str, Any]:
    """Return the closed form, in the shape of the whole report as far as it goes."""
    if footprint is None:
        return {"devices": [], "extra": [], "pools": {}, "total": None}
    return {
        "devices": [device.as_json() for device in footprint.devices],
        "extra": [item.as_json() for item in footprint.extra],
        "pools": footprint.pools.as_json(),
        "total": footprint.total,
    }
