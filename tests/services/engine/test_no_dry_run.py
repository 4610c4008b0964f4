"""Where llama.cpp gives no answer: the closed form stays and says why, soon, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, EngineError
from qtui.core.memory.closed_form.formula import ClosedForm
from qtui.core.memory.footprints import Footprints
from qtui.core.memory.guard import Guard
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from qtui.services.engine.client import BuiltInEngine
from qtui.services.engine.dry_run import DryRunClient
from qtui.services.library.tables import LocalTables
from tests.builders.gguf import Tensor, build
from tests.fakes import FakeMachine
from tests.services.engine.scripts import gone, until
from tests.services.engine.weighing import PLAN, left_over, variant


@dataclass(frozen=True, slots=True)
class Stage:
    """A store over the real engine."""

    client: DryRunClient
    store: Footprints
    guard: Guard


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    engine = BuiltInEngine()
    client = DryRunClient(time_limit=0.5)
    store = Footprints(client, ClosedForm(LocalTables(), engine))
    yield Stage(client, store, Guard(store, FakeMachine(), engine))
    await client.close()
    assert left_over() == []


async def test_a_helper_that_hangs_is_killed_at_its_limit_and_the_closed_form_says_so(
    stage: Stage, ghosts: dict[str, Path]
) -> None:
    model = variant(ghosts["qwen3-dense"], context_length=4096, layers=8)
    assert (await stage.store.ask(model, PLAN)).footprint is not None
    helper = stage.client.helper_pid
    assert helper is not None
    os.kill(helper, signal.SIGSTOP)
    begin = time.perf_counter()
    known = await stage.store.ask(model, replace(PLAN, ctx_size=8192))
    assert time.perf_counter() - begin < 5
    assert known.footprint is not None and known.footprint.origin is Origin.COMPUTED
    assert any(note.startswith("computed only: the dry run was stopped after 0.5 s") for note in known.footprint.notes)
    await until(lambda: gone(helper))
    again = await stage.store.ask(model, replace(PLAN, ctx_size=8192))  # asked again, of another helper
    assert again.footprint is not None and again.footprint.origin is Origin.DRY_RUN


async def test_a_helper_that_is_asked_does_not_hold_up_the_end(ghosts: dict[str, Path]) -> None:
    client = DryRunClient(time_limit=60)
    model = variant(ghosts["qwen3-dense"])
    await client.footprint(model, PLAN)
    helper = client.helper_pid
    assert helper is not None
    os.kill(helper, signal.SIGSTOP)
    asked = asyncio.create_task(client.footprint(model, replace(PLAN, ctx_size=8192)))
    waiting = asyncio.create_task(client.footprint(model, replace(PLAN, ctx_size=512)))
    await until(lambda: client._asked == 2)
    begin = time.perf_counter()
    waiting.cancel()
    await client.close()
    assert time.perf_counter() - begin < 5 and client.helper_pid is None
    with pytest.raises(EngineError):
        await asked
    await until(lambda: gone(helper))
    assert left_over() == []


async def test_a_file_system_without_sparse_files_leaves_the_closed_form_and_says_so(
    stage: Stage, ghosts: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = []

    def fill(path: Path, size: int) -> None:
        """Extend a file as FAT does: with zeros on the disk."""
        filled.append(size)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, size)

    monkeypatch.setattr("qtui.services.engine.ghosts.os.truncate", fill)
    weighed = await stage.guard.weigh(variant(ghosts["llama3.1-8b"], context_length=4096, layers=32), PLAN)
    assert weighed.footprint is not None and weighed.footprint.origin is Origin.COMPUTED
    assert any("no sparse files" in note for note in weighed.footprint.notes)
    assert max(filled) <= 4 * MIB  # it was not tried with gigabytes
    assert left_over() == []


@pytest.mark.parametrize("count", [0, 513, (1 << 32) - 1])
async def test_absurd_layers_are_refused_before_llama_cpp_is_asked(
    client: DryRunClient, tmp_path: Path, count: int
) -> None:
    image = build({"general.architecture": "llama", "llama.block_count": count}, [Tensor("token_embd.weight", (32, 9))])
    with pytest.raises(BadFileError, match=rf"layers\.gguf counts {count} layers; llama\.cpp takes 1 to 512"):
        await client.footprint(variant(image.write(tmp_path / "layers.gguf")), PLAN)
    assert client.helper_pid is None


def lying_headers(folder: Path) -> list[Path]:
    """Whole headers whose numbers are wrong."""
    width, blocks = 4096, 32
    honest: dict[str, int | float | str] = {
        "general.architecture": "llama", "llama.block_count": blocks, "llama.embedding_length": width,
        "llama.context_length": 8192, "llama.feed_forward_length": 11008, "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8, "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.vocab_size": 1000, "tokenizer.ggml.model": "none",
    }  # fmt: skip
    tensors = [Tensor("token_embd.weight", (width, 1000)), Tensor("output_norm.weight", (width,))]
    most = (1 << 32) - 1
    lies = (
        ("block_count", most), ("block_count", 0), ("embedding_length", most), ("embedding_length", 0),
        ("attention.head_count_kv", most), ("attention.head_count", 0), ("context_length", most),
    )  # fmt: skip
    paths = []
    for number, (key, value) in enumerate(lies):
        paths.append(build({**honest, f"llama.{key}": value}, tensors).write(folder / f"{number}.gguf"))
    whole = build(honest, tensors).write(folder / "sizes.gguf")
    os.truncate(whole, whole.stat().st_size - 5_000_000)
    count = folder / "count.gguf"
    content = bytearray(paths[0].read_bytes())
    content[8:16] = (1 << 60).to_bytes(8, "little")  # tensors
    count.write_bytes(content)
    return [*paths, whole, count]


MEASURED = """
import json, resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "qtui.cli.main", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]))
sys.exit(done.returncode)
"""
"""Runs qtui and prints its processor time in seconds and its largest process in KiB, apart from all other children."""


@pytest.mark.slow
def test_a_header_that_lies_is_a_sentence_within_a_second_and_200_mib(tmp_path: Path) -> None:
    paths = lying_headers(tmp_path)
    for path in paths:
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, "fit", str(path), "--ctx-size", "4096"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        spent, largest = json.loads(done.stdout.splitlines()[-1])
        assert "Traceback" not in done.stderr, path.name
        assert done.returncode == 0 or done.stderr.startswith("qtui: "), (path.name, done.stderr)
        assert spent < 3, path.name  # Python, the engine's description and the helper are in it
        assert largest * 1024 < 200 * MIB, path.name
    assert sum(path.stat().st_blocks for path in paths) * 512 < GIB
