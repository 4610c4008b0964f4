from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from qtui.cli.wiring import local_services
from qtui.core.memory.plan import ALL_LAYERS
from qtui.core.text import GIB
from tests.cli.world import BIG, World


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> World:
    return World(capsys, config=tmp_path)


def problems(world: World) -> list[str]:
    body = world.run("doctor", "--json").json
    assert body["settings"] == str(world.config and world.config / "settings.toml")
    return [str(problem) for problem in body["problems"]]


def test_without_settings_nothing_is_wrong(world: World) -> None:
    assert problems(world) == []
    assert str(world.config) in world.run("doctor").out


def test_doctor_tells_what_is_wrong_with_settings_presets_and_themes(world: World, tmp_path: Path) -> None:
    (tmp_path / "themes").mkdir()
    (tmp_path / "themes" / "bad.toml").write_text("[")
    (tmp_path / "settings.toml").write_text('theme = "none"\nengine = "/x"\npreset = "gone"\nmargins.ram = "\\u001b"\n')
    (tmp_path / "presets.toml").write_text("[a]\nctx_size = -1\n")
    told = "\n".join(problems(world))
    for part in ("margins.ram is", "a.ctx_size is", "preset gone", "theme is not used", "bad"):
        assert part in told
    assert told.replace("\n", "").isprintable()


def test_a_broken_file_is_told_with_its_line(world: World, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("a = 1\nb =\n")
    (problem,) = problems(world)
    assert "line 2" in problem


def test_margins_of_the_settings_are_kept_free(world: World, tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('margins.ram = "5GiB"\n')
    assert world.run("fit", BIG.path.name, "--json").json["margin"]["ram"] == 5 * GIB


def test_the_app_starts_with_the_plan_of_the_settings(private_home: Path) -> None:
    folder = private_home / "xdg_config_home" / "qtui"
    folder.mkdir()
    (folder / "settings.toml").write_text(
        'preset = "gpu"\ntheme = "light"\n[plan]\nctx_size = 4096\n[models]\nfolders = ["~/gguf"]\n'
    )
    services = local_services(Namespace(models_dir=[Path("/given")]))
    plan = services.starting_plan()
    assert (plan.ctx_size, plan.n_gpu_layers, plan.preset) == (4096, ALL_LAYERS, "gpu")
    assert services.settings.theme == "light"
    assert services.settings_problems() == []
    folders = [folder for _, folder in services.library.places()]
    assert folders[:2] == [Path("/given"), private_home / "gguf"]
    assert "light" in [file.name for file in services.theme_files()]


def test_a_plan_that_does_not_work_is_the_default_one(private_home: Path) -> None:
    folder = private_home / "xdg_config_home" / "qtui"
    folder.mkdir()
    (folder / "settings.toml").write_text('[plan]\nflash_attn = "off"\ncache_type_v = "q8_0"\n')
    services = local_services(Namespace())
    assert services.starting_plan().cache_type_v == "f16"
    (problem,) = services.settings_problems()
    assert problem.key == "plan"
    assert "flash attention" in problem.text
