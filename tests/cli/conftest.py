"""The command over fakes."""

from __future__ import annotations

import pytest

from tests.cli.world import World


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str]) -> World:
    return World(capsys)
