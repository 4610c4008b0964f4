"""Paths as users write them: what can be filled in is, and nothing fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.user_path import expanded_path, user_path


def test_a_home_is_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv("MODELS", "/m")
    assert user_path("~/$MODELS") == Path("/h/$MODELS")
    assert expanded_path("~/x") == Path("/h/x") and expanded_path("$MODELS/x") == Path("/m/x")


@pytest.mark.parametrize("text", ["~nobody-here/x", "x" * 300, "$NOT_SET/x", "a/~"])
def test_what_cannot_be_filled_in_stays(text: str) -> None:
    assert user_path(text) == expanded_path(text) == Path(text)
