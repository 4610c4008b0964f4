"""What places over several variants have in common: advice on which to take, and their frontier."""

from __future__ import annotations

from collections.abc import Sequence

from textual.dom import DOMNode

from qtui.core.library.variant import Variant
from qtui.ui.advice_messages import OpenAdvice


class Choosing(DOMNode):
    """Opens panels about the variants of which one is to be chosen."""

    def subject(self) -> Variant | None:
        """Return the variant under the cursor."""
        raise NotImplementedError

    def choices(self) -> tuple[Sequence[Variant], str]:
        """Return the variants of which one is to be chosen, and what they are of."""
        raise NotImplementedError

    def go_to(self, variant: Variant) -> None:
        """Move the cursor to a variant."""
        raise NotImplementedError

    def action_advise(self) -> None:
        """Tell which of the variants to take."""
        self._open(frontier=False)

    def action_frontier(self) -> None:
        """Draw what the variants need against what they lose."""
        self._open(frontier=True)

    def _open(self, *, frontier: bool) -> None:
        variants, title = self.choices()
        self.post_message(OpenAdvice(variants, title, self.subject(), self.go_to, frontier))
