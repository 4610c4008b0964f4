"""Delete: what would go and what that frees, before anything does."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from qtui.core.errors import Failure, QtuiError
from qtui.core.library.removal import Removal, Removed, check_possible, holders
from qtui.core.library.variant import Variant
from qtui.core.ports import Remover, Sessions
from qtui.core.text import size
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.messages import RemovalSeen, VariantRemoved
from qtui.ui.panels.panel import Panel
from qtui.ui.present.files import removal_text
from qtui.ui.present.words import joined, name
from qtui.ui.widgets.key_line import KeyLine


class DeletePanel(Panel[bool]):
    """Shows a preview and deletes when it is told to; ends with whether anything was deleted."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.DELETE)

    def __init__(self, variant: Variant, remover: Remover, sessions: Sessions, sides: str = "") -> None:
        super().__init__()
        self._variant = variant
        self._remover = remover
        self._sessions = sessions
        self._sides = sides
        """Of the Arena, that the variant stands on."""
        self._held = False
        """A session has it loaded."""
        self._removal: Removal | None = None
        self._deleting = False

    def compose(self) -> ComposeResult:
        """Show a box that says that the files are being looked at."""
        with VerticalScroll(classes="box") as box:
            box.border_title = name(f"Delete {self._variant.title}?", limit=80)
            yield Static(Content.styled("looking at what would go…", "$foreground-muted"), classes="preview")
            yield KeyLine()

    def on_mount(self) -> None:
        """Begin to look."""
        self.query_one(VerticalScroll).focus()
        self._draw_keys()
        self.call_after_refresh(self._look)

    def action_delete(self) -> None:
        """Delete what the preview says."""
        if self._removal is not None and self._possible and not self._deleting:
            self._deleting = True
            self._remove(self._removal)

    @on(RemovalSeen)
    def show_preview(self, event: RemovalSeen) -> None:
        """Show what would go, or why that cannot be told."""
        event.stop()
        self._deleting = False
        found, self._held = event.removal, bool(event.holders)
        if isinstance(found, Failure):
            text = joined([name(found.message, "$text-error", 400), name(found.hint, limit=400)], "\n")
        else:
            self._removal, text = found, removal_text(found, event.holders, self._sides)
        self.query_one(".preview", Static).update(text)
        self._draw_keys()

    @on(VariantRemoved)
    def end(self, event: VariantRemoved) -> None:
        """Tell what was freed, or why it was not."""
        event.stop()
        self._deleting = False
        if isinstance(event.removed, Failure):
            self.app.notify(f"{event.removed.message}\n{event.removed.hint}", severity="error", markup=False)
            self._look()
        else:
            self.app.notify(f"{self._variant.title}: deleted, {size(event.removed.freed)} freed", markup=False)
            self.dismiss(True)

    @work(exclusive=True, group="look")
    async def _look(self) -> None:
        try:
            removal = await self._remover.preview(str(self._variant.path))
            self.post_message(RemovalSeen(removal, holders(removal, await self._sessions.list())))
        except QtuiError as error:
            self.post_message(RemovalSeen(Failure.of(error)))

    @work(group="remove")
    async def _remove(self, removal: Removal) -> None:
        removed: Removed | Failure
        try:
            check_possible(removal)
            if held := holders(removal, await self._sessions.list()):  # it was loaded after it was looked at
                self.post_message(RemovalSeen(removal, held))
                return
            removed = await self._remover.remove(removal)
        except QtuiError as error:
            removed = Failure.of(error)
        self.post_message(VariantRemoved(removed))

    @property
    def _possible(self) -> bool:
        return self._removal is not None and bool(self._removal.doomed) and not self._held

    def _draw_keys(self) -> None:
        hidden = frozenset() if self._possible else frozenset({"delete.yes"})
        self.query_one(KeyLine).show_commands(shown([Where.DELETE], hidden))
