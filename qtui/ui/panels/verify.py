"""Verify: read a variant's files and compare them with what they should be."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widgets import Static

from qtui.core.downloads.expected import Expected
from qtui.core.downloads.ports import Checksums
from qtui.core.downloads.verify import Checked, VerifyEvent, VerifyProgressed, ask_hub, verify
from qtui.core.errors import Failure, HubError, QtuiError
from qtui.core.hub.ports import Hub
from qtui.core.library.variant import Variant
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.messages import VerifyTold
from qtui.ui.panels.panel import Panel
from qtui.ui.present.files import verify_text
from qtui.ui.present.words import joined, name

SURE_S = 1.0
"""Before that much reading nothing is said of the time left."""


class VerifyPanel(Panel[None]):
    """Reads while it is open: closing it stops the reading."""

    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PANEL)

    def __init__(self, variant: Variant, checksums: Checksums, hub: Hub | None) -> None:
        super().__init__()
        self._variant = variant
        self._checksums = checksums
        self._hub = hub
        self._checked: list[Checked] = []
        self._progress: VerifyProgressed | None = None
        self._begun = time.monotonic()

    def compose(self) -> ComposeResult:
        """Show a box that fills with what is found."""
        with VerticalScroll(classes="box") as box:
            box.border_title = name(f"Verify {self._variant.title}", limit=80)
            box.border_subtitle = "esc stops and closes"
            yield Static(verify_text((), None, None), classes="found")

    def on_mount(self) -> None:
        """Begin to read."""
        self.query_one(VerticalScroll).focus()
        self.call_after_refresh(self._read)

    @on(VerifyTold)
    def show(self, event: VerifyTold) -> None:
        """Show what was found, and how far it is."""
        event.stop()
        told = event.event
        if isinstance(told, Failure):
            self._progress = None
            text = joined([name(told.message, "$text-error", 400), name(told.hint, limit=400)], "\n")
            self.query_one(".found", Static).update(text)
            return
        if isinstance(told, Checked):
            self._checked.append(told)
        elif isinstance(told, VerifyProgressed):
            self._progress = told
        else:
            self._progress = None
        self.query_one(".found", Static).update(verify_text(self._checked, self._progress, self._left()))

    def _left(self) -> float | None:
        spent = time.monotonic() - self._begun
        if self._progress is None or not self._progress.done or spent < SURE_S:
            return None
        return spent * (self._progress.total - self._progress.done) / self._progress.done

    @work(exclusive=True, group="verify")
    async def _read(self) -> None:
        try:
            files = list(await self._checksums.expected(str(self._variant.path)))
            if self._hub is not None and any(file.sha256 is None for file in files):
                files = await self._asked(self._hub, files)
            self._begun = time.monotonic()
            async with aclosing(verify(self._checksums, files)) as events:
                async for event in events:
                    self._tell(event)
            self._tell(None)
        except QtuiError as error:
            self._tell(Failure.of(error))

    async def _asked(self, hub: Hub, files: list[Expected]) -> list[Expected]:
        """Return the files with what the Hub says they should be; as they were where it does not answer."""
        try:
            async for event in ask_hub(hub, files, self._variant.repository):
                if isinstance(event, list):
                    return event
        except HubError:
            return files
        return files

    def _tell(self, event: VerifyEvent | Failure | None) -> None:
        self.post_message(VerifyTold(event))
