"""The places that programs keep models in, and what their own settings say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qtui.core.library.owner import Owner
from qtui.services.library.library import LocalLibrary
from qtui.services.library.lm_studio import MOST_SETTINGS, lm_studio_folders
from qtui.services.library.places import known_places
from tests.services.library.tree import model_image, put_cached, put_model, put_ollama, scanned


async def test_models_of_every_program_are_found_with_their_owner(tmp_path: Path, private_home: Path) -> None:
    data, cache = private_home / "xdg_data_home", private_home / "xdg_cache_home"
    put_model(tmp_path / "own/Own-Q8_0.gguf", "Own")
    put_cached(private_home / "huggingface/hub", "a/b", "c", "Hub-Q8_0.gguf", model_image("Hub"), digest="d1")
    put_model(private_home / ".lmstudio/models/pub/Studio-GGUF/Studio-Q8_0.gguf", "Studio")
    put_ollama(private_home / ".ollama/models", "library/olla", model_image("Olla"))
    put_model(cache / "llama.cpp/a_b_Cpp-Q8_0.gguf", "Cpp")
    put_model(data / "Jan/data/llamacpp/models/jan/model.gguf", "Jan")
    put_model(private_home / "koboldcpp/Kobold-Q8_0.gguf", "Kobold")
    put_model(private_home / "text-generation-webui/user_data/models/Web-Q8_0.gguf", "Web")
    put_model(cache / "qtui/demo/qtui-demo-Q2_K.gguf", "Demo")
    rows = await scanned(library=LocalLibrary([tmp_path / "own"]))
    assert {row.model: row.owner for row in rows} == {
        "Own": Owner.USER, "Hub": Owner.HF, "Studio": Owner.LM_STUDIO, "Olla": Owner.OLLAMA, "Cpp": Owner.LLAMA_CPP,
        "Jan": Owner.JAN, "Kobold": Owner.KOBOLDCPP, "Web": Owner.TEXTGEN, "Demo": Owner.DEMO,
    }  # fmt: skip
    assert {row.source for row in rows if row.owner.manages} == {
        "HF cache", "LM Studio", "Ollama", "llama.cpp", "Jan", "KoboldCpp", "text-generation-webui", "demo",
    }  # fmt: skip
    assert next(row for row in rows if row.model == "Studio").repository == "pub/Studio-GGUF"


async def test_lm_studios_settings_name_its_folder(tmp_path: Path, private_home: Path) -> None:
    home = tmp_path / "studio"
    home.mkdir()
    (private_home / ".lmstudio-home-pointer").write_text(f"{home}\n")
    (home / "settings.json").write_text(json.dumps({"downloadsFolder": str(tmp_path / "elsewhere")}))
    put_model(tmp_path / "elsewhere/pub/repo/Tiny-Q8_0.gguf")
    (row,) = await scanned()
    assert (row.source, row.repository) == ("LM Studio", "pub/repo")


@pytest.mark.parametrize(
    "settings",
    [b"", b"[]", b'{"downloadsFolder": 3}', b'{"downloadsFolder": "rel/ative"}', b'{"downloadsFolder": "/a\\u0000b"}',
     b"{" * 200_000, b" " * (MOST_SETTINGS + 1)],
    ids=["empty", "a list", "a number", "relative", "NUL", "deep", "huge"],
)  # fmt: skip
def test_settings_that_make_no_sense_name_nothing(tmp_path: Path, settings: bytes) -> None:
    (tmp_path / ".lmstudio").mkdir()
    (tmp_path / ".lmstudio/settings.json").write_bytes(settings)
    (tmp_path / ".lmstudio-home-pointer").write_bytes(b"\xff\0/x")
    assert list(lm_studio_folders(tmp_path)) == [tmp_path / ".lmstudio/models", tmp_path / ".cache/lm-studio/models"]


def test_a_programs_folder_that_the_user_names_stays_the_programs(private_home: Path) -> None:
    studio = private_home / ".lmstudio/models"
    places = known_places([studio])
    assert [place.folder for place in places].count(studio) == 1
    assert (places[0].label, places[0].owner) == ("~/.lmstudio/models", Owner.LM_STUDIO)


def test_only_places_that_exist_or_are_there_to_be_filled_are_named(private_home: Path) -> None:
    assert [label for label, _ in LocalLibrary().places()] == ["HF cache", "demo"]
    (private_home / ".ollama/models").mkdir(parents=True)
    assert [label for label, _ in LocalLibrary().places()] == ["HF cache", "Ollama", "demo"]
