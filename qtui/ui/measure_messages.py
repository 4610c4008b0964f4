"""Messages of what is measured: what variants lose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.advice.loss import Loss


@dataclass(eq=False, repr=False)
class LossesTold(Message):
    """It is known what variants lose, as measured here or as published."""

    losses: Mapping[Path, Loss]
