"""When files were written."""

from __future__ import annotations

from qtui.core.library.variant import Variant


def written(variant: Variant) -> float | None:
    """Return when the newest file of a variant was last written, seconds since the epoch; None: cannot be told."""
    try:
        return max(path.stat().st_mtime for path in variant.shards or (variant.path,))
    except (OSError, ValueError):
        return None
