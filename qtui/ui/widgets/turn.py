"""One exchange on one side: the prompt, what the model thought and answered, and how it ended."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from qtui.ui.present.words import prose
from qtui.ui.widgets.answer_text import AnswerText
from qtui.ui.widgets.ground import Ground, quiet_size
from qtui.ui.widgets.markdown_blocks import Block, Flow, Stack
from qtui.ui.widgets.thought import Thought

PROMPT_SHOWN = 1_500
"""Characters of a prompt that are shown, and of a longer one the first of them."""
PROMPT_LINES = 20


def shown_prompt(prompt: str) -> Content:
    """Return a prompt as it stands in the transcript: a long one is cut, and says by how much."""
    text = prompt.rstrip()
    head = "\n".join(text[:PROMPT_SHOWN].split("\n")[:PROMPT_LINES])
    if len(head) == len(text):
        return prose(text)
    return prose(head) + Content.styled(f" … {len(text) - len(head)} more characters", "$foreground-muted not bold")


class Turn(Vertical, Ground):
    """Grows while the model answers."""

    virtual_size = quiet_size()

    def __init__(self, prompt: str, note: str = "") -> None:
        super().__init__()
        self._prompt = Content.styled("› ", "$text-accent") + shown_prompt(prompt)
        if note:
            self._prompt += Content.styled(f"  {note}", "$foreground-muted")
        self._thought: Thought | None = None
        self._answer = AnswerText()
        self._notes: list[Content] = []

    def compose(self) -> ComposeResult:
        """Show the prompt."""
        yield Static(self._prompt, classes="prompt")
        yield self._answer

    @property
    def answer(self) -> str:
        """Return what was answered so far."""
        return self._answer.text

    async def think(self, text: str) -> None:
        """Add to what the model thought."""
        if self._thought is None:
            self._thought = Thought()
            await self.mount(self._thought, before=self._answer)
        self._thought.write(text)

    def write(self, text: str) -> None:
        """Add to the answer."""
        if self._thought:
            self._thought.finish()
        self._answer.write(text)

    async def end(self, note: Content) -> None:
        """Say how it ended; empty where it ended by itself."""
        self._answer.close()
        if self._thought:
            self._thought.finish()
        if note:
            self._notes.append(note)
            await self.mount(Static(note, classes="note"))

    def whole(self) -> Block:
        """Return all of it as one block, thinking folded."""
        style = "dim" if self.has_class("taken-back") else ""
        parts: list[Block] = [Flow(self._prompt.stylize_before("bold"))]
        if self._thought:
            parts.append(Flow(Content.styled(self._thought.head, "$foreground-muted")))
        gaps = tuple(range(1, len(parts) + 1))
        return Stack((*parts, self._answer.whole(), *(Flow(note) for note in self._notes)), gaps, style)
