"""Compare the closed form with llama.cpp over loopback RPC devices, which llama.cpp counts as GPUs.

    cmake -S LLAMA.CPP -B BUILD -DGGML_RPC=ON -DBUILD_SHARED_LIBS=ON && cmake --build BUILD -t llama ggml-rpc-server
    python -m tests.benchmarks.rpc_placement BUILD/bin [--cards 2] [NAME…]

BUILD must be the commit of the installed llama-cpp-python, whose structures are used. Every header under
`tests/data/headers` is loaded without weights in this process, so a crash ends it.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

from qtui.core.gguf.reader import read_header
from qtui.core.hardware import EngineInfo
from qtui.core.memory.closed_form.formula import footprint_of
from qtui.core.memory.closed_form.table import ModelTable, model_table
from qtui.core.memory.plan import ALL_LAYERS, LoadMode, LoadPlan
from qtui.core.memory.question import Allocated, BufferRow, Question
from qtui.services.library.source import FileSource
from tests.conftest import HEADER_NAMES, write_ghost

PORT = 50171
PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=ALL_LAYERS, load_mode=LoadMode.NONE, threads=2, threads_batch=2)


def plans(layers: int, first_buffer: str, cards: int) -> list[LoadPlan]:
    """Return every kind of placement."""
    few = [replace(PLAN, n_gpu_layers=n) for n in (0, 1, 2, max(1, layers // 2), layers)]
    more: list[dict[str, object]] = [
        {}, {"n_cpu_moe": 1}, {"cpu_moe": True}, {"no_kv_offload": True}, {"main_gpu": cards - 1},
        {"ctx_size": 8192, "cache_type_k": "q8_0", "cache_type_v": "q8_0"}, {"parallel": 4, "swa_full": True},
        {"override_tensor": (("attn_output|ffn_down", "CPU"),)}, {"override_tensor": (("token_embd", first_buffer),)},
    ]  # fmt: skip
    if cards > 1:
        more += [{"tensor_split": (1.0, 3.0)}, {"tensor_split": (0.0, 1.0)},
                 {"tensor_split": (3.0, 1.0), "n_gpu_layers": max(1, layers // 2)}]  # fmt: skip
    return [*few, *(replace(PLAN, **options) for options in more)]  # type: ignore[arg-type]


@contextmanager
def server(binaries: Path, port: int) -> Iterator[str]:
    """Run one RPC server on the CPU until the block ends; yields its address."""
    command = [str(binaries / "ggml-rpc-server"), "-H", "127.0.0.1", "-p", str(port), "-d", "CPU"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(100):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.1)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


class Check:
    """Asks llama.cpp and compares."""

    def __init__(self, binaries: Path, addresses: list[str]) -> None:
        os.environ["LLAMA_CPP_LIB_PATH"] = str(binaries)
        from qtui.services.engine.child.devices import describe
        from qtui.services.engine.child.dry_run import Helper
        from qtui.services.engine.child.native import open_native

        native = open_native()
        rpc, ggml = (ctypes.CDLL(str(binaries / f"libggml{part}.so")) for part in ("-rpc", ""))
        rpc.ggml_backend_rpc_add_server.restype = ctypes.c_void_p
        for address in addresses:
            ggml.ggml_backend_register(ctypes.c_void_p(rpc.ggml_backend_rpc_add_server(address.encode())))
        self.info: EngineInfo = describe(native)
        self._helper = Helper(native, lambda message: None)
        self._asked = 0
        self.tally: Counter[str] = Counter()
        self.errors: list[float] = []

    def model(self, path: Path, table: ModelTable) -> None:
        """Compare every plan of one file."""
        buffer = f"RPC0[{self.info.gpus[0].description}]"
        tensors = sum(row.size for row in table.rows)
        embedding = sum(row.size for row in table.rows if row.name == "token_embd.weight")
        for plan in plans(table.layers, buffer, len(self.info.gpus)):
            self._asked += 1
            answer = self._helper.answer(Question(self._asked, str(path), plan.as_json(), tensors, embedding))
            self.tally["plans"] += 1
            if not isinstance(answer, Allocated):
                print(f"{path.stem}: {answer.message}")
                continue
            mine = {row.name: row for row in footprint_of(table, plan, self.info).devices}
            for row in answer.rows:
                self._row(path.stem, plan, row, mine.get(row.name))

    def _row(self, name: str, plan: LoadPlan, told: BufferRow, mine: object) -> None:
        weights, context, compute, band = (getattr(mine, part, 0) for part in ("weights", "context", "compute", "band"))
        options = {key: value for key, value in plan.as_json().items() if value != PLAN.as_json()[key]}
        equal = (weights, context) == (told.weights, told.context)
        self.tally["buffers"] += 1
        self.tally["equal"] += equal
        if not equal:
            print(f"{name} {options} {told.name}: told {told.weights} {told.context}, computed {weights} {context}")
        if told.compute:
            self.errors.append(compute / told.compute - 1)
            self.tally["compute in band"] += abs(compute - told.compute) <= band
            self.tally["compute"] += 1


def main() -> None:
    """Compare and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binaries", type=Path)
    parser.add_argument("--cards", type=int, default=2)
    parser.add_argument("names", nargs="*", default=list(HEADER_NAMES))
    options = parser.parse_args()
    with ExitStack() as stack:
        addresses = [stack.enter_context(server(options.binaries, PORT + i)) for i in range(options.cards)]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        check = Check(options.binaries, addresses)
        for name in options.names:
            path = write_ghost(name, folder)
            with FileSource(path) as source:
                table = model_table([read_header(source)], source)
            check.model(path, table)
            path.unlink()
        tally = check.tally
        print(
            f"{options.cards} devices, {tally['plans']} plans: weights and context equal in "
            f"{tally['equal']} of {tally['buffers']} buffers; compute within its band in "
            f"{tally['compute in band']} of {tally['compute']}, off by {100 * median(map(abs, check.errors)):.2f} % "
            "in the median"
        )


if __name__ == "__main__":
    main()
