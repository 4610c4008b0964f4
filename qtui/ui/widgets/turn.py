"""One exchange on one side: the prompt, what the model thought and answered, and how it ended."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Markdown, Static
from textual.widgets.markdown import MarkdownStream

from qtui.ui.present.words import prose
from qtui.ui.widgets.answer_text import AnswerText
from qtui.ui.widgets.thought import Thought

PLAIN_FROM = 20_000
"""Characters from which an answer is shown as plain text."""
PIECE = 4_000
"""Characters of one piece of plain text: only the last piece is laid out again when more comes."""


class Turn(Vertical):
    """Grows while the model answers."""

    def __init__(self, prompt: str, note: str = "") -> None:
        super().__init__()
        self._prompt = prompt
        self._note = note
        self._text = ""
        self._thought: Thought | None = None
        self._markdown: AnswerText | None = None
        self._stream: MarkdownStream | None = None
        self._piece: Static | None = None
        self._piece_text = ""

    def compose(self) -> ComposeResult:
        """Show the prompt."""
        note = Content.styled(f"  {self._note}", "$foreground-muted") if self._note else Content()
        yield Static(Content.styled("› ", "$text-accent") + prose(self._prompt.rstrip()) + note, classes="prompt")

    async def think(self, text: str) -> None:
        """Add to what the model thought."""
        if self._thought is None:
            self._thought = Thought()
            await self.mount(self._thought)
        self._thought.write(text)

    async def write(self, text: str) -> None:
        """Add to the answer; a very long one goes on as plain text."""
        if self._thought:
            self._thought.finish()
        self._text += text
        if self._piece is not None:
            await self._write_plain(text)
        elif len(self._text) > PLAIN_FROM:
            await self._go_plain()
        else:
            if self._stream is None:
                self._markdown = AnswerText()
                await self.mount(self._markdown)
                self._stream = Markdown.get_stream(self._markdown)
            await self._stream.write(text)

    async def end(self, note: Content) -> None:
        """Say how it ended; empty where it ended by itself."""
        await self._stop_stream()
        if self._thought:
            self._thought.finish()
        if note:
            await self.mount(Static(note, classes="note"))

    async def on_unmount(self) -> None:
        """End the stream with the widget."""
        await self._stop_stream()

    async def _stop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream:
            await stream.stop()

    async def _go_plain(self) -> None:
        await self._stop_stream()
        if self._markdown:
            await self._markdown.remove()
        notice = f"over {PLAIN_FROM} characters: shown as plain text"
        await self.mount(Static(Content.styled(notice, "$foreground-muted"), classes="note"))
        await self._new_piece("")
        await self._write_plain(self._text)

    async def _write_plain(self, text: str) -> None:
        self._piece_text += text
        while len(self._piece_text) > PIECE:
            cut = self._piece_text.rfind("\n", 0, PIECE)
            if cut < 0 and len(self._piece_text) < PIECE * 4:
                break  # one long line stays whole as long as that is cheap
            head = self._piece_text[:cut] if cut >= 0 else self._piece_text[:PIECE]
            rest = self._piece_text[cut + 1 :] if cut >= 0 else self._piece_text[PIECE:]
            self._show_piece(head)
            await self._new_piece(rest)
        self._show_piece(self._piece_text)

    def _show_piece(self, text: str) -> None:
        if self._piece is not None:
            self._piece.update(prose(text))

    async def _new_piece(self, text: str) -> None:
        self._piece_text = text
        self._piece = Static(prose(text), classes="plain")
        await self.mount(self._piece)
