"""What can go wrong with a download, as errors that tell the cases apart which qtui acts on."""

from __future__ import annotations

from qtui.core.errors import HubError, QtuiError


class DiskFullError(QtuiError):
    """There is no room (any more): every download stops, and what came is kept."""

    kind = "disk_full"


class DamagedError(QtuiError):
    """The bytes are not those that the Hub promised; they are thrown away."""

    kind = "damaged"


class ChangedError(HubError):
    """The file on the Hub is another one than was listed."""

    kind = "changed"


class NetworkError(HubError):
    """The server of the bytes cannot be reached, keeps failing, or is none."""

    kind = "network"
