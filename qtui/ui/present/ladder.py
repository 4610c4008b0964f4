"""The ladder as rows: variants at growing contexts, for one cache type at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from textual.content import Content

from qtui.core.library.variant import Variant
from qtui.core.memory.ladder import LETTERS, Cell
from qtui.core.memory.verdict import Fit, Headroom
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import gib, joined, name

MARK_WIDTH = 2
STYLES = {Fit.FITS: "$text-success", Fit.TOO_BIG: "$text-error", Fit.UNKNOWN: "$foreground-muted"}
LEGEND = "no letter fits  t tight  p partial  d from disk  x too big  ? refused"

Key = tuple[Path, int, tuple[str, str]]
"""(file, context, cache types)."""


def ladder_columns(contexts: Sequence[int], chosen: int) -> tuple[Column, ...]:
    """Return the columns; the chosen context has a mark."""
    return (
        Column("VARIANT", 10, grows=1),
        *(
            Column(f"›{context}" if context == chosen else str(context), 7, right=True, lead=context == chosen)
            for context in contexts
        ),
    )


def ladder_rows(
    variants: Sequence[Variant], contexts: Sequence[int], cache: tuple[str, str], cells: Mapping[Key, Cell]
) -> list[Row]:
    """Return one row per variant."""
    return [
        Row(
            str(variant.path),
            (
                name(variant.quant, limit=40),
                *(_cell(variant, context, cells.get((variant.path, context, cache))) for context in contexts),
            ),
        )
        for variant in variants
    ]


def cell_line(cell: Cell | None, cache: tuple[str, str], context: int) -> Content:
    """Return what stands in one cell, in words."""
    head = f"ctx {context}, KV {'/'.join(dict.fromkeys(cache))}"
    if cell is None:
        return Content.styled(f"{head}: not weighed", "$foreground-muted")
    footprint, verdict = cell.weighing.footprint, cell.weighing.verdict
    need = f"{footprint.origin.sign}{gib(footprint.total)} GiB" if footprint is not None else "?"
    word = verdict.fit.value.replace("_", " ")
    reason = name(verdict.reason.replace("vram", "GPU").replace(" ram", " RAM"))
    return joined([f"{head}: {need}", Content.styled(word, STYLES.get(verdict.fit, "$text-warning")), reason])


def room_line(room: Headroom | None) -> Content:
    """Return what may be used."""
    if room is None:
        return Content()
    cards = (f"GPU{index} {gib(left)}" for index, left in enumerate(room.vram))
    return Content.styled(f"may use, GiB: RAM {gib(room.ram)}  {'  '.join(cards)}".rstrip(), "$foreground-muted")


def _cell(variant: Variant, context: int, cell: Cell | None) -> Content:
    if variant.context_length is not None and context > variant.context_length:
        return Content.styled("- ", "$foreground-muted")
    if cell is None:
        return Content.styled("… ", "$foreground-muted")
    footprint, fit = cell.weighing.footprint, cell.weighing.verdict.fit
    if footprint is None:
        return Content.styled("? ", "$foreground-muted")
    text = f"{footprint.origin.sign}{gib(footprint.total)}{LETTERS[fit] or ' '}"
    return Content.styled(text, STYLES.get(fit, "$text-warning"))
