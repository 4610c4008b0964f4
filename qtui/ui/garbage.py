"""Keeps collections of garbage from being felt: the app holds many objects that stay."""

from __future__ import annotations

import gc

FULL_COLLECTION = 200
"""Collections of the middle generation between two full ones; Python's default is 10."""


def spare_collections() -> None:
    """Make full collections of garbage rare and short: each looks at every object, 50 to 130 ms without a key shown.

    What is there before the first answer stays for good and need not be looked at; answers leave hardly any cycles.
    """
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, FULL_COLLECTION)
