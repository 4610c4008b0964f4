"""The endpoints of this machine, apart from what most verbs need."""

from __future__ import annotations

from collections.abc import Callable

from qtui.core.serving.ports import Endpoints


def local_endpoints(note: Callable[[str], object]) -> Endpoints:
    """Return what makes endpoints; `note` takes lines for the log."""
    from qtui.services.serving.endpoints import LocalEndpoints

    return LocalEndpoints(note)
