"""What the Arena knows of its conversation beside the sides: the last prompt, how prompts are put, what is offered."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtui.core.duel.conversation import Sampling
from qtui.core.duel.run import ModeChosen
from qtui.core.duel.sampling import Choice
from qtui.core.memory.guard import Weighing
from qtui.ui.present.arena import Round


@dataclass(frozen=True, slots=True)
class Offer:
    """What one key would do for a side."""

    smaller: Weighing | None = None
    """Load it under this smaller plan; None: put the last prompt to it."""


@dataclass(slots=True)
class Conversation:
    """One conversation."""

    prompt: str = ""
    """The last one; empty before the first."""
    asked: frozenset[str] = frozenset()
    """The sides that are being asked now."""
    mode: ModeChosen | None = None
    used: Sampling | None = None
    """How the last prompt was put."""
    choice: Choice = field(default_factory=Choice)
    draft: str | None = None
    """What stood in the field before the last prompt was taken back into it; None: it was not."""
    offers: dict[str, Offer] = field(default_factory=dict)
    """By side."""

    @property
    def editing(self) -> bool:
        """Tell whether the last prompt is in the field again."""
        return self.draft is not None

    @property
    def resting(self) -> bool:
        """Tell whether a last prompt is there that nobody is being asked."""
        return bool(self.prompt) and not self.asked

    def round(self, sides: int) -> Round:
        """Return how prompts are put, for the line that shows it."""
        return Round(self.mode, self.used, self.choice.sampling(sides), self.choice, self.editing)

    def end_edit(self) -> str:
        """Return what stood in the field before."""
        draft, self.draft = self.draft or "", None
        return draft

    def restart(self) -> None:
        """Forget all prompts; what the user set stays."""
        self.prompt, self.used, self.draft = "", None, None
        self.offers = {label: offer for label, offer in self.offers.items() if offer.smaller}
