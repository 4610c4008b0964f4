"""What builds of llama-server are started with: nothing that they do not know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import UsageError
from qtui.core.hardware import EngineInfo
from qtui.core.memory.plan import ALL_LAYERS, FlashAttention, LoadMode, LoadPlan
from qtui.core.server.build import Option, ServerBuild, parse_help
from qtui.core.server.launch import launch
from tests.conftest import HERE

HELPS = HERE / "data" / "llama_server"
NEW = ServerBuild(EngineInfo("new", rpc=True), parse_help((HELPS / "help-0.5.0.txt").read_text()))
OLD = ServerBuild(EngineInfo("old"), parse_help((HELPS / "help-4589.txt").read_text()))
PLAN = LoadPlan(ctx_size=4096, n_gpu_layers=0, load_mode=LoadMode.MMAP, threads=2, threads_batch=2)
FILE = Path("/models/tiny.gguf")


def test_help_of_a_new_build_is_read_whole() -> None:
    assert len(NEW.options) > 400 and len({option.names for option in NEW.options.values()}) > 240
    assert NEW.options["-fa"] is NEW.options["--flash-attn"]
    assert NEW.options["--flash-attn"].argument == "[on|off|auto]"
    assert NEW.options["--flash-attn"].variable == "LLAMA_ARG_FLASH_ATTN"
    assert NEW.options["--api-key"].variable == "LLAMA_API_KEY"
    assert NEW.options["-ngl"].names == ("-ngl", "--gpu-layers", "--n-gpu-layers") and NEW.takes("-ngl")
    assert not NEW.takes("--swa-full") and "\n" not in NEW.options["--verbosity"].text


def test_help_of_an_old_build_is_read_too() -> None:
    assert OLD.options["--flash-attn"] == Option(
        ("-fa", "--flash-attn"), "", "enable Flash Attention (default: disabled) (env: LLAMA_ARG_FLASH_ATTN)"
    )
    assert not OLD.knows("--load-mode") and OLD.options["--n-gpu-layers"].argument == "N"


@pytest.mark.parametrize("text", ["", "usage", "-\n--\n---", "--" + "x" * 10_000, "\x00", "-a\n" * 10_000])
def test_what_is_no_help_is_read_without_harm(text: str) -> None:
    assert len(parse_help(text)) <= 4096


def test_every_option_is_one_that_the_build_knows() -> None:
    full = LoadPlan(
        ctx_size=4096, n_gpu_layers=ALL_LAYERS, load_mode=LoadMode.DIO, cache_type_k="q8_0", cache_type_v="q8_0",
        flash_attn=FlashAttention.ON, threads=2, threads_batch=3, batch_size=64, ubatch_size=32, n_cpu_moe=2,
        override_tensor=(("ffn", "CPU"),), tensor_split=(1.0, 2.0), main_gpu=1, lora=(("/a.gguf", 0.5),),
        no_kv_offload=True, swa_full=True, parallel=2, mmproj="/p.gguf",
    )  # fmt: skip
    for build in (NEW, OLD):
        for plan in (PLAN, full, replace(full, cpu_moe=True, n_cpu_moe=0)):
            how = launch(plan, FILE, build, ("10.0.0.2:50052",))
            names = [word for word in how.arguments if word.startswith("--")]
            assert names and all(build.knows(name) for name in names), names
            assert not how.key_file


@pytest.mark.parametrize(
    ("mode", "new", "old"),
    [
        (LoadMode.MMAP, "mmap", ()),
        (LoadMode.NONE, "none", ("--no-mmap",)),
        (LoadMode.MLOCK, "mlock", ("--mlock", "--no-mmap")),
        (LoadMode.MMAP_MLOCK, "mmap+mlock", ("--mlock",)),
    ],
)
def test_a_load_mode_is_said_as_the_build_has_it(mode: LoadMode, new: str, old: tuple[str, ...]) -> None:
    plan = replace(PLAN, load_mode=mode)
    words = launch(plan, FILE, NEW).arguments
    assert words[words.index("--load-mode") + 1] == new and launch(plan, FILE, NEW).unsaid == ()
    older = launch(plan, FILE, OLD)
    assert tuple(word for word in older.arguments if word in ("--mlock", "--no-mmap")) == old and older.unsaid == ()


def test_what_an_old_build_cannot_be_told_is_said() -> None:
    plan = replace(PLAN, load_mode=LoadMode.DIO, n_cpu_moe=2, swa_full=True, parallel=2)
    said = " ".join(launch(plan, FILE, OLD, ("10.0.0.2:50052",)).unsaid)
    for part in ("past the page cache", "experts on the CPU", "--swa-full", "among its 2 slots", "without RPC"):
        assert part in said
    assert launch(plan, FILE, NEW).unsaid == ()


def test_experts_are_named_by_their_tensors_where_there_is_no_option() -> None:
    middle = ServerBuild(OLD.info, {**OLD.options, "--override-tensor": NEW.options["--override-tensor"]})
    words = launch(replace(PLAN, n_cpu_moe=2), FILE, middle).arguments
    assert words[words.index("--override-tensor") + 1] == (
        r"blk\.0\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU,blk\.1\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU"
    )
    everything = launch(replace(PLAN, cpu_moe=True), FILE, middle).arguments
    assert r"\.ffn_(up|down|gate|gate_up)_(ch|)exps=CPU" in everything


def test_a_new_build_serves_nobody_else() -> None:
    words = launch(PLAN, FILE, NEW).arguments
    for pair in (("--host", "127.0.0.1"), ("--port", "0"), ("--cors-origins", ""), ("--cache-ram", "0"),
                 ("--log-colors", "off"), ("--verbosity", "4"), ("--fit", "off"), ("--model", str(FILE))):  # fmt: skip
        assert words[words.index(pair[0]) + 1] == pair[1]
    assert {"--no-ui", "--no-slots", "--no-cors-credentials", "--offline"} <= set(words)
    assert "--api-key" not in words and "--rpc" not in words


def test_rpc_hosts_come_before_what_names_their_devices() -> None:
    plan = replace(PLAN, override_tensor=(("ffn", "RPC0"),))
    words = launch(plan, FILE, NEW, ("a:1", "[::1]:2")).arguments
    assert words[:2] == ("--rpc", "a:1,[::1]:2")


def test_a_build_without_the_variable_takes_its_key_from_a_file() -> None:
    options = dict(OLD.options)
    options["--api-key"] = Option(("--api-key",), "KEY", "API key")
    how = launch(PLAN, FILE, ServerBuild(OLD.info, options))
    assert how.key_file and "--api-key-file" not in how.arguments
    keyless = {name: option for name, option in options.items() if not name.startswith("--api-key")}
    assert "knows no key" in " ".join(launch(PLAN, FILE, ServerBuild(OLD.info, keyless)).unsaid)


def test_extra_options_go_in_front_of_what_makes_it_private() -> None:
    words = launch(replace(PLAN, extra="--cache-reuse 256"), FILE, NEW).arguments
    assert words.index("--cache-reuse") < words.index("--host")
    for extra in ("--tools all", "--host=0.0.0.0", "--api-key x"):
        with pytest.raises(UsageError, match="not passed on"):
            launch(replace(PLAN, extra=extra), FILE, NEW)
    with pytest.raises(UsageError, match="does not know --cache-reuse"):
        launch(replace(PLAN, extra="--cache-reuse 256"), FILE, OLD)
