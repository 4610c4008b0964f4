"""`rm` over real files and fake sessions."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.services.library.library import LocalLibrary
from qtui.services.library.removal import LocalRemover
from tests.cli.world import World
from tests.fakes import FakeSessions, make_seen
from tests.services.library.tree import model_image, put_model, put_ollama


@pytest.fixture
def model(world: World, tmp_path: Path) -> Path:
    world.remover = LocalRemover(LocalLibrary([tmp_path]))
    return put_model(tmp_path / "Tiny-Q8_0.gguf")


def test_without_yes_it_only_shows(world: World, model: Path) -> None:
    ran = world.run("rm", str(model))
    assert ran.status == 0
    assert f"deletes  {model}" in ran.out
    assert "frees    3.44 KiB" in ran.out
    assert "nothing was deleted; --yes deletes" in ran.err
    assert world.run("rm", str(model), "--json").json["removed"] is False
    assert model.exists()


def test_with_yes_it_deletes_and_tells(world: World, model: Path) -> None:
    size = model.stat().st_size
    body = world.run("rm", str(model), "--yes", "--json").json
    assert body["deletes"] == [{"path": str(model), "by": "unlink"}]
    assert (body["frees"], body["removed"], body["keeps"], body["commands"]) == (size, True, [], [])
    assert not model.exists()


def test_a_loaded_model_is_refused(world: World, model: Path) -> None:
    world.sessions = FakeSessions(make_seen("s7", path=str(model)))
    ran = world.run("rm", str(model), "--yes")
    assert ran.status == 2
    assert "qtui stop s7" in ran.err
    assert model.exists()


def test_for_ollama_the_command_is_shown(world: World, private_home: Path) -> None:
    world.remover = LocalRemover(LocalLibrary())
    blob = put_ollama(private_home / ".ollama/models", "library/tiny", model_image(), tag="3b")
    ran = world.run("rm", "tiny:3b")
    assert ran.status == 0
    assert "run      ollama rm tiny:3b" in ran.out
    ran = world.run("rm", "tiny:3b", "--yes")
    assert ran.status == 1
    assert "hint: ollama rm tiny:3b" in ran.err
    assert blob.exists()


def test_what_is_not_there_is_a_failure(world: World, model: Path) -> None:
    assert world.run("rm", str(model) + "x", "--yes").status == 1
