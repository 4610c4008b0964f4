from __future__ import annotations

import subprocess

import pytest

from qtui.core.memory.question import HelperReady
from qtui.core.text import MIB
from qtui.core.wire import decode
from qtui.services.engine.child.logged import LoggedMemory, flash_attention, read_memory, unused_bytes
from qtui.services.engine.child.refusals import refusal
from qtui.services.engine.child_process import python_module
from qtui.services.engine.helper import MODULE

# Lines as llama.cpp 0.5.0-dev writes them.
SAID = [
    (
        ["llama_init_from_model: K cache type q8_0 with block size 32 does not divide n_embd_head_k=80"],
        "a q8_0 K cache comes in blocks of 32, which do not divide this model's head size of 80",
        "take --cache-type-k f16",
    ),
    (
        ["llama_init_from_model: failed to initialize the context: failed to allocate buffer for rs cache"],
        "the recurrent state of so many slots is larger than a dry run may take",
        "take fewer slots (--parallel)",
    ),
    (
        [
            "llama_model_load: error loading model: error loading model architecture: unknown model architecture: 'x'",
            "llama_model_load_from_file_impl: failed to load model",
        ],
        "this llama.cpp does not know the architecture x",
        "a newer one may: pip install --upgrade llama-cpp-python",
    ),
    (
        ["llama_model_load: error loading model: missing tensor 'blk.0.attn_q.weight'"],
        "the file has no tensor blk.0.attn_q.weight, or one of another shape than its metadata say",
        "the file is not a whole model, or was made for another program",
    ),
    (
        ["llama_prepare_model_devices: invalid value for main_gpu: 3 (available devices: 1)"],
        "--main-gpu 3: there is no such device, this engine has 1",
        "devices are counted from 0",
    ),
    (["f: error loading model: something new {and odd}"], "llama.cpp refuses: something new {and odd}", ""),
    (["llama_model_load_from_file_impl: failed to load model"], "llama.cpp refuses without saying why", "the log's"),
    ([], "llama.cpp refuses without saying why", "the log's"),
]


@pytest.mark.parametrize(("lines", "sentence", "hint"), SAID)
def test_log_lines_become_sentences(lines: list[str], sentence: str, hint: str) -> None:
    found = refusal(lines)
    assert found[0] == sentence
    assert found[1].startswith(hint)


LINES = [
    "model has unused tensor blk.46.nextn.eh_proj.weight (size = 18874368 bytes) -- ignoring",
    "model has unused tensor blk.46.nextn.enorm.weight (size = 16384 bytes) -- ignoring",
    "llama_context:        CPU  output buffer size =     0.25 MiB",
    "llama_kv_cache:        CPU KV buffer size =     0.00 MiB",
    "llama_kv_cache: size =   48.00 MiB (  4096 cells,   6 layers,  1/1 seqs), K (f16):   24.00 MiB",
    "llama_memory_recurrent:        CPU RS buffer size =     0.16 MiB",
    "llama_memory_recurrent: size =    0.16 MiB (     1 cells,  16 layers,  1 seqs  0 rs_seq), R (f32):    0.16 MiB",
    "sched_reserve:        CPU compute buffer size =    64.03 MiB",
]


def test_memory_is_read_off_the_lines_that_are_not_zero_in_a_dry_run() -> None:
    assert read_memory(LINES) == LoggedMemory(round(48.16 * MIB), (("CPU", round(64.03 * MIB)),))
    assert unused_bytes(LINES) == 18874368 + 16384


@pytest.mark.parametrize(
    ("line", "asked", "chosen"),
    [
        ("resolve_fused_ops: Flash Attention enabled", None, True),
        ("resolve_fused_ops: Flash Attention not supported, set to disabled", None, False),
        ("llama_init_from_model: enabling flash_attn since it is required for quantized V cache", None, True),
        ("llama_init_from_model: flash_attn is not compatible with Grok - forcing off", True, False),
        ("sched_reserve: reserving ...", True, True),
        ("sched_reserve: reserving ...", False, False),
    ],
)
def test_what_llama_cpp_chose_is_read_off_its_lines(line: str, asked: bool | None, chosen: bool) -> None:
    assert flash_attention(["llama_context: flash_attn            = auto", line], asked) is chosen


def test_a_helper_whose_input_ends_goes_by_itself() -> None:
    helper = subprocess.run(python_module(MODULE), input=b"", capture_output=True, timeout=60, check=False)
    assert helper.returncode == 0
    first = helper.stdout.splitlines()[:1]
    assert not first or isinstance(decode(first[0], (HelperReady,)), HelperReady)
