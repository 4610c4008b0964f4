"""The app's way to advice: panels about variants of a place, with the wishes of this run of the app."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import on

from qtui.ui.advice_messages import OpenAdvice, WishesChanged
from qtui.ui.suiting import Suiting

if TYPE_CHECKING:  # the app paints before what panels need is imported
    from qtui.core.advice.wishes import Wishes
    from qtui.core.library.variant import Variant


class Advising(Suiting):
    """A shell that can advise."""

    wishes: Wishes | None = None
    """As they were last; None: nobody has wished for anything yet."""

    @on(OpenAdvice)
    def open_advice(self, event: OpenAdvice) -> None:
        """Open the panel of advice, or of the frontier."""
        from qtui.core.advice.wishes import Wishes
        from qtui.ui.panels.advice import AdvicePanel, Asked
        from qtui.ui.panels.frontier import FrontierPanel

        parts = self._parts
        if self._vitals.covered:
            self.notify("A blind round is open: vote first, or show names (n in the Arena).", severity="warning")
            return
        if not event.variants:
            self.notify("There is nothing to choose from here yet.", severity="warning")
            return
        asked = Asked(
            variants=event.variants, title=event.title, here=event.here, plan=self.current.plan,
            wishes=self.wishes or Wishes(), guard=parts.guard, library=parts.library, losses=parts.losses,
            # Measuring how fast the machine reads would disturb what runs.
            forecast=parts.forecast if self._vitals.quiet() else None,
        )  # fmt: skip

        def chosen(variant: Variant | None) -> None:
            if variant is not None:
                event.go_to(variant)

        self.push_screen(FrontierPanel(asked) if event.frontier else AdvicePanel(asked), chosen)

    @on(WishesChanged)
    def keep_wishes(self, event: WishesChanged) -> None:
        """Begin with these wishes the next time."""
        self.wishes = event.wishes

    def action_help(self) -> None:
        """Open the help pages."""
        from qtui.ui.panels.help import HelpPanel

        if self.opened:
            self.push_screen(HelpPanel(self._parts.help_pages))
