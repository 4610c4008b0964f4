"""Whether logits have room where they would lie."""

from __future__ import annotations

from qtui.core.errors import QtuiError
from qtui.core.text import size

SPARE_BYTES = 256 << 20
"""What is left free on the disk of the logits."""


def check_room(needed: int, free: int, hint: str) -> None:
    """Refuse to write logits that have no room.

    Args:
        needed: bytes that are still to be written.
        free: bytes where they would lie.
        hint: what to do about it.

    Raises:
        QtuiError: there are too few.
    """
    if needed and free < needed + SPARE_BYTES:
        raise QtuiError(
            f"the reference's logits need {size(needed)}, and {size(free)} are free where they would lie "
            f"({size(SPARE_BYTES)} of it are left alone)",
            hint,
        )
