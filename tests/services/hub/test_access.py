"""What is set up to reach the Hub, without reaching it."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.services.hub.access import DEFAULT_ENDPOINT, hub_access


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_set() -> None:
    access = hub_access()
    assert (access.endpoint, access.token, access.offline) == (DEFAULT_ENDPOINT, "none", False)


def test_a_token_in_its_file_is_seen_and_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "token").write_text("hf_secret")
    access = hub_access()
    assert access.token == "file"
    assert access.token_file == tmp_path / "token"
    assert "hf_secret" not in str(access.as_json())


def test_the_same_file_as_huggingface_hub_takes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import subprocess
    import sys

    for settings in ({}, {"HF_HOME": str(tmp_path)}, {"HF_TOKEN_PATH": str(tmp_path / "t")}, {"HF_HUB_OFFLINE": "1"}):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        code = "from huggingface_hub import constants as c; print(c.ENDPOINT, c.HF_TOKEN_PATH, c.HF_HUB_OFFLINE)"
        theirs = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        access = hub_access()
        assert [access.endpoint, str(access.token_file), str(access.offline)] == theirs


def test_the_environment_goes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert hub_access().token == "environment"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://mirror.example/hf/", "https://mirror.example/hf"),
        ("https://me:word@mirror.example", "https://mirror.example"),
        ("https://[bad", "https://[bad"),
        ("https://me:word@[bad", "?"),
    ],
)
def test_a_password_in_the_address_is_not_shown(monkeypatch: pytest.MonkeyPatch, address: str, shown: str) -> None:
    monkeypatch.setenv("HF_ENDPOINT", address)
    assert "word" not in hub_access().endpoint
    assert hub_access().endpoint in (shown, "?")
