"""An answer, drawn so that nothing the model wrote is hidden or acted on, and so that more of it costs little."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.ui.widgets.block_lines import BlockLines
from qtui.ui.widgets.markdown_blocks import Block, Flow, Items, Stack
from qtui.ui.widgets.markdown_source import MarkdownSource

PLAIN_FROM = 20_000
"""Characters from which an answer goes on as plain text."""
PIECE = 2_000
"""Characters after which a line of plain text is broken: only the last is laid out again when more comes."""


class AnswerText(BlockLines):
    """Markdown that grows; what follows after `PLAIN_FROM` characters is plain text, and says so."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._markdown = MarkdownSource()
        self._plain: list[Block] = []
        """What follows after the Markdown."""
        self._line_begun = ""
        """The last line of plain text."""

    @property
    def is_plain(self) -> bool:
        """Tell whether it is too long for Markdown."""
        return bool(self._plain)

    def blocks(self) -> Sequence[Block]:
        """Return the Markdown, then the plain text."""
        return [*self._markdown.blocks, *self._plain]

    def gap_before(self, index: int) -> bool:
        """Keep blocks of Markdown apart; lines of plain text bring their own."""
        formatted = self._markdown.blocks
        return index < len(formatted) and not _goes_on(formatted[index - 1])

    def write(self, text: str) -> None:
        """Add clean text."""
        self.text += text
        if self._plain or len(self.text) > PLAIN_FROM:
            self.lay_out(self._add_plain(text))
        else:
            self.lay_out(self._markdown.append(text))

    def close(self) -> None:
        """Say that no more comes: what was still open is drawn as it stands."""
        if self.text and not self._plain:
            self.lay_out(self._markdown.close())

    def whole(self) -> Block:
        """Return all of it as one block."""
        blocks = self.blocks()
        gaps = tuple(index for index in range(1, len(blocks)) if self.gap_before(index))
        return Stack(tuple(blocks), gaps)

    def _add_plain(self, text: str) -> int:
        """Add plain text line by line; return the number of blocks before the first that is changed."""
        if self._plain:
            self._plain.pop()
        else:
            notice = f"over {PLAIN_FROM} characters: plain text from here on"
            self._plain = [Flow(Content()), Flow(Content.styled(notice, "$text-warning")), Flow(Content())]
        kept = len(self._markdown.blocks) + len(self._plain)
        *done, rest = (self._line_begun + text).split("\n")
        while len(rest) > PIECE:
            done.append(rest[:PIECE])
            rest = rest[PIECE:]
        self._plain += [Flow(Content(line)) for line in (*done, rest)]
        self._line_begun = rest
        return kept


def _goes_on(block: Block) -> bool:
    return isinstance(block, Items) and block.goes_on and block.tight
