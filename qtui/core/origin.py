"""Where a number comes from. Unknown is never zero."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Origin(StrEnum):
    """The origin of a number, from strongest to weakest."""

    MEASURED = "measured"
    DRY_RUN = "dry-run"
    COMPUTED = "computed"
    PUBLISHED = "published"
    UNKNOWN = "unknown"

    @property
    def sign(self) -> str:
        """Return the sign that stands before such a number in a table."""
        return {Origin.COMPUTED: "~", Origin.PUBLISHED: "°", Origin.UNKNOWN: "?"}.get(self, "")


def weakest(origins: Iterable[Origin]) -> Origin:
    """Return the weakest of several origins, `UNKNOWN` when there are none."""
    order = list(Origin)
    return max(origins, key=order.index, default=Origin.UNKNOWN)
