"""The model card of a repository: its beginning, as plain text."""

from __future__ import annotations

from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.errors import Failure, QtuiError
from qtui.core.hub.events import Waiting
from qtui.core.hub.ports import Hub
from qtui.core.hub.repository import Card, Repository
from qtui.core.text import clean_name
from qtui.ui.command import Where
from qtui.ui.commands import bindings
from qtui.ui.messages import CardFetched
from qtui.ui.panels.panel import Panel
from qtui.ui.present.words import joined, name, prose


class CardPanel(Panel[None]):
    """Fetches the card when it is opened; closing the panel ends the request."""

    CSS_PATH: ClassVar[CSSPathType | None] = "panel.tcss"
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.PANEL)

    def __init__(self, repository: Repository, hub: Hub) -> None:
        super().__init__()
        self._repository = repository
        self._hub = hub

    def compose(self) -> ComposeResult:
        """Show the text in a box."""
        with VerticalScroll(classes="box") as box:
            box.border_title = Content(f"Model card of {clean_name(self._repository.id, 80)}")
            box.border_subtitle = "esc closes"
            yield Static(Content("fetching…"), classes="card")

    def on_mount(self) -> None:
        """Begin to fetch."""
        self.query_one(VerticalScroll).focus()
        self._fetch()

    @on(CardFetched)
    def show_card(self, event: CardFetched) -> None:
        """Show what came."""
        self.query_one(".card", Static).update(card_text(event.card))

    @work(exclusive=True, group="card")
    async def _fetch(self) -> None:
        try:
            async for event in self._hub.card(self._repository):
                if not isinstance(event, Waiting):
                    self.post_message(CardFetched(event))
        except QtuiError as error:
            self.post_message(CardFetched(Failure.of(error)))


def card_text(card: Card | Failure) -> Content:
    """Return a card with its head, or why there is none."""
    if isinstance(card, Failure):
        return joined([name(card.message, "$text-error", 400), name(card.hint, limit=400)], "\n")
    fields = [name(f"{key}: {value}", "$foreground-muted") for key, value in card.fields.items()]
    text = prose(card.text) if card.text.strip() else Content("This repository has no model card.")
    more = Content.styled("\nThere is more of it on the Hub.", "$foreground-muted") if card.cut else Content()
    return joined([joined(fields, "\n"), text + more], "\n\n")
