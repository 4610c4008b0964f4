"""`ls`, `show`, `fit`, `bench`, `monitor`, `doctor`, `demo` over fakes."""

from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from qtui.core.demo import DEMO_PROMPT, DEMO_QUANTS
from qtui.core.errors import BadFileError, PlanRefusedError
from qtui.core.hardware import EngineInfo, Gpu
from qtui.core.library.variant import FilePrint, Role
from qtui.core.memory.plan import LoadPlan
from qtui.core.text import GIB
from tests.cli.world import BIG, World
from tests.fakes import ONE_CARD, Reply, make_variant

CARD = Gpu(0, "A card", 12 * GIB, 8 * GIB, "GPU-1")


def test_ls_groups_models_and_gives_every_key(world: World) -> None:
    world.library.variants = [
        make_variant("Other", "Q4_0", size=5 * GIB), BIG, make_variant("Tiny", "mmproj", role=Role.MMPROJ),
        make_variant("Tiny", "Q6_K", complete=False, problem="2 of 3 shards here"),
    ]  # fmt: skip
    ran = world.run("ls")
    assert ran.status == 0
    lines = ran.out.splitlines()
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["Other", "Q4_0"], ["Tiny", "Q6_K"], ["Tiny", "Q8_0"], ["Tiny", "mmproj"]
    ]  # fmt: skip
    assert "2 of 3 shards here" in ran.out
    body = world.run("ls", "--json").json
    assert set(body) == {"schema", "variants", "problems"}
    assert set(body["variants"][0]) >= {
        "path", "paths", "shards", "model", "quant", "architecture", "role", "parameters", "size", "bits_per_weight",
        "context_length", "source", "complete", "duplicate_of", "possible_duplicate_of", "reclaimable",
    }  # fmt: skip


def test_ls_looks_in_the_folders_given(world: World, tmp_path: object) -> None:
    world.run("ls", "--models-dir", "/one", "--models-dir", "/two")
    world.run("--models-dir", "/three", "ls")
    assert [[str(folder) for folder in folders] for folders in world.library.scanned] == [["/one", "/two"], ["/three"]]


def test_an_empty_library_says_where_it_looked(world: World) -> None:
    world.library.variants = []
    ran = world.run("ls")
    assert (ran.status, ran.out) == (0, "")
    assert "/models" in ran.err
    assert world.run("ls", "--json").json == {"schema": 1, "variants": [], "problems": []}


def copies(world: World) -> tuple[Path, Path]:
    """Let the library hold two files of equal size and header, and one of another."""
    alike = (FilePrint(GIB, "h"),)
    world.library.variants = [
        make_variant("Old", size=GIB, prints=alike, releases=GIB, written=1.0, repository="a/b"),
        make_variant("New", size=GIB, prints=alike, releases=GIB, written=2.0),
        make_variant("Alone", size=2 * GIB, prints=(FilePrint(2 * GIB, "h"),), releases=GIB),
    ]
    old, new, _ = world.library.variants
    return old.path, new.path


def test_ls_tells_possible_copies_without_reading_them(world: World) -> None:
    old, new = copies(world)
    ran = world.run("ls")
    assert f"perhaps a copy of {old}" in ran.out
    assert ran.out.endswith("1 possible copy: `qtui ls --hash` tells\n")
    told = {row["path"]: row for row in world.run("ls", "--json").json["variants"]}
    assert told[str(new)]["possible_duplicate_of"] == str(old)
    assert (told[str(new)]["duplicate_of"], told[str(new)]["reclaimable"], told[str(new)]["sha256"]) == (None, 0, None)
    assert world.library.hashed == []


def test_ls_hash_reads_all_and_says_what_deleting_copies_would_free(world: World) -> None:
    old, new = copies(world)
    ran = world.run("ls", "--hash")
    assert f"copy of {old}" in ran.out
    assert ran.out.endswith("1 copy: `qtui rm` would free 1.00 GiB\n")
    assert len(world.library.hashed) == 3
    told = {row["path"]: row for row in world.run("ls", "--hash", "--json").json["variants"]}
    assert (told[str(new)]["duplicate_of"], told[str(new)]["reclaimable"]) == (str(old), GIB)
    assert told[str(old)]["sha256"] == ["0" * 64]


def test_ls_hash_goes_on_past_a_file_that_cannot_be_read(world: World) -> None:
    old, new = copies(world)
    world.library.errors[str(new)] = BadFileError("New: may not be read", "")
    ran = world.run("ls", "--hash")
    assert ran.status == 0
    assert "not hashed: New: may not be read" in ran.err
    assert f"perhaps a copy of {old}" in ran.out


def test_ls_says_which_places_do_not_answer(world: World) -> None:
    world.library.problems = ("/mnt/nas: does not answer; it is left out",)
    ran = world.run("ls", "--json")
    assert ran.json["problems"] == ["/mnt/nas: does not answer; it is left out"]
    assert "does not answer" in ran.err


def test_show_gives_what_the_header_says(world: World) -> None:
    body = world.run("show", BIG.path.name, "--json").json
    assert set(body) == {
        "schema", "file", "architecture", "model", "quant", "parameters", "active_parameters", "bits_per_weight",
        "context_length", "layers", "experts", "tensor_types", "imatrix", "chat_template", "context_bytes_per_token",
        "metadata", "warnings",
    }  # fmt: skip
    assert body["file"] == str(BIG.path)
    assert set(body["tensor_types"]["F16"]) == {"tensors", "bytes", "elements"}
    ran = world.run("show", BIG.path.name)
    assert "trained to 1024" in ran.out
    assert "general.license" in ran.out


def test_fit_gives_the_footprint_and_the_verdict(world: World) -> None:
    body = world.run("fit", BIG.path.name, "--json", "--ctx-size", "2048", "--cache-type-k", "q8_0").json
    assert set(body) == {
        "schema", "file", "engine", "plan", "origin", "devices", "extra", "pools", "total", "peak", "reclaimable",
        "locked", "formula", "headroom", "margin", "simulated", "verdict", "pool", "short_by", "reason", "speed",
        "warnings",
    }  # fmt: skip
    assert set(body["speed"]) == {"generation_rate", "origin", "depth", "bytes_per_token", "note"}
    assert set(body["plan"]) == set(LoadPlan().as_json())
    assert (body["plan"]["ctx_size"], body["plan"]["cache_type_k"]) == (2048, "q8_0")
    pools = body["pools"]
    assert pools["ram_anonymous"] + pools["ram_file_backed"] + sum(pools["vram"]) == body["total"]
    assert (body["verdict"], body["simulated"]) == ("fits", False)
    assert body["plan"]["threads"] == 4
    ran = world.run("fit", BIG.path.name)
    assert ran.out.splitlines()[-1].startswith("fits: needs 364 MiB")
    assert "WEIGHTS" in ran.out


def test_fit_takes_simulated_memory(world: World) -> None:
    world.dry_run.totals[BIG.path] = 6 * GIB
    body = world.run("fit", BIG.path.name, "--ram", "4G", "--load-mode", "none", "--json").json
    assert body["simulated"] is True
    assert body["verdict"] == "too_big"
    margin = body["margin"]["ram"]
    assert body["headroom"]["ram"] == 4 * GIB - margin
    assert body["short_by"] == 6 * GIB - (4 * GIB - margin)
    assert "too big (simulated)" in world.run("fit", BIG.path.name, "--ram", "4G", "--load-mode", "none").out


def test_fit_takes_simulated_cards_as_many_as_there_are(world: World) -> None:
    world.engine.engine_info = ONE_CARD
    world.machine.set(gpus=(CARD,))
    body = world.run("fit", BIG.path.name, "--vram", "24GB", "--json").json
    assert body["headroom"]["vram"] == [24 * 10**9 - GIB]
    assert world.run("fit", BIG.path.name, "--vram", "24GB,8GB").status == 2


@pytest.mark.parametrize("error", [PlanRefusedError("refused", "hint"), BadFileError("damaged", "hint")])
def test_fit_says_why_there_is_no_footprint(world: World, error: PlanRefusedError | BadFileError) -> None:
    world.dry_run.errors[BIG.path] = error
    ran = world.run("fit", BIG.path.name, "--json")
    assert ran.status == 1
    assert ran.json == {"schema": 1, "error": {"message": error.message, "hint": "hint", "kind": error.kind}}


def test_fit_refuses_a_vocabulary_with_a_sentence(world: World) -> None:
    vocabulary = make_variant("ggml-vocab", "?", role=Role.VOCAB)
    world.library.variants = [vocabulary]
    ran = world.run("fit", vocabulary.path.name)
    assert ran.status == 1
    assert "vocab" in ran.err
    assert world.dry_run.asked == []


def test_bench_that_generates_too_little_is_a_failure_of_that_file(world: World) -> None:
    ran = world.run("bench", BIG.path.name, "--repeats", "2", "--prompt-tokens", "0", "--json")
    assert ran.status == 1
    (result,) = ran.json["results"]
    assert result["test"] == "tg128"
    assert result["rate"] == {"mean": None, "stdev": None, "samples": []}
    assert "3 of 128 tokens" in result["error"]["message"]


def test_bench_prints_rates_with_their_spread(world: World) -> None:
    for rate in (99.0, 10.0, 20.0):
        world.engine.enqueue(Reply("a b", generation_rate=rate))
    arguments = ("bench", BIG.path.name, "--repeats", "2", "--prompt-tokens", "0", "--generate", "2")
    body = world.run(*arguments, "--json").json
    assert set(body) == {"schema", "results", "method", "plans"}
    (result,) = body["results"]
    assert set(result) == {"file", "test", "depth", "rate"}
    assert result["rate"]["samples"] == [10.0, 20.0]
    assert result["rate"]["mean"] == 15.0
    world.engine.default = Reply("a b")
    ran = world.run(*arguments)
    assert "tg2" in ran.out
    assert "2 repetitions" in ran.out


class Interrupting(asyncio.Event):
    """Sends this process a signal when it is waited for."""

    async def wait(self) -> Literal[True]:
        os.kill(os.getpid(), signal.SIGINT)
        return await super().wait()


def test_a_signal_ends_bench_within_the_sample_and_shows_what_was_measured(world: World) -> None:
    for rate in (99.0, 10.0):
        world.engine.enqueue(Reply("a b", generation_rate=rate))
    world.engine.enqueue(Reply("a b c", hold=Interrupting(), hold_after=1))
    arguments = ("bench", BIG.path.name, "--repeats", "5", "--prompt-tokens", "0", "--generate", "2")
    ran = world.run(*arguments, "--json")
    assert ran.status == 130
    assert ran.json["error"]["kind"] == "interrupted"
    (result,) = ran.json["results"]
    assert result["rate"]["samples"] == [10.0]
    assert "error" not in result


def test_doctor_tells_what_is_here_and_what_may_be_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_ENDPOINT", "https://me:word@hub.example/")
    world.machine.set(gpus=(CARD,))
    world.more_engines = [EngineInfo("/usr/bin/llama-server", problem="it is silent", usable=False)]
    ran = world.run("doctor", "--json")
    body = ran.json
    assert {"llama_cpp", "cpu", "engines", "gpus", "limits", "caches", "hub", "problems"} <= set(body)
    assert body["hub"]["endpoint"] == "https://hub.example"
    assert body["hub"]["token"] == "environment"
    assert "hf_secret" not in ran.out
    assert body["engines"][0]["devices"][0]["name"] == "CPU"
    assert body["limits"]["memlock"] == world.machine.hardware().memlock_limit
    assert any("it is silent" in problem for problem in body["problems"])
    assert any("A card" in problem for problem in body["problems"])
    plain = world.run("doctor").out
    assert "problem    A card" in plain
    assert "hf_secret" not in plain


def test_doctor_works_where_llama_cpp_does_not(world: World) -> None:
    world.engine.engine_info = EngineInfo("built-in", problem="llama.cpp cannot be imported; install it", usable=False)
    body = world.run("doctor", "--json").json
    assert body["llama_cpp"]["usable"] is False
    assert body["problems"] == ["built-in: llama.cpp cannot be imported; install it"]


def test_no_card_is_no_problem(world: World) -> None:
    world.machine.now = replace(world.machine.now, problems=("NVML: no NVIDIA driver library on this machine",))
    ran = world.run("doctor")
    assert "no problems found" in ran.out
    assert "no NVIDIA driver library" in ran.out


def test_demo_answers_headless_on_its_two_sides(world: World) -> None:
    sides = [replace(make_variant("qtui-demo", quant), path=world.demo.path(quant)) for quant in DEMO_QUANTS]
    world.library.variants = sides
    world.engine.enqueue(Reply("68"), variant=sides[0])
    world.engine.enqueue(Reply("67"), variant=sides[-1])
    body = world.run("demo", "--headless", "--json").json
    assert world.demo.prepared
    assert body["prompt"] == DEMO_PROMPT
    assert [side["text"] for side in body["sides"]] == ["68", "67"]
    assert "A  qtui-demo Q8_0" in world.run("demo", "--headless").out


def test_demo_removes_what_it_made(world: World) -> None:
    body = world.run("demo", "--clean", "--json").json
    assert len(body["removed"]) == len(DEMO_QUANTS)
    assert world.run("demo", "--clean").out.startswith("removed /cache/demo/")


def test_demo_asks_for_a_terminal_before_it_makes_anything(world: World) -> None:
    ran = world.run("demo")
    assert ran.status == 2
    assert not world.demo.prepared
