"""What of an answer is worth copying: each block of code, then all of it; one key goes through them."""

from __future__ import annotations

from qtui.ui.widgets.markdown_source import code_blocks


class AnswerParts:
    """Goes through the parts of an answer, and starts again when it is another answer."""

    def __init__(self) -> None:
        self._answer = ""
        self._next = 0

    def take(self, answer: str) -> tuple[str, str]:
        """Return the next part and what to call it."""
        blocks = code_blocks(answer)
        if answer != self._answer:
            self._answer, self._next = answer, 0
        index, self._next = self._next, (self._next + 1) % (len(blocks) + 1)
        if index == len(blocks):
            return answer, "the answer"
        return blocks[index], "the code" if len(blocks) == 1 else f"code {index + 1} of {len(blocks)}"
