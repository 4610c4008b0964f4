"""`search` and `quants`, and what is on the Hub for the other verbs, over a test Hub."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qtui.services.hub.client import HubClient
from qtui.services.hub.hub import HuggingFaceHub
from qtui.services.hub.store import HeaderStore
from tests.cli.world import World
from tests.hub.faults import Fault, Kind, rate_limited
from tests.hub.model_repository import RECIPES, TINY, ModelRepository, Shape, model_repository
from tests.hub.repository import Repository
from tests.hub.server import LocalHub

NAME = "acme/Acme-8B-GGUF"
TOKEN = "hf_" + "MARKED" * 5


@pytest.fixture(scope="module")
def made() -> ModelRepository:
    return model_repository(shape=Shape(vocabulary=600, layers=2))


@pytest.fixture
def server(world: World, made: ModelRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub that the world asks, with one repository of twenty quants."""

    async def pause(seconds: float) -> None:
        """Do not wait."""

    with LocalHub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        hub.add(made.repository)
        world.hub = lambda: HuggingFaceHub(HubClient(pause=pause), HeaderStore(tmp_path / "headers"))
        yield hub


def test_search(world: World, server: LocalHub) -> None:
    server.add(Repository("other/Thing-GGUF", licence="mit", gated="auto")).commit({"a.gguf": b"GGUF"})
    ran = world.run("search", "acme")
    assert ran.status == 0 and ran.out.splitlines()[1].split()[0::2][:2] == [NAME, "qwen3"]
    assert "other/Thing" not in ran.out
    body = world.run("search", "--sort", "downloads", "--json").json
    assert [each["repo"] for each in body["repositories"]] == [NAME, "other/Thing-GGUF"]
    assert body["repositories"][1]["access"] == "gated" and body["next"] is None and body["sort"] == "downloads"
    assert world.run("search", "--licence", "mit", "--json").json["repositories"][0]["licence"] == "mit"
    assert world.run("search", "--architecture", "qwen3", "--json").json["repositories"][0]["repo"] == NAME
    nothing = world.run("search", "nothing-of-this-name")
    assert nothing.status == 0 and nothing.out == "" and "nothing found" in nothing.err


def test_search_goes_on_page_by_page(world: World, server: LocalHub) -> None:
    for number in range(50):
        server.add(Repository(f"many/M{number:02d}-GGUF", downloads=99 - number)).commit({"a.gguf": b"GGUF"})
    first = world.run("search", "--author", "many", "--sort", "downloads", "--limit", "40", "--json").json
    assert len(first["repositories"]) == 40
    rest = world.run("search", "--page", first["next"], "--json").json
    assert [each["repo"] for each in rest["repositories"]] == [f"many/M{number}-GGUF" for number in range(40, 50)]
    assert rest["next"] is None


@pytest.mark.parametrize(
    "arguments",
    [["--parameters", "x"], ["--author", "a&b"], ["--sort", "size"], ["--limit", "0"], ["--parameters", "9B-1B"]],
)
def test_searches_that_cannot_be_asked(world: World, server: LocalHub, arguments: list[str]) -> None:
    assert world.run("search", "x", *arguments).status == 2 and server.requests() == []


def test_quants_weighs_every_variant(world: World, server: LocalHub, made: ModelRepository) -> None:
    ran = world.run("quants", NAME, "--json", "--ctx-size", "2048")
    body = ran.json
    assert ran.status == 0 and (body["repo"], body["commit"]) == (NAME, made.repository.head.sha)
    assert [row["quant"] for row in body["variants"]][:3] == ["BF16", "Q8_0", "Q6_K"] and len(body["variants"]) == 20
    row = next(row for row in body["variants"] if row["quant"] == "Q4_K_M")
    assert row["size"] == made.files[row["file"]].size and row["sha256"] == made.files[row["file"]].sha256
    assert row["status"] == "remote" and row["footprint"]["origin"] == "dry-run" and row["footprint"]["total"] > 0
    assert row["projector"] == "mmproj-F16.gguf" and row["date"] == made.repository.head.date.timestamp()
    assert body["variants"][0]["shards"] == sorted(path for path in made.files if "BF16" in path)
    assert sorted(row["role"] for row in body["others"]) == ["imatrix", "mmproj"]
    assert body["suggested"] in made.files and body["simulated"] is False


def test_quants_as_a_table(world: World, server: LocalHub) -> None:
    small = server.add(model_repository("acme/Few-GGUF", TINY, RECIPES[3:6]).repository)
    lines = world.run("quants", f"https://huggingface.co/{small.id}").out.splitlines()
    assert lines[0] == "acme/Few-GGUF: 1.4M parameters, qwen3, apache-2.0, open"
    assert lines[2].split() == ["VARIANT", "SIZE", "BPW", "NEEDS", "FIT", "DATE", "STATUS", "NOTE"]
    assert lines[3].split()[:3] == ["*", "Q5_K_M", "0.0010"] and lines[3].split()[5] == "fits"
    assert lines[6:9] == [
        "sizes in GiB; ~ computed", "mmproj: mmproj-F16.gguf, 14.06 MiB", "imatrix: imatrix.dat, 4.00 KiB",
    ]  # fmt: skip
    # The library of this world tells of every file that it is Q8_0.
    assert lines[9] == "Q5_K_M: says Q5_K_M, holds 100 % Q8_0" and lines[-1] == "* Q5_K_M is the largest that fits"


def test_names_alone(world: World, server: LocalHub) -> None:
    body = world.run("quants", NAME, "--names", "--json").json
    assert len(body["variants"]) == 20 and body["variants"][3]["footprint"] is None
    assert server.requests("cdn") == [] and body["suggested"] is None


def test_a_repository_without_gguf(world: World, server: LocalHub, made: ModelRepository) -> None:
    server.add(Repository("acme/Acme-8B")).commit({"model.safetensors": b"", "config.json": b"{}"})
    body = world.run("quants", "acme/Acme-8B", "--json").json
    assert body["variants"] == [] and body["kind"]["format"] == "safetensors"
    assert "convert_hf_to_gguf.py" in body["kind"]["command"]
    assert [each["repo"] for each in body["alternatives"]] == [NAME]
    text = world.run("quants", "acme/Acme-8B").out
    assert "llama.cpp runs GGUF files only" in text and NAME in text


def test_what_is_on_the_hub_is_shown_weighed_and_compared(
    world: World, server: LocalHub, made: ModelRepository
) -> None:
    file = f"{NAME}/{made.path('Q4_K_M')}"
    assert world.run("show", file, "--json").json["file"] == file
    assert world.run("fit", f"{NAME}:Q4_K_M", "--json").json["file"] == file
    compared = world.run("compare", f"{NAME}:Q4_K_M", f"{NAME}:Q3_K_M", "--json").json
    assert [row["file"] for row in compared["variants"]] == [file, f"{NAME}/{made.path('Q3_K_M')}"]
    ladder = world.run("fit", "--ladder", f"{NAME}:Q4_K_M", "--ctx-size", "512", "--json").json
    assert ladder["variants"][0]["file"] == file


def test_what_is_here_goes_first(world: World, server: LocalHub) -> None:
    assert world.run("fit", "Tiny-Q8_0.gguf", "--json").json["file"] == "/models/Tiny-Q8_0.gguf"
    assert world.run("fit", "nothing.gguf").status == 1 and server.requests() == []


@pytest.mark.parametrize(
    ("name", "message", "status"),
    [
        (f"{NAME}:Q9_Q", "has no Q9_Q", 2),
        (f"{NAME}/x.gguf", f"{NAME}/x.gguf: no such file", 1),
        (f"{NAME}/x.gguf", "has no file x.gguf", 1),
        ("models/sub/x.gguf", "models/sub/x.gguf: no such file", 1),
        ("models/x.gguf", "no such file", 1),
        ("acme/Nothing:Q4_0", "there is no such repository, and nothing here is called so", 1),
        (f"{NAME}/mmproj-F16.gguf", "its role is mmproj", 1),
        (f"{NAME}/imatrix.dat", "is not here", 2),
    ],
)
def test_names_that_fit_nothing(world: World, server: LocalHub, name: str, message: str, status: int) -> None:
    ran = world.run("fit", name)
    assert ran.status == status and message in ran.err and "hint: " in ran.err


@pytest.mark.parametrize("name", ["x.gguf", "models/x.gguf", "models/sub/x.gguf", "models/sub/deep/x.gguf"])
def test_a_path_of_no_file_is_looked_for_here_alone(
    world: World, server: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    for verb in ("fit", "advise", "show"):
        ran = world.run(verb, name)
        assert ran.status == 1 and "no such file" in ran.err and server.requests() == []


def test_refusals_say_what_to_do(world: World, server: LocalHub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.fault(Fault(Kind.PORTAL, times=2))
    body = world.run("quants", NAME, "--json").json
    assert body["error"]["kind"] == "hub" and "sent a web page" in body["error"]["message"]
    server.fault(rate_limited("/api/models/*", wait_s=9))
    server.faults[0].times = 0
    ran = world.run("quants", NAME, "--names", "--json")
    assert ran.status == 0 and "no more requests for" in ran.err
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ran = world.run("fit", f"{NAME}:Q4_K_M", "--json")
    assert ran.json["error"]["kind"] == "offline" and "is not here, and HF_HUB_OFFLINE is set" in ran.err


def test_gated_files_are_listed_and_say_why_they_are_not_read(world: World, server: LocalHub) -> None:
    gated = server.add(Repository("acme/Gated-GGUF", gated="manual"))
    gated.commit({"M-Q8_0.gguf": b"GGUF" + bytes(100), "M-Q4_0.gguf": b"GGUF" + bytes(101)})
    ran = world.run("quants", "acme/Gated-GGUF", "--json")
    assert ran.status == 0 and ran.json["access"] == "gated" and len(ran.json["variants"]) == 2
    assert "gated: its terms have to be accepted first" in ran.err


@pytest.mark.parametrize(
    "text", ["[red]x", "\x1b]0;x\x07", "a\u202eb", "x" * 5000], ids=["markup", "osc", "bidi", "long"]
)
def test_hostile_texts_of_the_hub(world: World, server: LocalHub, text: str) -> None:
    hostile = server.add(
        Repository("acme/Hostile-GGUF", licence=text, library=text, tags=(text,), scans={"a-Q4_0.gguf": text})
    )
    hostile.gguf = {"architecture": text, "total": 5}
    hostile.commit({"a-Q4_0.gguf": b"nonsense", "README.md": text.encode()})
    for ran in (
        world.run("search", "hostile"),
        world.run("quants", "acme/Hostile-GGUF"),
        world.run("show", "acme/Hostile-GGUF:Q4_0"),
    ):
        assert not any(ord(character) < 32 and character != "\n" for character in ran.out + ran.err)
        assert (
            "\u202e" not in ran.out + ran.err and len(max((ran.out + ran.err).splitlines(), key=len, default="")) < 1000
        )


# The command as a user runs it


def qtui(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "qtui.cli.main", *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=110,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done


def fitted(name: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(qtui("fit", name, "--ram", "8GiB", "--ctx-size", "1024", "--json").stdout)
    body.pop("file")
    body["speed"] = body["speed"]["bytes_per_token"]
    return body


@pytest.mark.slow
@pytest.mark.timeout(600)  # a busy machine waits until it can measure how fast it reads
@pytest.mark.parametrize("label", ["Q4_K_M", "BF16"])
def test_what_is_needed_is_the_same_before_and_after_the_download(
    label: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = model_repository("acme/Acme-Tiny-GGUF", TINY)
    with LocalHub() as hub:
        hub.add(made.repository)
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        path = made.path(label)
        before = fitted(f"acme/Acme-Tiny-GGUF/{path}")
        by_quant = fitted(f"acme/Acme-Tiny-GGUF:{label}")
    for each in made.files:
        if f"-{label}" in each:
            (tmp_path / each).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / each).write_bytes(made.files[each].read(0, made.files[each].size))
    after = fitted(str(tmp_path / path))
    assert before["origin"] == "dry-run" and before["total"] > 0
    assert before == by_quant == after


@pytest.mark.slow
@pytest.mark.timeout(600)  # a busy machine waits until it can measure how fast it reads
def test_the_token_is_nowhere(private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the verbs with a token that can be recognised, through every refusal, and look for it in all that remains."""
    made = model_repository("acme/Acme-Tiny-GGUF", TINY, RECIPES[4:7], gated="manual")
    config = private_home / "xdg_config_home" / "qtui"
    config.mkdir(parents=True)
    (config / "settings.toml").write_text("[hub]\ntoken_for_mirror = true\n")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    said = ""
    with LocalHub() as hub:
        hub.add(made.repository)
        hub.user(TOKEN, "me")
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        for granted, fault in (
            (False, None), (True, None), (True, Fault(Kind.STATUS, status=401, times=-1)),
            (True, Fault(Kind.STATUS, status=500, headers={"X-Error-Message": f"token {TOKEN}"}, times=-1)),
            (True, Fault(Kind.RESET, port="hub", times=-1)),
        ):  # fmt: skip
            made.repository.granted = {"me"} if granted else set()
            hub.faults[:] = [fault] if fault else []
            for verb in (["quants", "acme/Acme-Tiny-GGUF"], ["doctor"]):
                done = subprocess.run(
                    [sys.executable, "-m", "qtui.cli.main", *verb, "--json"],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=110,
                )  # fmt: skip
                said += done.stdout + done.stderr
        assert any(record.token == TOKEN for record in hub.requests("hub")), "it was sent"
        assert not any(record.token for record in hub.requests("cdn")), "to the Hub alone"
    assert "gated" in said and "dry-run" in said and "token" in said
    assert TOKEN not in said
    kept = [path for path in private_home.rglob("*") if path.is_file()]
    assert kept and not [path for path in kept if TOKEN.encode() in path.read_bytes()[: 64 << 20]]
