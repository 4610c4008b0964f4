"""What can go wrong with a download, as errors that tell the cases apart which qtui acts on."""

from __future__ import annotations

from qtui.core.errors import QtuiError


class DiskFullError(QtuiError):
    """There is no room (any more): every download stops, and what came is kept."""

    kind = "disk_full"


class DamagedError(QtuiError):
    """The bytes are not those that the Hub promised; they are thrown away."""

    kind = "damaged"


class ChangedError(QtuiError):
    """The file on the Hub is another one than was listed."""

    kind = "changed"


class AccessError(QtuiError):
    """The Hub does not give this file: gated, private, a bad token, disabled."""

    kind = "access"


class NetworkError(QtuiError):
    """The server cannot be reached, is no Hub, or keeps failing."""

    kind = "network"
