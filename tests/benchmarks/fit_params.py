"""Compare the closed form with llama.cpp's own `llama-fit-params` over loopback RPC devices, as a GPU build's is asked.

    cmake -S LLAMA.CPP -B BUILD -DGGML_RPC=ON -DBUILD_SHARED_LIBS=ON
    cmake --build BUILD -t llama-fit-params ggml-rpc-server
    python -m tests.benchmarks.fit_params BUILD/bin [NAME…]

Every header under `tests/data/headers` is asked about without weights, with no, one, half and all layers on two
devices.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median

from qtui.core.hardware import Device, DeviceKind, EngineInfo
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.plan import LoadPlan
from qtui.core.origin import Origin
from qtui.core.text import GIB
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.fit_params import TOOL, FitParamsClient
from qtui.services.engine.other_builds import OtherBuild
from qtui.services.library.tables import LocalTables
from tests.benchmarks.rpc_placement import PORT, server
from tests.conftest import HEADER_NAMES, write_ghost
from tests.services.engine.weighing import variant

PLAN = LoadPlan(ctx_size=8192, threads=2, threads_batch=2, engine="llama-cli")
"""llama-cli reserves logits for a whole batch, as the tool does."""
SHARES = ((1.0, 1.0), (1.0, 3.0))


async def compare(client: FitParamsClient, info: EngineInfo, names: Sequence[str], folder: Path) -> str:
    """Ask about every file under every placement; returns the sums."""
    tables, tally, errors = LocalTables(), Counter[str](), list[float]()
    for name in names:
        path = write_ghost(name, folder)
        table = await tables.table(variant(path))
        for layers in (0, 1, table.layers // 2, table.layers + 1):
            for shares in SHARES:
                plan = replace(PLAN, n_gpu_layers=layers, tensor_split=shares)
                computed = footprint_of(table, plan, info)
                told = await client.footprint(variant(path), plan)
                tally["plans"] += 1
                for mine, theirs in zip(computed.devices, told.devices, strict=True):
                    tally["buffers"] += 1
                    tally["agree"] += theirs.origin is Origin.DRY_RUN
                    if theirs.compute:
                        errors.append(abs(mine.compute / theirs.compute - 1))  # 0 within the MiB that is printed
        path.unlink()
    return (
        f"2 devices, {tally['plans']} plans: weights and context agree within the MiB that is printed in "
        f"{tally['agree']} of {tally['buffers']} buffers; compute within it in {errors.count(0)} of {len(errors)}, "
        f"the others off by {100 * median(filter(None, errors)):.1f} % in the median"
    )


async def report(binaries: Path, names: Sequence[str]) -> None:
    """Start two devices and print the sums."""
    with ExitStack() as stack:
        addresses = [stack.enter_context(server(binaries, PORT + index)) for index in range(2)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tool = folder / TOOL  # the devices of a network have to be named to it; cards would be found
        command = shlex.join([str(binaries.absolute() / TOOL), "--rpc", ",".join(addresses)])
        tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        tool.chmod(0o755)
        info = await BuiltInEngine().info()
        cards = tuple(
            Device(f"RPC{index}", address, DeviceKind.GPU, 16 * GIB, 16 * GIB)
            for index, address in enumerate(addresses)
        )
        info = replace(info, devices=(*cards, *info.devices))
        client = FitParamsClient(tool, OtherBuild(info).info)
        print(await compare(client, info, names, folder))
        await client.close()


def main() -> None:
    """Parse and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binaries", type=Path)
    parser.add_argument("names", nargs="*", default=list(HEADER_NAMES))
    options = parser.parse_args()
    asyncio.run(report(options.binaries, options.names))


if __name__ == "__main__":
    main()
