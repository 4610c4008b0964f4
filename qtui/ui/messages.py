"""Messages between places and the app: requests are imperative, events past tense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from qtui.core.settings import Problem, Settings

if TYPE_CHECKING:  # the app paints before what places need is imported
    from qtui.core.compare import Column
    from qtui.core.downloads.download import Download
    from qtui.core.downloads.offer import Offer
    from qtui.core.downloads.run import DownloadEvent
    from qtui.core.downloads.verify import VerifyEvent
    from qtui.core.duel.run import DuelEvent
    from qtui.core.errors import Failure
    from qtui.core.gguf.facts import Facts
    from qtui.core.hardware import EngineInfo, MemorySample
    from qtui.core.hub.choice import Nearest
    from qtui.core.hub.events import ReadingEvent, Waiting
    from qtui.core.hub.kinds import Kind
    from qtui.core.hub.query import ResultPage
    from qtui.core.hub.repository import Card, Repository
    from qtui.core.library.removal import Removal, Removed
    from qtui.core.library.variant import Variant
    from qtui.core.memory.guard import Weighing
    from qtui.core.memory.ladder import Cell
    from qtui.core.memory.plan import LoadPlan
    from qtui.core.memory.speed import Speed
    from qtui.core.memory.suggestion import Suggestion
    from qtui.core.memory.verdict import Headroom
    from qtui.core.monitor.remedies import Remedy
    from qtui.core.presets import Preset
    from qtui.core.sessions import SessionSeen


@dataclass(eq=False, repr=False)
class MachineSampled(Message):
    """A new sample of the machine's memory, and the sessions on it."""

    sample: MemorySample
    sessions: Sequence[SessionSeen] = ()

    def can_replace(self, message: Message) -> bool:
        """Let only the newest of several waiting samples be handled."""
        return isinstance(message, MachineSampled)


@dataclass(eq=False, repr=False)
class SessionStopped(Message):
    """A session that was to be stopped is gone, or why it is not."""

    session_id: str
    problem: str = ""


@dataclass(eq=False, repr=False)
class EngineAnswered(Message):
    """The engine told what it is."""

    engine: EngineInfo


@dataclass(eq=False, repr=False)
class PutOnSide(Message):
    """Put a variant on a side of the Arena, or take what stands there off (None)."""

    side: str
    variant: Variant | None
    then_open: bool = False
    """Go to the Arena."""


@dataclass(eq=False, repr=False)
class ChooseForSide(Message):
    """Let the user choose a variant for a side, in Models."""

    side: str


@dataclass(eq=False, repr=False)
class ArenaChanged(Message):
    """Sessions came or went, or a rate was measured."""

    loaded: frozenset[str]
    rates: Mapping[Path, float] = field(default_factory=dict)
    plans: Mapping[str, LoadPlan] = field(default_factory=dict)
    """What each side was loaded under."""
    covered: bool = False
    """Names, sizes and rates are hidden until there is a vote."""


@dataclass(eq=False, repr=False)
class VariantsFound(Message):
    """A scan found more."""

    variants: tuple[Variant, ...]


@dataclass(eq=False, repr=False)
class ScanEnded(Message):
    """A scan is over."""

    problem: str = ""


@dataclass(eq=False, repr=False)
class VariantWeighed(Message):
    """What a variant needs is known, or why it is not."""

    path: Path
    weighing: Weighing


@dataclass(eq=False, repr=False)
class VariantPaced(Message):
    """How fast a variant would generate is known, or why it is not."""

    path: Path
    speed: Speed


@dataclass(eq=False, repr=False)
class FilesChanged(Message):
    """Files came or went."""


@dataclass(eq=False, repr=False)
class DownloadsHappened(Message, bubble=False):
    """Downloads moved on, came, went or ended."""

    event: DownloadEvent


@dataclass(eq=False, repr=False)
class FetchVariant(Message):
    """Download the files of a variant of the Hub."""

    download: Download


@dataclass(eq=False, repr=False)
class FactsRead(Message):
    """What the headers of a variant tell is known, or why it is not."""

    variant: Variant
    facts: Facts | None
    failure: Failure | None = None


@dataclass(eq=False, repr=False)
class SuggestionFound(Message):
    """What to do about a variant that does not fit; None: nothing simple helps."""

    path: Path
    suggestion: Suggestion | None


@dataclass(eq=False, repr=False)
class HubSearched(Message):
    """A search told something: a page, for how long it waits, or why it failed."""

    search: int
    """Which one, counted from 1."""
    event: ResultPage | Waiting | Failure


@dataclass(eq=False, repr=False)
class HubSearchEnded(Message):
    """A search is over."""

    search: int


@dataclass(eq=False, repr=False)
class OpenRepository(Message):
    """Open a repository in the Hub."""

    repository: str
    """`owner/name`."""


@dataclass(eq=False, repr=False)
class RepositoryTold(Message):
    """The reading or weighing of a repository told something, or why it failed."""

    reading: int
    """Which one, counted from 1."""
    event: ReadingEvent | Failure


@dataclass(eq=False, repr=False)
class NearestFound(Message):
    """What would fit of a repository with less context; None: nothing."""

    reading: int
    nearest: Nearest | None


@dataclass(eq=False, repr=False)
class NoGgufFound(Message):
    """A repository holds no GGUF files."""

    repository: Repository
    kind: Kind


@dataclass(eq=False, repr=False)
class CardFetched(Message):
    """A model card came, or why it did not."""

    card: Card | Failure


@dataclass(eq=False, repr=False)
class OfferMade(Message):
    """What fetching a variant would take is known, or why it cannot be fetched."""

    key: str
    """Of its row."""
    offer: Offer | None
    problem: str = ""


@dataclass(eq=False, repr=False)
class RemovalSeen(Message):
    """What deleting a variant would take away is known, or why it is not."""

    removal: Removal | Failure
    holders: Sequence[SessionSeen] = ()
    """Sessions that have it loaded: it is not deleted while they run."""


@dataclass(eq=False, repr=False)
class VariantRemoved(Message):
    """A variant was deleted, or why it was not."""

    removed: Removed | Failure


@dataclass(eq=False, repr=False)
class VerifyTold(Message):
    """Files were read, one was compared, or it failed; None: all is done."""

    event: VerifyEvent | Failure | None


@dataclass(eq=False, repr=False)
class CopiesFound(Message):
    """More is known of which variants are copies."""

    copies: Mapping[Path, Variant]
    """Those that are, or may be, by path."""


@dataclass(eq=False, repr=False)
class TakeRemedy(Message):
    """Load a session anew under the plan that would end an alarm."""

    remedy: Remedy


@dataclass(eq=False, repr=False)
class UsePlan(Message):
    """Make a plan the current one: everything on screen is for it from then on."""

    plan: LoadPlan


@dataclass(eq=False, repr=False)
class LadderClimbed(Message):
    """A cell of the ladder was weighed."""

    cell: Cell


@dataclass(eq=False, repr=False)
class VariantsCompared(Message):
    """What is known of variants was gathered."""

    columns: Sequence[Column]


@dataclass(eq=False, repr=False)
class PresetsChanged(Message):
    """There are other presets now."""

    presets: tuple[Preset, ...]


@dataclass(eq=False, repr=False)
class HeadroomMoved(Message):
    """Free memory has moved for good."""

    headroom: Headroom


@dataclass(eq=False, repr=False)
class DuelHappened(Message):
    """An event of the duel run."""

    event: DuelEvent


@dataclass(eq=False, repr=False)
class DuelRested(Message):
    """An operation of the duel is over."""

    number: int
    """Which one, counted from 1."""


@dataclass(eq=False, repr=False)
class SidePut(Message):
    """A side holds another variant now; its transcript stays."""

    side: str
    variant: Variant | None
    joined: str = ""
    """The side whose turns it reads as its own."""


@dataclass(eq=False, repr=False)
class RemedyFound(Message):
    """A side that was refused would be loaded with a smaller context."""

    side: str
    weighing: Weighing


@dataclass(eq=False, repr=False)
class DuelBroke(Message):
    """The duel run itself could not go on."""

    failure: Failure


@dataclass(eq=False, repr=False)
class ChangeSetting(Message):
    """Save one setting."""

    key: str
    """As in the file: `margins.ram`."""
    value: object
    """As the file would hold it; None: the default."""


@dataclass(eq=False, repr=False)
class SettingsChanged(Message):
    """The settings are others now, by this qtui, another one, or the user's editor."""

    settings: Settings
    problems: tuple[Problem, ...] = ()
    failure: str = ""
    """Why they could not be saved; then nothing has changed."""


@dataclass(eq=False, repr=False)
class ShowTheme(Message):
    """Show a theme while it is being chosen; empty: the one that is set."""

    name: str = ""
