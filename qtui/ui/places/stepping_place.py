"""Steps in the Arena: the next smaller or larger variant of a model, its price first, then the variant itself."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on, work
from textual.content import Content
from textual.message import Message

from qtui.core.duel.steps import Step
from qtui.core.errors import Failure, QtuiError
from qtui.core.library.variant import Variant
from qtui.ui.messages import PutOnSide
from qtui.ui.places.blind_place import BlindPlace
from qtui.ui.present.step import step_line


class SteppingPlace(BlindPlace):
    """Shows what another variant would cost on a side, and puts it there when the key comes again."""

    _step: Step | None = None

    class Priced(Message):
        """A step was found, or that there is none."""

        def __init__(self, side: str, direction: int, step: Step | None, failure: Failure | None = None) -> None:
            super().__init__()
            self.side = side
            self.direction = direction
            self.step = step
            self.failure = failure

    def action_step(self, direction: int) -> None:
        """Show the price of the next larger (1) or smaller (-1) variant; asked again, put it on the side."""
        side = self.panes.current()
        here, offered = self._held.get(side), self._offered_step()
        if here is None or self._steps is None:
            return
        if offered is not None and offered.side == side and offered.larger == (direction > 0):
            self._drop_step()
            self.post_message(PutOnSide(side, offered.variant))
        else:
            self._price(side, here, direction)

    @work(exclusive=True, group="step")
    async def _price(self, side: str, here: Variant, direction: int) -> None:
        assert self._steps is not None
        try:
            found = await self._steps.price(side, here, self._current.of, direction, quiet=self.vitals.quiet())
            self.post_message(self.Priced(side, direction, found))
        except QtuiError as error:
            self.post_message(self.Priced(side, direction, None, Failure.of(error)))

    @on(Priced)
    def show_price(self, event: Priced) -> None:
        """Show a price in the line for both, or why there is none."""
        self._step = event.step
        if event.failure is not None:
            self._say(f"{event.failure.message}\n{event.failure.hint}")
        elif event.step is None:
            self._say(f"No {'larger' if event.direction > 0 else 'smaller'} variant of this model is here.")
        self._refresh_both()

    def action_stop(self) -> None:
        """Leave the side as it is."""
        self._drop_step()

    async def _begin(self, prompt: str, note: str = "", only: Sequence[str] = ()) -> None:
        self._drop_step()
        await super()._begin(prompt, note, only)

    def _drop_step(self) -> None:
        self._step = None
        self._refresh_both()

    def _offered_step(self) -> Step | None:
        """Return the step whose price is shown, unless another variant stands on its side by now."""
        step = self._step
        return step if step is not None and self._held.get(step.side) == step.here else None

    def _both_lines(self, width: int) -> Sequence[Content]:
        step = None if self._curtain.down else self._offered_step()
        if step is None:
            return super()._both_lines(width)
        before = self.panes.sides[step.side].weighing
        return (step_line(step, before, width),)
