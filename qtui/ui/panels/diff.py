"""Diff: the last answers of both sides next to each other, word by word, and how far their predictions are apart."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.types import CSSPathType
from textual.widgets import Static

from qtui.core.duel.degeneration import degeneration
from qtui.core.duel.report import answer_difference
from qtui.core.duel.run import RoundEnded
from qtui.core.errors import Failure, QtuiError, UsageError
from qtui.core.measure.events import ExchangeMeasured
from qtui.core.measure.exchange import Exchange, exchange_of
from qtui.core.measure.wished import Measures
from qtui.ui.command import Where
from qtui.ui.commands import bindings, shown
from qtui.ui.measure_messages import ExchangeHappened
from qtui.ui.panels.panel import Panel
from qtui.ui.present.diff import columns, summary
from qtui.ui.present.divergence import DivergenceWork, divergence_text
from qtui.ui.present.words import name, prose
from qtui.ui.widgets.key_line import KeyLine


class DiffPanel(Panel[ExchangeMeasured]):
    """Shows where two answers part, and what may be wrong with each; its answer is the divergence, once measured.

    What is measured quickly is measured at once, the rest on a key. Closing the panel ends the measuring.

    Args:
        ended: a round that both sides answered.
        measures: what measures; None: nothing does.
        known: the divergence, if it was measured before.
    """

    CSS_PATH: ClassVar[CSSPathType | None] = ["panel.tcss", "diff.tcss"]
    BINDINGS: ClassVar[list[BindingType]] = bindings(Where.DIFF)

    def __init__(
        self, ended: RoundEnded, measures: Measures | None = None, known: ExchangeMeasured | None = None
    ) -> None:
        super().__init__()
        self._sides = [(side, side.answer) for side in ended.sides if side.answer]
        self._prompt = ended.prompt
        self._measures = measures
        self._exchange = _exchange(ended, measures)
        self._work = DivergenceWork(measured=known)

    def compose(self) -> ComposeResult:
        """Two lines for both, then a column for each."""
        texts = [answer.text for _, answer in self._sides]
        with Vertical(classes="box") as box:
            box.border_title = Content("Where the answers differ")
            yield Static(summary(answer_difference(*(answer for _, answer in self._sides))), classes="both")
            yield Static(classes="divergence")
            with VerticalScroll(), Horizontal(classes="columns"):
                for (side, answer), text in zip(self._sides, columns(*texts), strict=True):
                    head = Content.assemble((side.side, "bold $text-accent"), " ") + name(side.variant.title, "bold")
                    told = degeneration(answer.text, answer.finish_reason, self._prompt).sentence
                    remark = Content("\n\n") + prose(told, "$text-warning") if told else Content()
                    yield Static(head + Content("\n\n") + text + remark, classes="column")
            yield KeyLine()

    def on_mount(self) -> None:
        """Let the keys scroll, and measure what takes but a moment."""
        self.query_one(VerticalScroll).focus()
        if self._work.measured is None and isinstance(self._exchange, Exchange) and self._exchange.at_once:
            self._begin(self._exchange)
        self._draw()

    # What can be done

    def action_measure(self) -> None:
        """Measure how far both are apart on the answer, or stop that."""
        if self._work.running:
            self.workers.cancel_group(self, "measure")
            self._work = DivergenceWork()
        elif isinstance(self._exchange, Exchange) and self._work.measured is None:
            self._begin(self._exchange)
        self._draw()

    def action_close(self) -> None:
        """Close it; what is being measured is stopped."""
        self.dismiss(self._work.measured)

    # What happens

    def _begin(self, exchange: Exchange) -> None:
        self._work = DivergenceWork(running=True)
        self._measure(exchange)

    @work(exclusive=True, group="measure")
    async def _measure(self, exchange: Exchange) -> None:
        assert self._measures is not None
        try:
            async with aclosing(self._measures.exchange(exchange)) as events:
                async for event in events:
                    self.post_message(ExchangeHappened(event))
        except QtuiError as error:
            self.post_message(ExchangeHappened(Failure.of(error)))
        self.post_message(ExchangeHappened(None))

    @on(ExchangeHappened)
    def take_happened(self, event: ExchangeHappened) -> None:
        """Show how far it is."""
        event.stop()
        if self._work.running:  # what was stopped may still tell something
            self._work = self._work.after(event.event)
            self._draw()

    def _draw(self) -> None:
        self.query_one(".divergence", Static).update(divergence_text(self._exchange, self._work))
        idle = isinstance(self._exchange, Failure) or self._work.measured is not None
        hidden = frozenset({"diff.measure"}) if idle else frozenset[str]()
        label = "stop measuring" if self._work.running else "measure"
        commands = shown([Where.DIFF], hidden)
        self.query_one(KeyLine).show_commands(
            [replace(one, label=label) if one.id == "diff.measure" else one for one in commands]
        )


def _exchange(ended: RoundEnded, measures: Measures | None) -> Exchange | Failure:
    """Return what can be measured of a round, or why nothing can."""
    if measures is None:
        return Failure("nothing is measured here")
    try:
        return exchange_of(ended)
    except UsageError as error:
        return Failure.of(error)
