"""Loading in a real child: plans as llama.cpp takes them, progress, and what is said when it does not."""

from __future__ import annotations

import ctypes
import resource
import shutil
import struct
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy
import pytest

from qtui.core.commands import Cancel, Load
from qtui.core.duel.conversation import Sampling
from qtui.core.events import Failed, Loaded, LoadProgressed
from qtui.core.memory.plan import FlashAttention, LoadMode, LoadPlan
from tests.conftest import DEMO_F16
from tests.services.engine.child.harness import SMALL, Child, chat, raw

SUM = chat("What is 23 + 45?")
CAP_IPC_LOCK, PR_CAPBSET_DROP = 14, 24


def refused(child: Child, path: Path, plan: LoadPlan = SMALL) -> Failed:
    """Load what cannot be loaded; the child ends by itself after saying so."""
    event = child.try_load(path, plan)
    assert isinstance(event, Failed), event
    assert event.fatal
    assert "Traceback" not in child.log.read_text()
    return event


def patched(path: Path, target: Path, key: str, value: int) -> Path:
    """Copy a GGUF file with one uint32 of its metadata changed."""
    data = bytearray(path.read_bytes())
    place = data.index(key.encode()) + len(key)
    assert struct.unpack_from("<I", data, place)[0] == 4  # GGUF_TYPE_UINT32
    struct.pack_into("<I", data, place + 4, value)
    target.write_bytes(data)
    return target


def write_adapter(path: Path, base: Path, architecture: str = "llama", tensor: str = "blk.0.attn_q.weight") -> Path:
    """Write a LoRA adapter of rank 4 for one tensor of a model, large enough to change what it writes."""
    shapes = {t.name: t.shape for t in gguf.GGUFReader(base).tensors}
    columns, rows = (int(n) for n in shapes.get(tensor, (256, 256)))
    generator = numpy.random.default_rng(3)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_string("general.type", "adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 8.0)
    writer.add_tensor(f"{tensor}.lora_a", generator.normal(0, 0.5, (4, columns)).astype(numpy.float32))
    writer.add_tensor(f"{tensor}.lora_b", generator.normal(0, 0.5, (rows, 4)).astype(numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize("mode", [*LoadMode])
def test_every_load_mode_loads_and_answers_the_same(child: Child, demo_f16: Path, mode: LoadMode) -> None:
    loaded = child.load(demo_f16, replace(SMALL, load_mode=mode))
    assert loaded.plan["load_mode"] == ("mmap" if mode is LoadMode.AUTO else mode.value)
    assert child.ask(SUM).text == "23 + 45 = 68."
    weights = {name: size for name, size, _, _ in loaded.buffers if size}
    assert sum(weights.values()) == pytest.approx(demo_f16.stat().st_size, rel=0.01)
    assert any("Mapped" in name for name in weights) is mode.mapped
    assert loaded.memory.anonymous is not None
    if not mode.mapped:
        assert loaded.memory.anonymous > sum(weights.values())


def test_the_plan_comes_back_as_it_is_used(child: Child, demo_f16: Path) -> None:
    plan = LoadPlan(
        ctx_size=300, threads=1, threads_batch=2, batch_size=128, ubatch_size=64, cache_type_k="q8_0",
        cache_type_v="q8_0", parallel=2, no_kv_offload=True, swa_full=True, main_gpu=0, tensor_split=(1.0,),
    )  # fmt: skip
    loaded = child.load(demo_f16, plan)
    assert loaded.plan["ctx_size"] == 512  # rounded up to 256 by llama.cpp
    assert {key: loaded.plan[key] for key in ("threads", "threads_batch", "batch_size", "ubatch_size")} == {
        "threads": 1, "threads_batch": 2, "batch_size": 128, "ubatch_size": 64,
    }  # fmt: skip
    assert loaded.plan["flash_attn"] == "on"  # a quantised V cache turns it on
    assert loaded.plan["n_gpu_layers"] == 0
    assert child.ask(SUM).finish_reason == "stop"
    assert "type_k = 'q8_0'" in child.log.read_text() or "K (q8_0)" in child.log.read_text()


@pytest.mark.parametrize("attention", [FlashAttention.ON, FlashAttention.OFF])
def test_flash_attention_is_as_asked(child: Child, demo_f16: Path, attention: FlashAttention) -> None:
    loaded = child.load(demo_f16, replace(SMALL, flash_attn=attention))
    assert loaded.plan["flash_attn"] == attention.value
    assert child.ask(SUM).text == "23 + 45 = 68."


def test_progress_rises_to_the_end_and_the_context_may_go_beyond_training(child: Child, demo_f16: Path) -> None:
    child.send(Load(str(demo_f16), LoadPlan(ctx_size=65536, threads=1).as_json()))
    *progress, loaded = child.events()
    fractions = [event.fraction for event in progress if isinstance(event, LoadProgressed)]
    assert fractions and fractions == sorted(fractions) and fractions[-1] == 1.0
    assert isinstance(loaded, Loaded)
    assert loaded.plan["ctx_size"] == 65536
    assert loaded.load_time > 0


def test_experts_on_the_cpu_are_taken_by_llama_cpp(child: Child, ghosts: dict[str, Path]) -> None:
    plan = replace(SMALL, n_cpu_moe=1, cpu_moe=True, override_tensor=((r"blk\.0\.attn_q\.", "CPU"),))
    loaded = child.load(ghosts["qwen3moe-moe"], plan)
    assert (loaded.plan["n_cpu_moe"], loaded.plan["cpu_moe"]) == (1, True)
    assert sum(weights for _, weights, _, _ in loaded.buffers) == pytest.approx(
        ghosts["qwen3moe-moe"].stat().st_size, rel=0.1
    )


def test_an_unknown_buffer_type_is_refused_with_those_there_are(child: Child, demo_f16: Path) -> None:
    event = refused(child, demo_f16, replace(SMALL, override_tensor=(("x", "CUDA7"),)))
    assert "CUDA7" in event.failure.message and "CPU" in event.failure.hint


def test_a_bad_regular_expression_is_refused(child: Child, demo_f16: Path) -> None:
    event = refused(child, demo_f16, replace(SMALL, override_tensor=(("blk(", "CPU"),)))
    assert "regular expression" in event.failure.message


def test_adapters_change_what_is_written_by_their_scale(
    child: Child, another: Callable[[], Child], demo_f16: Path, tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "adapter.gguf", demo_f16)
    request = raw("Once upon a time", 30, ignore_eos=True)
    child.load(demo_f16, replace(SMALL, lora=((str(adapter), 0.0),)))
    plain = child.ask(request).text
    without = another()
    without.load(demo_f16)
    assert without.ask(request).text == plain
    adapted = another()
    loaded = adapted.load(demo_f16, replace(SMALL, lora=((str(adapter), 1.0), (str(adapter), 0.5))))
    assert loaded.plan["lora"] == [[str(adapter), 1.0], [str(adapter), 0.5]]
    assert adapted.ask(request).text != plain


@pytest.mark.parametrize(
    ("architecture", "tensor", "word"),
    [("gemma3", "blk.0.attn_q.weight", "architecture"), ("llama", "blk.99.attn_q.weight", "base model")],
)
def test_an_adapter_of_another_model_is_refused(
    child: Child, tmp_path: Path, architecture: str, tensor: str, word: str
) -> None:
    adapter = write_adapter(tmp_path / "adapter.gguf", DEMO_F16, architecture, tensor)
    event = refused(child, DEMO_F16, replace(SMALL, lora=((str(adapter), 1.0),)))
    assert "adapter.gguf" in event.failure.message and word in event.failure.message


def test_a_quantised_v_cache_without_flash_attention_is_refused(child: Child, demo_f16: Path) -> None:
    event = refused(child, demo_f16, replace(SMALL, cache_type_v="q8_0", flash_attn=FlashAttention.OFF))
    assert "flash attention" in event.failure.message and event.failure.hint


def test_a_head_size_that_the_cache_block_does_not_divide_is_refused(child: Child, stories: Path) -> None:
    event = refused(child, stories, replace(SMALL, cache_type_k="q8_0"))
    assert "head size of 8" in event.failure.message
    assert "--cache-type-k f16" in event.failure.hint
    assert event.failure.kind == "plan_refused"


def test_files_that_are_no_models_are_refused(another: Callable[[], Child], demo_f16: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.gguf"
    text.write_text("This is no model.\n" * 99)
    (empty := tmp_path / "empty.gguf").touch()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(demo_f16.read_bytes()[:1_000_000])
    strange = tmp_path / "strange.gguf"
    strange.write_bytes(demo_f16.read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lemma", 1))
    for path, word in (
        (tmp_path / "none.gguf", "cannot be read"), (tmp_path, "cannot be read"), (text, "not a GGUF file"),
        (empty, "GGUF"), (cut, "truncated"), (strange, "lemma"),
    ):  # fmt: skip
        started = another()
        event = refused(started, path)
        assert word in event.failure.message, event.failure
        assert len(event.failure.log) <= 20
        assert started.ended() == 1


def test_more_memory_than_there_is_is_told(tmp_path: Path, ghosts: dict[str, Path]) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))

    with Child(tmp_path / "child.log", before=limit) as child:
        event = refused(child, ghosts["llama3.1-8b"], replace(SMALL, load_mode=LoadMode.NONE))
    assert event.failure.kind == "memory"
    assert "GiB" in event.failure.message


def test_a_file_that_makes_llama_cpp_abort_is_a_message_with_its_sentence(
    child: Child, ghosts: dict[str, Path], tmp_path: Path
) -> None:
    path = patched(ghosts["qwen3moe-moe"], tmp_path / "bad.gguf", "qwen3moe.expert_used_count", 99)
    event = refused(child, path)
    assert "GGML_ASSERT" in event.failure.message and event.failure.kind == "engine"
    assert child.ended() == -6
    assert not list(Path.cwd().glob("core*"))


def test_loading_can_be_cancelled(child: Child, ghosts: dict[str, Path]) -> None:
    child.send(Load(str(ghosts["llama3.1-8b"]), replace(SMALL, load_mode=LoadMode.NONE).as_json()))
    child.until(lambda e: isinstance(e, LoadProgressed))
    asked = time.monotonic()
    child.send(Cancel())
    event = child.until(lambda e: isinstance(e, Failed | Loaded))
    assert isinstance(event, Failed), event
    assert (event.failure.kind, event.fatal) == ("cancelled", True)
    assert time.monotonic() - asked < 2


def test_locking_that_the_limit_forbids_is_told(demo_f16: Path, tmp_path: Path) -> None:
    def forbid() -> None:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (65536, 65536))
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK, 0, 0, 0)  # root is exempt while it has this

    with Child(tmp_path / "child.log", before=forbid) as child:
        loaded = child.load(demo_f16, replace(SMALL, load_mode=LoadMode.MLOCK))
    assert loaded.memory.locked is not None and loaded.memory.locked < 8_000_000
    assert any("RLIMIT_MEMLOCK" in warning for warning in loaded.warnings)


def test_a_child_gives_itself_to_the_oom_killer_and_keeps_nothing_of_its_crash(child: Child, demo_f16: Path) -> None:
    child.load(demo_f16)
    process = Path(f"/proc/{child.process.pid}")
    assert int((process / "oom_score_adj").read_text()) >= 500
    assert "Max core file size        0" in (process / "limits").read_text()


def test_an_engine_that_is_missing_or_broken_is_a_message(demo_f16: Path, tmp_path: Path) -> None:
    (tmp_path / "missing").mkdir()
    (tmp_path / "missing" / "llama_cpp.py").touch()  # hides the package: a module is not one
    broken = tmp_path / "broken" / "llama_cpp"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "llama_cpp.py").write_text("raise OSError('libllama.so: cannot open \\x1b[31m')")
    for folder, word in (("missing", "not installed"), ("broken", "cannot open")):
        with Child(tmp_path / "child.log", environment={"PYTHONPATH": str(tmp_path / folder)}) as child:
            event = child.until(lambda e: isinstance(e, Failed))
            assert child.ended() == 1
        assert isinstance(event, Failed) and event.fatal and event.failure.kind == "engine"
        assert word in event.failure.message and "pip install" in event.failure.hint
        assert "\x1b" not in event.failure.message
        assert "Traceback" not in (tmp_path / "child.log").read_text()


def test_the_same_file_at_another_place_answers_the_same(child: Child, demo_f16: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a b [bold]ü.gguf"
    shutil.copy(demo_f16, odd)
    child.load(odd)
    assert child.ask(chat("What is 23 + 45?", sampling=Sampling(temperature=0))).text == "23 + 45 = 68."
