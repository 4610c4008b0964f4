"""A dry run's client for the tests beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from qtui.services.engine.dry_run import DryRunClient


@pytest.fixture
async def client() -> AsyncIterator[DryRunClient]:
    """A client whose helper is gone after the test."""
    client = DryRunClient()
    yield client
    await client.close()
    assert client.helper_pid is None
