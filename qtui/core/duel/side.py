"""One side of a duel: its variant, its session while it is loaded, and what it did in a round."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtui.core.duel.conversation import Answer, Message
from qtui.core.errors import Failure
from qtui.core.events import Loaded
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Pools
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.ports import Session


@dataclass(frozen=True, slots=True)
class SideResult:
    """What a side did in a round."""

    side: str
    variant: Variant
    weighing: Weighing | None = None
    loaded: Loaded | None = None
    answer: Answer | None = None
    failure: Failure | None = None


@dataclass(slots=True)
class DuelSide:
    """What a duel keeps of a side between rounds; the duel alone changes it."""

    label: str
    variant: Variant
    plan: LoadPlan
    transcript: tuple[Message, ...] = ()
    force: bool = False
    asked: str = ""
    """The last prompt that was put to it."""
    before: tuple[Message, ...] = ()
    """The transcript before that."""
    session: Session | None = None
    loaded: Loaded | None = None
    weighing: Weighing | None = None
    result: SideResult | None = field(default=None, repr=False)

    @property
    def holds(self) -> Pools:
        """Return what its session holds, by its footprint."""
        footprint = self.weighing.footprint if self.session and self.weighing else None
        return footprint.pools if footprint else Pools()

    @property
    def outcome(self) -> SideResult:
        """Return what it did in this round so far."""
        return self.result or SideResult(self.label, self.variant)

    @property
    def failed(self) -> bool:
        """Tell whether it failed in this round."""
        return self.result is not None and self.result.failure is not None

    @property
    def unloadable(self) -> Failure | None:
        """Return why its variant can never be loaded, None when it can."""
        variant = self.variant
        if variant.loadable:
            return None
        reason = variant.problem or f"it is a file of the role {variant.role.value}, not a model"
        return Failure(f"{variant.title} cannot be loaded: {reason}", "choose a complete model file", kind="bad_file")

    async def unload(self) -> None:
        """End its session."""
        session, self.session, self.loaded = self.session, None, None
        if session:
            await session.close()
