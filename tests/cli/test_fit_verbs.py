"""`fit --auto`, `fit --ladder` and `compare` over shipped headers: real files and tables, a dry run that is a fake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qtui.core.history import MeasuredRate, speed_key
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.simulation import SimulatedCards
from qtui.core.text import GIB
from qtui.services.library.tables import LocalTables
from tests.cli.world import World
from tests.conftest import HEADER_SIZES
from tests.fakes import FakeDryRun

CARDS = ("--ram", "32GiB", "--vram", "12GiB,12GiB")
LAYERS = {"llama3.1-8b": 32, "gemma3-27b": 62, "qwen3-30b-a3b": 48}


@pytest.fixture
def zoo(world: World, ghosts: dict[str, Path]) -> World:
    """The fakes, with real headers in the library."""
    world.library.variants = [
        Variant(ghosts[name], name.rpartition("-")[0], name.rpartition("-")[2], size=HEADER_SIZES[name],
                context_length=131072, bits_per_weight=4.5, layers=LAYERS[name])
        for name in LAYERS
    ]  # fmt: skip
    world.tables = LocalTables()
    return world


def file(name: str) -> str:
    return f"{name}.gguf"


def test_cards_that_are_not_here_are_computed_and_said_to_be_simulated(zoo: World) -> None:
    body = zoo.run(
        "fit", file("gemma3-27b"), "--vram", "8GiB,8GiB", "--ram", "32G", "--ctx-size", "65536", "--json"
    ).json
    assert body["simulated"] is True and body["origin"] == "computed"
    assert [row["name"] for row in body["devices"]][:2] == ["CUDA0", "CUDA1"]
    assert body["headroom"]["vram"] == [7 * GIB, 7 * GIB] and len(body["pools"]["vram"]) == 2
    assert body["verdict"] == "partial" and "layers" in body["reason"]
    assert body["fitting"]["n_gpu_layers"] < 63 == body["plan"]["n_gpu_layers"]
    assert zoo.dry_run.asked == []
    plain = zoo.run("fit", file("gemma3-27b"), "--vram", "8GiB,8GiB", "--ram", "32G", "--ctx-size", "65536").out
    assert "note: computed only: llama.cpp cannot be asked about 2 simulated GPUs" in plain
    assert plain.splitlines()[-1].startswith("partial (simulated): fits with ")


def test_another_program_is_weighed_as_it_would_load_the_file(zoo: World) -> None:
    plans = {}
    for engine in ("built-in", "llama-server", "llama-cli", "llama-cpp-python"):
        body = zoo.run("fit", file("gemma3-27b"), "--engine", engine, "--json").json
        plans[engine] = body["plan"]
        assert body["engine"] == plans[engine]["engine"] == engine
        items = {item["item"] for item in body["formula"]["extra"]}
        assert ("prompt cache" in items) is (engine == "llama-server")
        assert ("scores" in items) is (engine == "llama-cpp-python")
    told = {engine: (plan["ctx_size"], plan["parallel"], plan["batch_size"]) for engine, plan in plans.items()}
    assert told == {
        "built-in": (8192, 1, 2048), "llama-server": (131072, 4, 2048), "llama-cli": (131072, 1, 2048),
        "llama-cpp-python": (512, 1, 512),
    }  # fmt: skip
    assert plans["llama-cpp-python"]["swa_full"] is True and plans["llama-cpp-python"]["flash_attn"] == "off"
    asked = ("--engine", "llama-server", "--parallel", "2", "--ctx-size", "4096", "--json")
    plan = zoo.run("fit", file("gemma3-27b"), *asked).json["plan"]
    assert (plan["parallel"], plan["ctx_size"]) == (2, 4096)
    assert "  under llama-cli\n" in zoo.run("fit", file("gemma3-27b"), "--engine", "llama-cli").out


def test_a_program_that_is_not_known_or_cannot_be_run_is_refused(zoo: World) -> None:
    ran = zoo.run("fit", file("gemma3-27b"), "--engine", "\x1b[1mvllm", "--json")
    assert ran.status == 2 and "there is no engine" in ran.json["error"]["message"] and "\x1b" not in ran.err
    assert zoo.run("ask", file("gemma3-27b"), "hi", "--engine", "llama-cli").status == 2  # it answers nobody
    assert zoo.run("ask", file("gemma3-27b"), "hi", "--engine", "http://user:word@host").status == 2


def test_the_cards_of_another_build_count_for_it(zoo: World) -> None:
    other = FakeDryRun()
    zoo.other = (SimulatedCards(zoo.engine, (12 * GIB,)), other)
    body = zoo.run("fit", file("llama3.1-8b"), "--engine", "/opt/llama/llama-server", "--json").json
    assert other.asked and other.closed and not zoo.dry_run.asked
    assert body["plan"]["n_gpu_layers"] == 33 and body["engine"] == "/opt/llama/llama-server"
    assert body["formula"]["devices"][0]["name"] == "CUDA0"


def test_auto_gives_the_best_plan_and_one_line_per_choice(zoo: World) -> None:
    arguments = ("fit", "--auto", file("qwen3-30b-a3b"), *CARDS, "--ctx-size", "131072")
    body = zoo.run(*arguments, "--json").json
    assert body["verdict"] == "fits" and body["proposed"] is True and body["short_by"] == 0
    reasons = {reason["option"]: reason["value"] for reason in body["reasons"]}
    plan = body["plan"]
    assert reasons["ctx_size"] == plan["ctx_size"] == 131072
    assert reasons["n_gpu_layers"] == plan["n_gpu_layers"] == 49
    assert reasons["n_cpu_moe"] == plan["n_cpu_moe"] > 0
    assert reasons["cache_type"] == {"k": plan["cache_type_k"], "v": plan["cache_type_v"]}
    lines = zoo.run(*arguments).out.splitlines()
    assert sum(line.startswith("- ") for line in lines) == len(body["reasons"])
    assert lines[-1].startswith("as options: --ctx-size 131072 --n-gpu-layers 49")
    again = zoo.run("fit", file("qwen3-30b-a3b"), *CARDS, *lines[-1].removeprefix("as options: ").split(), "--json")
    assert again.json["verdict"] == "fits" and again.json["pools"] == body["pools"]


def test_auto_says_when_nothing_fits(zoo: World) -> None:
    bare = zoo.run("fit", file("llama3.1-8b"), "--ram", "32G", "--vram", "0", "--json").json
    assert bare["headroom"]["vram"] == bare["pools"]["vram"] == [] and bare["plan"]["n_gpu_layers"] == 0
    assert bare["verdict"] == "fits"
    arguments = ("fit", "--auto", file("gemma3-27b"), "--ram", "6G", "--vram", "2G")
    body = zoo.run(*arguments, "--json").json
    assert (body["proposed"], body["reasons"], body["verdict"]) == (False, [], "too_big")
    assert "no plan fits" in zoo.run(*arguments).out


def test_the_ladder_has_a_letter_for_what_does_not_fit(zoo: World) -> None:
    ran = zoo.run("fit", "--ladder", file("llama3.1-8b"), "--ram", "32G", "--vram", "8G")
    head, *rows = ran.out.splitlines()[:4]
    assert head.split() == ["VARIANT", "KV", "4096", "8192", "16384", "32768", "65536", "131072"]
    assert [row.split()[-7:][0] for row in rows] == ["f16", "q8_0", "q4_0"]
    assert rows[0].endswith("p") and "~" in rows[0] and not rows[0].split()[-6].endswith("p")
    assert "headroom (simulated): RAM" in ran.out and "fits up to" in ran.out


def test_the_ladder_takes_several_files_and_a_models_name(zoo: World) -> None:
    other = replace(zoo.library.variants[0], path=zoo.library.variants[1].path, quant="Q8_0")
    zoo.library.variants = [zoo.library.variants[0], other, replace(other, path=Path("/m/x"), role=Role.MMPROJ)]
    body = zoo.run("fit", "--ladder", "llama3.1", *CARDS, "--ctx-size", "8192", "--json").json
    assert {variant["file"] for variant in body["variants"]} == {str(v.path) for v in zoo.library.variants[:2]}
    assert body["contexts"] == [256, 512, 1024, 2048, 4096, 8192]
    cells = [cell for variant in body["variants"] for cell in variant["cells"]]
    assert len(cells) == 2 * 3 * 6 and {cell["origin"] for cell in cells} == {"computed"}
    assert {cell["verdict"] for cell in cells} <= {"fits", "partial", "tight", "too_big"}
    two = zoo.run("fit", "--ladder", file("llama3.1-8b"), file("gemma3-27b"), *CARDS, "--json").json
    assert len(two["variants"]) == 2
    assert zoo.run("fit", "--ladder", "nothing-like-it").status == 1


def test_fit_takes_one_variant(zoo: World) -> None:
    for arguments in (("a", "b"), ()):
        ran = zoo.run("fit", *arguments)
        assert ran.status == 2 and "hint" in ran.err
    assert zoo.run("fit", "--auto", "--ladder", "a").status == 2


class Kept:
    """A history that keeps one rate of every file, under the plans that are asked for."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan

    async def rates(self, variants: list[Variant]) -> dict[Path, list[MeasuredRate]]:
        return {variants[0].path: [MeasuredRate(speed_key(self.plan), 41.5, 3, 1.0)]}


def test_compare_puts_variants_side_by_side(zoo: World) -> None:
    arguments = ("compare", file("llama3.1-8b"), file("gemma3-27b"), *CARDS)
    body = zoo.run(*arguments, "--json").json
    first, second = body["variants"]
    assert body["simulated"] is True and first["generation_rate"] is None
    assert second["difference"]["size"]["absolute"] == second["size"] - first["size"] > 0
    assert first["largest_context"] > 8192 and first["tensor_types"] and first["quality"]["reason"]
    plain = zoo.run(*arguments).out
    for word in ("llama3.1 8b", "gemma3 27b", "size, GiB", "bits per weight", "needs, GiB", "GPU1", "largest context",
                 "tokens/s", "KL divergence", "votes", "imatrix", "date", " %"):  # fmt: skip
        assert word in plain
    assert zoo.run("compare", file("llama3.1-8b")).status == 2


def test_compare_shows_what_the_history_measured(zoo: World) -> None:
    plan = zoo.run("fit", file("llama3.1-8b"), "--json").json["plan"]
    wire = zoo.wire

    def with_history(options: Any) -> Any:
        services = wire(options)
        services.history = Kept(plan)  # type: ignore[assignment]
        return services

    zoo.wire = with_history  # type: ignore[method-assign]
    body = zoo.run("compare", file("llama3.1-8b"), file("gemma3-27b"), "--json").json
    assert [variant["generation_rate"] for variant in body["variants"]] == [41.5, 41.5]
