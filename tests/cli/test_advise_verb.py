"""`advise` on a repository of twenty quants for several machines, on what is here, and on bad input."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qtui.services.hub.client import HubClient
from qtui.services.hub.hub import HuggingFaceHub
from qtui.services.hub.store import HeaderStore
from qtui.services.library.library import LocalLibrary
from qtui.services.library.tables import LocalTables
from tests.cli.world import World
from tests.hub.model_repository import RECIPES, TINY, ModelRepository, Shape, model_repository
from tests.hub.repository import Repository
from tests.hub.server import LocalHub

NAME = "acme/Acme-8B-GGUF"


@pytest.fixture(scope="module")
def made() -> ModelRepository:
    return model_repository(shape=Shape(vocabulary=600))


@pytest.fixture
def server(world: World, made: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub with twenty quants of a model of 8 billion parameters; headers are read by the real library."""

    async def pause(seconds: float) -> None:
        """Do not wait."""

    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.add(made.repository)
        world.hub = lambda: HuggingFaceHub(HubClient(pause=pause), HeaderStore(tmp_path / "headers"))
        world.tables = LocalTables()
        world.library = LocalLibrary([tmp_path / "empty"])  # type: ignore[assignment]
        yield hub


@pytest.mark.parametrize(
    ("machine", "best", "fit"),
    [
        (("--vram", "24GiB", "--ram", "32GiB"), "Q5_K_M", "fits"),
        (("--vram", "6GiB", "--ram", "16GiB"), "Q3_K_L", "fits"),
        (("--ram", "5800MiB"), "Q4_K_M", "fits"),
        (("--ram", "2GiB"), None, None),
    ],
    ids=["24 GiB card", "6 GiB card", "5.7 GiB of RAM", "2 GiB of RAM"],
)
def test_a_repository_on_four_machines(
    world: World, server: LocalHub, machine: tuple[str, ...], best: str | None, fit: str | None
) -> None:
    body = world.run("advise", NAME, *machine, "--json").json
    every = [*body["ranking"], *body["left"]]
    assert len(every) == 20 and body["simulated"] is True and body["ctx_size"] == 8192
    found = next((each for each in body["ranking"] if each["file"] == body["best"]), None)
    if best is None:
        assert found is None and body["verdict"].startswith("none of these: take a smaller model. ")
        assert "GiB short of" in body["verdict"]
    else:
        assert found is not None and (found["quant"], found["verdict"]) == (best, fit)
        assert body["verdict"].startswith(f"take Acme-8B {best}: it fits at context 8192")
    for each in every:
        assert each["quality"]["origin"] in ("published", "unknown") and each["reason"]
        assert (each["quality"]["source"] is None) is (each["quality"]["kl_divergence"] is None)
        if each["quant"].startswith("UD-"):
            assert (each["quality"]["kl_divergence"] is None and "not known" in each["reason"]) or each in body["left"]


def test_wishes_change_the_answer(world: World, server: LocalHub) -> None:
    def best(*more: str) -> str:
        body = world.run("advise", NAME, "--vram", "24GiB", "--json", *more).json
        return str(body["ranking"][0]["quant"])

    assert best() == "Q5_K_M" and best("--prefer", "speed") == "IQ4_XS"
    assert best("--prefer", "speed", "--for", "long-documents") == "Q5_K_M"
    assert best("--keep-free", "19GiB", "--ram", "64GiB") == "Q3_K_L"
    assert best("--ctx-size", "40960", "--keep-free", "14GiB", "--ram", "64GiB") not in ("Q5_K_M", "Q8_0")


def test_the_answer_as_text_names_every_source(world: World, server: LocalHub) -> None:
    ran = world.run("advise", NAME, "--vram", "6GiB", "--for", "maths")
    lines = ran.out.splitlines()
    assert ran.status == 0 and lines[0].startswith("take Acme-8B Q3_K_L") and lines[0].endswith("(simulated)")
    assert lines[2].split() == ["VARIANT", "SIZE", "BPW", "NEEDS", "FIT", "KLD", "COUNTS", "AS", "T/S"]
    assert "1. Acme-8B Q3_K_L: fits at context 8192" in ran.out and "not your model" in ran.out
    assert "   - below 4 bits GSM8K fell on Llama 3.1 8B: Q3_K_M by 4.5 points, Q3_K_S by 9.3" in lines
    assert "rule: https://arxiv.org/abs/2601.14277" in lines
    assert any(line.startswith("° LLaMA 3 8B, WikiText-2") and "licence: MIT" in line for line in lines)


def test_the_frontier_as_a_chart_and_a_table(world: World, server: LocalHub) -> None:
    ran = world.run("advise", NAME, "--vram", "24GiB", "--frontier")
    lines = ran.out.splitlines()
    assert "up: KL divergence, logarithmic; right: what it needs, GiB; * several points" in lines
    row = next(line for line in lines if " Q4_0 " in line)
    assert "needs as much as IQ4_XS (within 1 %) and is worse by °0.036; which is faster is not known" in row
    body = world.run("advise", NAME, "--vram", "24GiB", "--json").json
    points = {point["quant"]: point for point in body["frontier"]}
    assert len(points) == 20 and points["Q4_0"]["dominated_by"] == "IQ4_XS" and points["Q8_0"]["dominated_by"] is None
    assert points["UD-Q4_K_XL"]["dominated_by"] is None and points["UD-Q4_K_XL"]["reason"]


def test_variants_and_models_that_are_here(world: World) -> None:
    body = world.run("advise", "Tiny", "--json").json
    assert {each["quant"] for each in (*body["ranking"], *body["left"])} == {"Q8_0", "Q2_K"}
    assert world.run("advise", "Tiny-Q8_0.gguf", "Tiny-Q2_K.gguf", "--json").json["best"] == "/models/Tiny-Q8_0.gguf"


def test_figures_of_ones_own_count_and_what_is_wrong_in_them_is_said(world: World, tmp_path: Path) -> None:
    world.own_figures = tmp_path
    text = '[source]\ntitle="mine"\nlicence="own"\n[setting]\nmodel="Tiny"\ndata="t"\n[[figure]]\nquant="Q8_0"\n'
    (tmp_path / "a.toml").write_text(text + "kl_divergence=0.9\nperplexity=0\n")
    ran = world.run("advise", "Tiny", "--json")
    row = next(each for each in ran.json["ranking"] if each["quant"] == "Q8_0")
    assert row["quality"]["kl_divergence"] == 0.9 and row["band"] == "only if nothing else fits"
    assert "line 10: figure 1.perplexity is not between 1 and 1e+12" in ran.err


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (("acme/Nothing-GGUF",), "there is no such repository", 1),
        ((f"{NAME}:Q9_Q",), "has no Q9_Q", 2),
        (("nothing.gguf",), "no such file", 1),
        ((NAME, "--for", "poetry"), "invalid choice", 2),
        ((NAME, "--keep-free", "much"), "not a size", 2),
        ((NAME, "--cache-type-k", "q4_9"), "invalid choice", 2),
    ],
)
def test_what_cannot_be_asked(
    world: World, server: LocalHub, arguments: tuple[str, ...], message: str, status: int
) -> None:
    ran = world.run("advise", *arguments)
    assert ran.status == status and message in ran.err


def test_a_repository_without_models_and_a_hub_that_refuses(
    world: World, server: LocalHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add(Repository("acme/Plain")).commit({"model.safetensors": b""})
    ran = world.run("advise", "acme/Plain")
    assert ran.status == 2 and "no model to choose from" in ran.err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    body = world.run("advise", NAME, "--json").json
    assert body["error"]["kind"] == "offline"


def test_headers_that_cannot_be_read_are_named_and_the_rest_is_ranked(world: World, server: LocalHub) -> None:
    few = server.add(model_repository("acme/Few-GGUF", TINY, RECIPES[3:6]).repository)
    few.commit({"Acme-Tiny-Q2_K.gguf": b"nonsense" * 100, "evil\x1b[2J.gguf": b"x"})
    ran = world.run("advise", few.id, "--json")
    every = [*ran.json["ranking"], *ran.json["left"]]
    assert ran.status == 0 and len(every) == 3 and "note: " in ran.err and "\x1b" not in ran.err + ran.out
