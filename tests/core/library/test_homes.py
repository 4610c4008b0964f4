"""The places of programs on each system, from an environment that the test makes up."""

from __future__ import annotations

import pytest

from qtui.core.library.homes import HOMES, Platform, expanded, home_folders
from qtui.core.library.owner import Owner


def folders(platform: Platform, environment: dict[str, str], home: str) -> dict[Owner, list[str]]:
    found: dict[Owner, list[str]] = {}
    for owner, folder in home_folders(platform, environment, home):
        found.setdefault(owner, []).append(folder)
    return found


def test_linux() -> None:
    found = folders(Platform.LINUX, {"OLLAMA_MODELS": "/big/ollama"}, "/home/u")
    assert found[Owner.OLLAMA][:2] == ["/big/ollama", "/home/u/.ollama/models"]
    assert "/usr/share/ollama/.ollama/models" in found[Owner.OLLAMA]
    assert found[Owner.LLAMA_CPP] == ["/home/u/.cache/llama.cpp"]
    assert "/home/u/.local/share/Jan/data" in found[Owner.JAN]
    assert "/home/u/text-generation-webui/user_data/models" in found[Owner.TEXTGEN]


def test_macos() -> None:
    found = folders(Platform.MACOS, {}, "/Users/u")
    assert found[Owner.LLAMA_CPP] == ["/Users/u/Library/Caches/llama.cpp"]
    assert "/Users/u/Library/Application Support/Jan/data" in found[Owner.JAN]
    assert found[Owner.OLLAMA] == ["/Users/u/.ollama/models"]


def test_windows() -> None:
    environment = {"LOCALAPPDATA": r"C:\Users\u\AppData\Local", "APPDATA": r"C:\Users\u\AppData\Roaming"}
    found = folders(Platform.WINDOWS, environment, r"C:\Users\u")
    assert found[Owner.LLAMA_CPP] == [r"C:\Users\u\AppData\Local/llama.cpp"]
    assert r"C:\Users\u\AppData\Roaming/Jan/data" in found[Owner.JAN]
    assert r"C:\Users\u/.lmstudio/models" in found[Owner.LM_STUDIO]
    assert "C:/KoboldCpp" in found[Owner.KOBOLDCPP]


@pytest.mark.parametrize("platform", list(Platform))
def test_every_program_has_a_place_on_every_system(platform: Platform) -> None:
    found = folders(platform, {"LOCALAPPDATA": "/l", "APPDATA": "/a"}, "/h")
    assert found.keys() == {home.owner for home in HOMES}
    everything = [folder for each in found.values() for folder in each]
    assert len(set(everything)) == len(everything)
    assert not any("$" in folder or "~" in folder for folder in everything)


def test_what_is_not_set_names_nothing() -> None:
    assert expanded("${NOT_SET}/x", {}, "/h") is None
    assert expanded("${EMPTY}/x", {"EMPTY": ""}, "/h") is None
    assert expanded("~/x", {}, "") is None
    assert expanded("/fixed", {}, "") == "/fixed"


@pytest.mark.parametrize(("name", "platform"), [("linux", "linux"), ("darwin", "darwin"), ("freebsd14", "linux")])
def test_other_unixes_follow_linux(name: str, platform: str) -> None:
    assert Platform.of(name).value == platform
