"""Compares the dry run with what llama.cpp logs of a real load: llama-server's lines, read by this file alone."""

from __future__ import annotations

import asyncio
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.memory.plan import LoadMode, LoadPlan
from qtui.core.text import MIB
from qtui.services.engine.dry_run import DryRunClient
from tests.conftest import HEADER_SIZES
from tests.services.engine.weighing import PLAN, variant

SMALL = tuple(sorted(name for name, size in HEADER_SIZES.items() if size < 16 * MIB))
BUFFER_LINE = re.compile(r" (\w+) +(model|KV|RS|compute|output) buffer size = +(\d+\.\d\d) MiB")


def real_buffers(tool: Path, model: Path, plan: LoadPlan) -> dict[tuple[str, str], tuple[float, int]]:
    """Load a model for real in llama-server; returns (buffer type, kind) → (MiB, number of lines added)."""
    command = [
        tool, "-m", model, "-c", plan.ctx_size, "-b", plan.batch_size, "-ub", plan.ubatch_size, "-np", 1, "-fa", "auto",
        "-ctk", plan.cache_type_k, "-ctv", plan.cache_type_v, "-t", 2, "--load-mode", "none", "-fit", "off",
        "--no-warmup", "--host", "127.0.0.1", "--port", 0, "--no-ui", "--offline", "-cram", 0,
        "--log-colors", "off", "-lv", 4,
    ]  # fmt: skip
    found: dict[tuple[str, str], tuple[float, int]] = {}
    with subprocess.Popen(
        list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as server:
        assert server.stdout is not None
        try:
            for line in server.stdout:
                if match := BUFFER_LINE.search(line):
                    size, lines = found.get((match[1], match[2]), (0.0, 0))
                    found[match[1], match[2]] = (size + float(match[3]), lines + 1)
                if "listening on http" in line:
                    return found
            raise AssertionError(f"llama-server ended with {server.wait()}")
        finally:
            server.kill()


@pytest.mark.oracle
@pytest.mark.parametrize("cache", ["f16", "q8_0"])
@pytest.mark.parametrize("name", [*SMALL, pytest.param("lfm2-1.2b", marks=pytest.mark.slow)])
async def test_a_real_load_takes_what_the_dry_run_says(
    name: str, cache: str, client: DryRunClient, ghosts: dict[str, Path], oracle: Path
) -> None:
    plan = replace(PLAN, load_mode=LoadMode.NONE, cache_type_k=cache, cache_type_v=cache)
    footprint = await client.footprint(variant(ghosts[name]), plan)
    real = await asyncio.to_thread(real_buffers, oracle / "llama-server", ghosts[name], plan)
    assert {device for device, kind in real if kind == "model"} == {d.name for d in footprint.devices if d.weights}
    for device in footprint.devices:
        for size, kinds in (
            (device.weights, ("model",)), (device.context, ("KV", "RS")), (device.compute, ("compute",)),
        ):  # fmt: skip
            lines = [real[device.name, kind] for kind in kinds if (device.name, kind) in real]
            logged, count = sum(line[0] for line in lines), sum(line[1] for line in lines)
            assert abs(size / MIB - logged) <= 0.005 * count + 1e-9, (name, device.name, kinds)
    rows = next(item.bytes for item in footprint.extra if item.item == "output rows")
    assert abs(rows / MIB - real["CPU", "output"][0]) <= 0.0051
