from __future__ import annotations

import json
from dataclasses import replace

from qtui.core.errors import PlanRefusedError
from qtui.core.memory.footprint import DeviceBytes, ExtraItem, Footprint, Pools
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.report import fit_report
from qtui.core.memory.verdict import Fit, Headroom, Verdict, judge
from qtui.core.origin import Origin

KEYS = [
    "schema", "file", "engine", "plan", "origin", "devices", "extra", "pools", "total", "peak", "reclaimable",
    "locked", "formula", "headroom", "margin", "simulated", "verdict", "pool", "short_by", "reason",
    "warnings",
]  # fmt: skip
PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=0)
FOOTPRINT = Footprint(
    replace(PLAN, flash_attn=FlashAttention.ON),
    (DeviceBytes("CPU", 100, 20, 3, Origin.DRY_RUN),),
    (ExtraItem("process", "ram_anonymous", 7, Origin.COMPUTED, 2),),
    Pools(30, 100),
    peak=140,
    reclaimable=1,
    locked=0,
    origin=Origin.DRY_RUN,
)
ROOM = Headroom(1000, (), 100)


def test_a_weighing_has_exactly_the_keys_that_others_rely_on() -> None:
    report = fit_report("/m/a.gguf", Weighing(PLAN, FOOTPRINT, ROOM, judge(FOOTPRINT, ROOM)))
    assert list(report) == KEYS
    assert json.loads(json.dumps(report)) == report
    assert report["plan"]["flash_attn"] == "on" and set(report["plan"]) == set(PLAN.as_json())
    assert report["devices"] == [{"name": "CPU", "weights": 100, "context": 20, "compute": 3, "origin": "dry-run"}]
    assert report["extra"][0].items() >= {"item": "process", "pool": "ram_anonymous", "bytes": 7}.items()
    assert report["pools"] == {"ram_anonymous": 30, "ram_file_backed": 100, "vram": []}
    assert (report["total"], report["peak"], report["reclaimable"], report["locked"]) == (130, 140, 1, 0)
    assert (report["headroom"], report["margin"]) == ({"ram": 900, "vram": []}, {"ram": 100, "vram": []})
    assert (report["verdict"], report["short_by"], report["simulated"], report["engine"]) == (
        "fits", 0, False, "built-in",
    )  # fmt: skip
    assert report["formula"] == {"devices": [], "extra": [], "pools": {}, "total": None}


def test_the_closed_form_has_the_same_shape() -> None:
    computed = replace(
        FOOTPRINT, devices=(DeviceBytes("CPU", 100, 20, 4, Origin.COMPUTED, band=1),), pools=Pools(31, 100)
    )
    report = fit_report("/m/a.gguf", Weighing(PLAN, FOOTPRINT, ROOM, judge(FOOTPRINT, ROOM), formula=computed))
    formula = report["formula"]
    assert formula["devices"] == [{"name": "CPU", "weights": 100, "context": 20, "compute": 4, "origin": "computed"}]
    assert formula["extra"] == report["extra"] and formula["total"] == 131
    assert formula["pools"] == {"ram_anonymous": 31, "ram_file_backed": 100, "vram": []}


def test_an_unknown_footprint_is_not_zero() -> None:
    error = PlanRefusedError("no")
    weighing = Weighing(PLAN, None, ROOM, Verdict(Fit.UNKNOWN, reason="no"), error)
    report = fit_report("/m/a\x1b[31m.gguf", weighing, simulated=True)
    assert list(report) == KEYS
    assert (report["total"], report["peak"], report["short_by"]) == (None, None, None)
    assert (report["origin"], report["verdict"], report["simulated"]) == ("unknown", "unknown", True)
    assert "\x1b" not in report["file"]
