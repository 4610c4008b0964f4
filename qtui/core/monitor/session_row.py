"""SessionRow: what the Monitor says of one session, ready to be put into a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.hardware import Gpu
from qtui.core.sessions import SessionSeen, apart, session_vram
from qtui.core.text import GIB, rate

NOTHING = "–"


@dataclass(frozen=True, slots=True)
class SessionRow:
    """The cells of one session. Sizes in GiB, `?` where something is not known; all text is clean."""

    id: str
    title: str
    engine: str
    state: str
    """With the progress of a load or of a prompt."""
    pid: str
    ram: str
    """Resident now, measured."""
    vram: str
    """Held of all cards, measured; a dash where there is no card."""
    needs: str
    """What its footprint said over all pools."""
    apart: str
    """How far the measured memory is from what was expected, in percent; only after a full prompt."""
    rate: str
    context: str
    """The share of the context that is in use."""


def session_row(seen: SessionSeen, cards: Sequence[Gpu]) -> SessionRow:
    """Return the cells of one session beside the machine's cards."""
    record = seen.record
    difference = apart(seen, cards)
    used, size = record.context_used, record.context_size
    if record.crashed:
        return SessionRow(
            record.id, record.title, record.engine, record.doing, str(record.pid), ram=NOTHING, vram=NOTHING,
            needs=gib(record.estimate), apart=NOTHING, rate=NOTHING, context=NOTHING,
        )  # fmt: skip
    return SessionRow(
        id=record.id,
        title=record.title,
        engine=record.engine,
        state=record.doing,
        pid=str(record.pid),
        ram=gib(seen.memory.resident),
        vram=gib(session_vram(seen, cards)) if cards else "–",
        needs=gib(record.estimate),
        apart="?" if difference is None else percent(difference),
        rate=rate(record.rate),
        context="?" if used is None or size is None else f"{100 * used / size:.0f} %",
    )


def percent(share: float) -> str:
    """Return how far something is apart, in percent with its sign; without a decimal where that is a multiple."""
    return f"{share * 100:+.1f} %" if abs(share) < 1 else f"{share * 100:+.0f} %"


def gib(size_bytes: int | None) -> str:
    """Return GiB without the unit: two digits, three below 0.1; `?` when unknown."""
    if size_bytes is None:
        return "?"
    value = size_bytes / GIB
    return f"{value:.2f}" if value >= 0.095 or value == 0 else f"{value:.3f}"
