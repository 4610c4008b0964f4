"""What the plan options become."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.cli.options import plan_of
from qtui.cli.parser import build_parser
from qtui.core.errors import UsageError
from qtui.core.memory.plan import ALL_LAYERS, AUTO, FlashAttention, LoadMode, LoadPlan


def plan(*options: str) -> LoadPlan:
    return plan_of(build_parser().parse_args(["fit", "x", *options]))


def test_without_options_it_is_the_default_plan() -> None:
    assert plan() == LoadPlan()


def test_every_option_reaches_the_plan() -> None:
    given = plan(
        "--ctx-size", "4096", "--n-gpu-layers", "7", "--load-mode", "mmap+mlock", "--cache-type-k", "q8_0",
        "--cache-type-v", "q4_0", "--flash-attn", "on", "--threads", "3", "--threads-batch", "5", "--batch-size", "64",
        "--ubatch-size", "32", "--n-cpu-moe", "2", "--cpu-moe", "--override-tensor", r"exps=.*=CPU",
        "--override-tensor", "b=CUDA0", "--tensor-split", "3,1.5", "--main-gpu", "1", "--lora", "a.gguf:0.5",
        "--lora", "b.gguf", "--no-kv-offload", "--swa-full", "--parallel", "2", "--engine", "built-in",
        "--extra", "--alias 'a b'",
    )  # fmt: skip
    assert given == LoadPlan(
        ctx_size=4096, n_gpu_layers=7, load_mode=LoadMode.MMAP_MLOCK, cache_type_k="q8_0", cache_type_v="q4_0",
        flash_attn=FlashAttention.ON, threads=3, threads_batch=5, batch_size=64, ubatch_size=32, n_cpu_moe=2,
        cpu_moe=True, override_tensor=(("exps=.*", "CPU"), ("b", "CUDA0")), tensor_split=(3.0, 1.5), main_gpu=1,
        lora=(("a.gguf", 0.5), ("b.gguf", 1.0)), no_kv_offload=True, swa_full=True, parallel=2,
        extra="--alias 'a b'",
    )  # fmt: skip


@pytest.mark.parametrize(("text", "layers"), [("all", ALL_LAYERS), ("auto", AUTO), ("0", 0), ("12", 12)])
def test_gpu_layers(text: str, layers: int) -> None:
    assert plan("--n-gpu-layers", text).n_gpu_layers == layers


def test_an_adapter_whose_name_ends_like_a_scale_is_a_file(tmp_path: Path) -> None:
    odd = tmp_path / "adapter:2"
    odd.touch()
    assert plan("--lora", str(odd)).lora == ((str(odd), 1.0),)


@pytest.mark.parametrize(
    "options",
    [
        ["--n-gpu-layers", "-3"], ["--n-gpu-layers", "some"], ["--load-mode", "fast"], ["--override-tensor", "exps"],
        ["--override-tensor", "=CPU"], ["--tensor-split", "a,b"], ["--threads", "0"], ["--parallel", "0"],
        ["--cache-type-v", "q4_0", "--flash-attn", "off"], ["--extra", "words"], ["--extra=--a 'b"],
    ],
)  # fmt: skip
def test_what_no_llama_cpp_accepts_is_refused(options: list[str]) -> None:
    with pytest.raises(UsageError):
        plan(*options)


@pytest.mark.parametrize(
    ("text", "size"), [("12GiB", 12 << 30), ("12G", 12 << 30), ("12GB", 12 * 10**9), ("512M", 512 << 20), ("7", 7)]
)
def test_sizes(text: str, size: int) -> None:
    assert build_parser().parse_args(["fit", "x", "--ram", text]).ram == size
    assert build_parser().parse_args(["fit", "x", "--vram", f"{text},1G"]).vram == (size, 1 << 30)
