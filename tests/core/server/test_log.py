"""What a llama-server's log says: buffers, and why it ended."""

from __future__ import annotations

import pytest

from qtui.core.server.buffers import Buffers
from qtui.core.server.failures import server_failure
from qtui.core.text import MIB

LOG = """\
0.00.011.085 I load_tensors:   CPU_Mapped model buffer size =     8.01 MiB
0.00.011.085 I load_tensors: RPC0[127.0.0.1:39863] model buffer size =   100.00 MiB
0.00.011.085 I load_tensors: RPC0[127.0.0.1:39864] model buffer size =    50.00 MiB
0.00.011.616 I llama_context:        CPU  output buffer size =     0.50 MiB
0.00.011.667 I llama_kv_cache:        CPU KV buffer size =     2.50 MiB
0.00.011.667 I llama_kv_cache:        CPU KV buffer size =     1.25 MiB
0.00.013.580 I llama_kv_cache: size =    2.50 MiB (  1024 cells,   5 layers,  1/1 seqs), K (f16):    1.25 MiB
0.00.013.601 I sched_reserve: reserving ...
0.00.015.237 I sched_reserve:        CPU compute buffer size =     9.00 MiB
0.00.014.377 I resolve_fused_ops: Flash Attention enabled
0.00.013.601 I sched_reserve: reserving ...
0.00.015.237 I sched_reserve:        CPU compute buffer size =     7.50 MiB
"""


def test_buffers_add_up_by_device_and_two_hosts_stay_two() -> None:
    buffers = Buffers()
    for line in LOG.splitlines():
        buffers.read(line)
    assert buffers.rows() == (
        ("CPU_Mapped", round(8.01 * MIB), 0, 0),
        ("RPC0[127.0.0.1:39863]", 100 * MIB, 0, 0),
        ("RPC0[127.0.0.1:39864]", 50 * MIB, 0, 0),
        ("CPU", 0, round(3.75 * MIB), 8 * MIB),  # a window's cache beside the other; what was reserved last
    )
    assert buffers.flash_attention is True


def test_a_log_that_lies_stays_bounded() -> None:
    buffers = Buffers()
    for index in range(1000):
        buffers.read(f"load_tensors: D{index} model buffer size = 1.00 MiB")
    buffers.read("load_tensors: D0 model buffer size = 99999999999999999999.00 MiB")
    assert len(buffers.rows()) == 64 and buffers.rows()[0][1] == MIB and buffers.flash_attention is None


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("ggml-rpc.cpp:547: Failed to connect to 10.0.0.2:50052", "rpc", "the RPC host 10.0.0.2:50052 does not answer"),
        ("ggml-rpc.cpp:400: Remote RPC server crashed or returned malformed response", "rpc",
         "the RPC host 10.0.0.3:50052 is gone"),
        ("0.01 E ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory", "memory",
         "llama-server ran out of memory"),
        ("0.01 E llama_model_load: error loading model: unknown model architecture: 'x'", "plan_refused",
         "does not know the architecture x"),
        ("error: invalid argument: --mlock", "plan_refused", "does not know the option --mlock"),
        ("0.01 E srv  start: couldn't bind HTTP server socket, hostname: 127.0.0.1, port: 8080", "engine",
         "could not take a port"),
        ("0.01 E llama_model_load: error loading model: failed to load split 2 of 3", "bad_file",
         "a part of the model is missing"),
        ("0.01 E gguf_init_from_file: invalid magic characters", "bad_file", "cannot read the file"),
        ("RPC not supported in this build", "plan_refused", "built without RPC"),
        ("llama-server: error while loading shared libraries: libcuda.so.1: cannot open", "engine",
         "libcuda.so.1 is missing"),
        ("0.01 E srv main: something else failed", "engine", "ended with status 1 while loading: something else"),
    ],
)  # fmt: skip
def test_why_it_ended_is_one_sentence_and_one_thing_to_do(line: str, kind: str, message: str) -> None:
    failure = server_failure(1, ("0.00 I earlier", line), doing="loading", gone=("10.0.0.3:50052",))
    assert failure is not None and failure.kind == kind and message in failure.message and failure.hint
    assert failure.log[-1] == line


def test_a_signal_without_a_reason_is_left_to_who_knows_signals() -> None:
    assert server_failure(-9, ("0.00 I all slots are idle",)) is None
    stopped = server_failure(0, ("0.00 I cleaning up",))
    assert stopped is not None and "ended from outside" in stopped.message
