"""A Hub of its own for every test of downloading."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.server import LocalHub
from tests.services.downloads.place import NAME, Place, make_place, noise


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub() as hub:
        yield hub


@pytest.fixture
def place(hub: LocalHub, private_home: Path) -> Place:
    """One file of 3 MiB."""
    return make_place(hub, private_home / "huggingface" / "hub", {NAME: noise()})
