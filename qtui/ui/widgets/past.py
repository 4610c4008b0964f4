"""The turns before the last ones, as lines of one widget: with each new line Textual arranges all widgets again."""

from __future__ import annotations

from collections.abc import Sequence

from qtui.ui.widgets.block_lines import BlockLines
from qtui.ui.widgets.markdown_blocks import Block


class Past(BlockLines):
    """What was said long ago; folded thinking stays folded."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[Block] = []

    def blocks(self) -> Sequence[Block]:
        """Return what was said."""
        return self._blocks

    def gap_before(self, index: int) -> bool:
        """Keep turns apart."""
        return True

    def add(self, blocks: Sequence[Block]) -> None:
        """Add what comes next."""
        kept = len(self._blocks)
        self._blocks += blocks
        self.lay_out(kept)
