"""`qtui preset`, and the presets that llama-server makes of what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qtui.services.presets import PresetsFile
from tests.cli.world import BIG, World

INI = """\
[*]
c = 8192
[long]
model = {model}
c = 16384
ctk = q8_0
temp = 0.7
dance = yes
"""


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    return World(capsys, config=tmp_path)


def test_presets_are_saved_listed_used_and_deleted(world: World, tmp_path: Path) -> None:
    saved = world.run(
        "preset", "save", "long", "--ctx-size", "16384", "--about", "a book", "--match", "Tiny*", "--extra=--temp 1"
    )  # fmt: skip
    assert saved.status == 0, saved.err
    assert tomllib.loads((tmp_path / "presets.toml").read_text())["long"] == {
        "about": "a book", "match": ["Tiny*"], "ctx_size": 16384, "extra": "--temp 1",
    }  # fmt: skip
    names = {one["name"]: one["built_in"] for one in world.run("preset", "--json").json["presets"]}
    assert names == {"long": False, "balanced": True, "safe": True, "gpu": True}
    assert "--ctx-size 16384" in world.run("preset", "show", "long").out
    again = world.run("preset", "save", "long", "--threads", "2")
    assert again.status == 2 and "--replace" in again.err
    plan = world.run("fit", BIG.path.name, "--preset", "long", "--json").json["plan"]
    assert (plan["ctx_size"], plan["preset"]) == (16384, "long")
    plan = world.run("fit", BIG.path.name, "--preset", "long", "--ctx-size", "2048", "--json").json["plan"]
    assert (plan["ctx_size"], plan["preset"], plan["extra"]) == (2048, "", "--temp 1")
    assert world.run("fit", BIG.path.name, "--preset", "nothing").status == 2
    assert world.run("preset", "delete", "long").status == 0
    assert world.run("preset", "delete", "long").status == 2
    assert world.run("preset", "delete", "safe").status == 2


def test_ask_uses_a_preset_and_warns_before_it_loads(world: World) -> None:
    world.run("preset", "save", "wide", "--ctx-size", "9000", "--threads", "64")
    ran = world.run("ask", BIG.path.name, "hello", "--preset", "wide")
    assert ran.status == 0
    assert "warning: 9000 tokens of context are more than the 4096 it was trained to" in ran.err
    assert "warning: 64 threads on" in ran.err
    warned = world.run("fit", BIG.path.name, "--preset", "wide", "--json").json["warnings"]
    assert [one["id"] for one in warned] == ["beyond-training", "many-threads", "many-threads-batch"]


def test_a_presets_ini_is_imported_with_what_is_not_known(world: World, tmp_path: Path) -> None:
    file = tmp_path / "presets.ini"
    file.write_text(INI.format(model=BIG.path))
    body = world.run("preset", "import", str(file), "--json").json
    (long,) = body["presets"]
    assert long["options"] == {"ctx_size": 16384, "cache_type_k": "q8_0"}
    assert long["server"] == {"model": str(BIG.path), "temp": "0.7", "dance": "yes"}
    assert len(body["notes"]) == 2 and all("is kept and not used" in note for note in body["notes"])
    (kept, *_) = PresetsFile(tmp_path).load()
    assert kept.server["dance"] == "yes" and kept.suits(BIG)
    assert world.run("preset", "import", str(file), "--json").json["presets"] == []
    assert len(world.run("preset", "import", str(file), "--replace", "--json").json["presets"]) == 1


def test_what_cannot_be_imported_or_exported(world: World, tmp_path: Path) -> None:
    bad = tmp_path / "bad.ini"
    bad.write_text("[a]\nno pair\n")
    ran = world.run("preset", "import", str(bad))
    assert ran.status == 1 and "bad.ini: line 2" in ran.err
    assert world.run("preset", "import", str(tmp_path / "gone.ini")).status == 1
    bad.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in world.run("preset", "import", str(bad)).err
    assert world.run("preset", "import").status == 2
    assert world.run("preset", "export", str(bad)).status == 2
    world.run("preset", "save", "p", "--ctx-size", "512")
    assert "--for VARIANT" in world.run("preset", "export", str(tmp_path / "x.ini")).err
    ran = world.run("preset", "export", str(bad), "p", "--for", BIG.path.name)
    assert ran.status == 2 and "--overwrite" in ran.err and bad.read_bytes() == b"\xff\xfe"
    assert world.run("preset", "export", str(bad), "p", "--for", BIG.path.name, "--overwrite").status == 0
    assert "ctx-size = 512" in bad.read_text()
    ran = world.run("preset", "export", str(bad), "p", "--server", str(tmp_path / "no-server"))
    assert ran.status == 1 and "no-server" in ran.err


def test_two_apps_that_save_at_once_lose_nothing(tmp_path: Path) -> None:
    """Each has read the file before the other wrote it."""
    one, two = PresetsFile(tmp_path), PresetsFile(tmp_path)
    one.load()
    two.load()
    program = (
        "import sys; from pathlib import Path; from qtui.core.presets import Preset\n"
        "from qtui.services.presets import PresetsFile\n"
        "file = PresetsFile(Path(sys.argv[1]))\n"
        "for number in range(8): file.save(Preset(f'{sys.argv[2]}{number}', {'ctx_size': 512 + number}))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), name]) for name in "ab"]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    names = {preset.name for preset in PresetsFile(tmp_path).load() if not preset.built_in}
    assert names == {f"{name}{number}" for name in "ab" for number in range(8)}


@pytest.fixture
def router(oracle: Path, tmp_path: Path) -> Iterator[Any]:
    """Start llama-server on a file of presets; returns its models."""
    servers: list[subprocess.Popen[str]] = []

    def models(file: Path) -> list[dict[str, Any]]:
        server = subprocess.Popen(
            [oracle / "llama-server", "--models-preset", file, "--no-models-autoload", "--port", "0", "--no-ui"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={"HOME": str(tmp_path), "LLAMA_CACHE": str(tmp_path)},
        )  # fmt: skip
        servers.append(server)
        assert server.stdout is not None
        said: list[str] = []
        for line in server.stdout:
            said.append(line)
            if "listening on http" in line:
                break
        address = next((word for line in said for word in line.split() if word.startswith("http://127")), "")
        assert address, "".join(said)
        with urllib.request.urlopen(f"{address}/models", timeout=60) as answer:
            data = json.load(answer)["data"]
        assert isinstance(data, list)
        return data

    yield models
    for server in servers:
        server.kill()
        server.communicate(timeout=20)


@pytest.mark.oracle
@pytest.mark.slow
def test_llama_server_reads_every_preset_as_it_was_meant(
    world: World, oracle: Path, router: Any, demo_f16: Path, tmp_path: Path
) -> None:
    server = str(oracle / "llama-server")
    source = tmp_path / "own.ini"
    source.write_text(INI.format(model=demo_f16))
    world.run("preset", "import", str(source), "--server", server)
    world.run("preset", "save", "wide: two", "--ctx-size", "1024", "--parallel", "2", "--no-kv-offload", "--swa-full",
              "--lora", "/x.gguf:0.5", "--override-tensor", "a.b=CPU", "--load-mode", "none",
              "--extra=--temp 0.5")  # fmt: skip
    world.library.variants.append(BIG)
    file = tmp_path / "presets.ini"
    ran = world.run("preset", "export", str(file), "--for", BIG.path.name, "--server", server)
    assert ran.status == 0, ran.err
    assert "dance = yes is left out: this llama-server does not know it" in ran.err
    found = {model["id"]: model["status"]["args"] for model in router(file)}
    arguments = {name: " ".join(args) for name, args in found.items()}
    assert set(arguments) == {"long", "wide - two"}
    for words in ("--ctx-size 16384", "--cache-type-k q8_0", "--temperature 0.7", "--parallel 1", "--fit off"):
        assert words in arguments["long"], words
    for words in (
        "--ctx-size 1024", "--parallel 2", "--kv-unified", "--no-kv-offload", "--swa-full", "--lora-scaled /x.gguf:0.5",
        "--override-tensor a.b=CPU", "--load-mode none", "--temperature 0.5", str(BIG.path),
    ):  # fmt: skip
        assert words in arguments["wide - two"], words
