"""The scale of a search: plans of one variant against one headroom, by the closed form, each weighed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qtui.core.errors import QtuiError
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit, Headroom, Verdict, judge


class Probe(Protocol):
    """The closed form of one variant, bound to its header and an engine; asks nothing any more."""

    @property
    def layers(self) -> int:
        """Return the blocks of the model; the output layer counts as one more."""
        ...

    @property
    def experts(self) -> bool:
        """Tell whether it is a mixture of experts."""
        ...

    @property
    def sliding(self) -> bool:
        """Tell whether layers attend to a sliding window only."""
        ...

    @property
    def cards(self) -> int:
        """Return how many cards the engine can use."""
        ...

    @property
    def buffers(self) -> tuple[str, ...]:
        """Return the buffer types that tensors may be put in, by llama.cpp's names."""
        ...

    def footprint(self, plan: LoadPlan) -> Footprint:
        """Return the footprint of a resolved plan.

        Raises:
            BadFileError: the header lacks what the memory depends on.
            PlanRefusedError: llama.cpp would refuse the plan.
        """
        ...


@dataclass(frozen=True, slots=True)
class Weighed:
    """One plan on the scale."""

    footprint: Footprint | None
    verdict: Verdict
    cards_hold: bool
    """No card is short."""

    @property
    def fits(self) -> bool:
        """Tell whether it fits the headroom."""
        return self.verdict.fit is Fit.FITS


class Scale:
    """Weighs plans of one variant; a plan that llama.cpp would refuse fits nowhere."""

    def __init__(self, probe: Probe, room: Headroom) -> None:
        self.probe = probe
        self.room = room
        self._weighed: dict[LoadPlan, Weighed] = {}

    @property
    def count(self) -> int:
        """Return how many plans were weighed."""
        return len(self._weighed)

    def weigh(self, plan: LoadPlan) -> Weighed:
        """Return what a resolved plan needs, and whether that fits."""
        if plan not in self._weighed:
            self._weighed[plan] = self._weigh(plan)
        return self._weighed[plan]

    def fits(self, plan: LoadPlan) -> bool:
        """Tell whether a resolved plan fits the headroom."""
        return self.weigh(plan).fits

    def cards_hold(self, plan: LoadPlan) -> bool:
        """Tell whether no card is short under a resolved plan."""
        return self.weigh(plan).cards_hold

    def card_holds(self, plan: LoadPlan, card: int) -> bool:
        """Tell whether one card is not short."""
        footprint = self.weigh(plan).footprint
        return footprint is not None and self._left(footprint, card) >= 0

    def _weigh(self, plan: LoadPlan) -> Weighed:
        try:
            plan.check()
            footprint = self.probe.footprint(plan)
        except QtuiError as error:
            return Weighed(None, Verdict(Fit.UNKNOWN, reason=error.message), cards_hold=False)
        holds = all(self._left(footprint, card) >= 0 for card in range(len(footprint.pools.vram)))
        return Weighed(footprint, judge(footprint, self.room), holds)

    def _left(self, footprint: Footprint, card: int) -> int:
        """Return what one card has left, below 0 where it is short or its memory is not known."""
        rooms = self.room.vram
        room = rooms[card] if card < len(rooms) else None
        need = footprint.pools.vram[card] if card < len(footprint.pools.vram) else 0
        return (room if room is not None else 0) - need
