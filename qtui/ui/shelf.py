"""The shelf: what Models knows of every variant, in its order, and the rows of it that are shown.

A keystroke in the filter goes through thousands of rows, so everything here is made once and kept while it holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from qtui.core.advice.loss import Loss
from qtui.core.current_plan import CurrentPlan
from qtui.core.library.filter import EVERYTHING, LibraryRow
from qtui.core.library.filter_text import ParsedFilter, parse_filter
from qtui.core.library.grouping import group_models, name_key
from qtui.core.library.order import SortKey, sort_models
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit, Headroom, judge
from qtui.core.origin import Origin
from qtui.ui.present.models import Standing, heading, other_heading, variant_cells
from qtui.ui.present.table import Cells, Row

DESCENDING = (SortKey.SIZE, SortKey.BPW, SortKey.RATE)
"""What is asked for most of these is the most."""

OF_THE_MOMENT = (SortKey.NEEDS, SortKey.RATE)
"""What becomes known little by little."""


@dataclass(frozen=True, slots=True)
class Section:
    """A head row and the variants under it, in order."""

    head: Row
    paths: tuple[Path, ...]


class Shelf:
    """Variants with what is known of them. Order changes only when `arrange` is called or variants come."""

    def __init__(self, current: CurrentPlan) -> None:
        self.variants: dict[Path, Variant] = {}
        self.standing = Standing()
        self.sort = SortKey.NAME
        self._current = current
        self._presets: dict[Path, str] = {}
        self.filter = ParsedFilter(EVERYTHING)
        self._weighings: dict[Path, Weighing] = {}
        self._speeds: dict[Path, Speed] = {}
        self._losses: dict[Path, Loss] = {}
        self._known: dict[Path, LibraryRow] = {}
        self._sections: tuple[Section, ...] | None = None
        self._models = 0
        self._rows: dict[Path, Row] = {}

    # What is known

    def add(self, variants: Iterable[Variant]) -> list[Variant]:
        """Take variants in; returns those that are new or not as they were."""
        fresh = [variant for variant in variants if self.variants.get(variant.path) != variant]
        for variant in fresh:
            self.variants[variant.path] = variant
            self._forget(variant.path)
        if fresh:
            self._sections = None
        return fresh

    def keep(self, paths: set[Path]) -> list[Path]:
        """Drop every variant that is not among these; returns those that went."""
        gone = [path for path in self.variants if path not in paths]
        for path in gone:
            del self.variants[path]
            self._forget(path)
        if gone:
            self._sections = None
        return gone

    def weighing(self, path: Path) -> Weighing | None:
        """Return what a variant needs, None while it is not known."""
        return self._weighings.get(path)

    def weigh(self, path: Path, weighing: Weighing) -> None:
        """Take what a variant needs."""
        if path in self.variants:
            self._weighings[path] = weighing
            self._known.pop(path, None)
            self._rows.pop(path, None)

    def speed(self, path: Path) -> Speed | None:
        """Return how fast a variant would generate, None while it is not known."""
        return self._speeds.get(path)

    def measured_rate(self, path: Path) -> float | None:
        """Return the rate of a variant as it is shown, where it was measured."""
        pace = self.standing.pace(path, self._speeds.get(path))
        return pace.rate if pace is not None and pace.origin is Origin.MEASURED else None

    def pace(self, path: Path, speed: Speed) -> None:
        """Take how fast a variant would generate."""
        if path in self.variants:
            self._speeds[path] = speed
            self._known.pop(path, None)
            self._rows.pop(path, None)

    def loss(self, path: Path) -> Loss | None:
        """Return what a variant loses against the whole model, None while that is not known."""
        return self._losses.get(path)

    @property
    def measured(self) -> bool:
        """Tell whether of any variant here it was measured what it loses."""
        return any(loss.origin is Origin.MEASURED for loss in self._losses.values())

    def lose(self, losses: Mapping[Path, Loss]) -> None:
        """Take what variants lose."""
        self._losses.update(losses)
        self._rows.clear()

    def plan_by(self, current: CurrentPlan) -> None:
        """Take another plan; what all variants need under the old one is dropped."""
        self._current = current
        self._presets.clear()
        self.forget_weighings()

    def forget_weighings(self) -> None:
        """Drop what all variants need, and how fast they are with it."""
        self._weighings.clear()
        self._speeds.clear()
        self._known.clear()
        self._rows.clear()

    def judge(self, room: Headroom) -> list[Variant]:
        """Judge all that is known against what is free now; nothing is put in another order.

        Returns those that need to be weighed again, since other places for their layers may fit now.
        """
        again = []
        for path, old in self._weighings.items():
            if old.footprint is None:
                continue
            verdict = judge(old.footprint, room)
            if room.free_vram and Fit.TOO_BIG in (verdict.fit, old.verdict.fit):
                again.append(self.variants[path])
            if old.verdict.fit is not Fit.PARTIAL or verdict.fit is not Fit.TOO_BIG:
                self._weighings[path] = replace(old, headroom=room, verdict=verdict)
        self._known.clear()
        self._rows.clear()
        return again

    def stand(self, standing: Standing) -> None:
        """Take what the Arena does with the variants."""
        if (standing.rates, standing.hidden) != (self.standing.rates, self.standing.hidden):
            self._known.clear()
        if standing != self.standing:
            self._rows.clear()
        self.standing = standing

    def variant(self, key: str | None) -> Variant | None:
        """Return the variant of a row."""
        return self.variants.get(Path(key)) if key else None

    def of_model(self, variant: Variant) -> list[Variant]:
        """Return all variants of a variant's model, the largest first."""
        name = name_key(variant.model)
        found = [
            other for other in self.variants.values() if other.role is Role.MODEL and name_key(other.model) == name
        ]
        return sorted(found, key=lambda other: (-other.size, str(other.path)))

    def siblings(self, variant: Variant) -> Iterator[tuple[Variant, Weighing]]:
        """Yield the other variants of a model that were weighed."""
        name = name_key(variant.model)
        for path, weighing in self._weighings.items():
            other = self.variants[path]
            if path != variant.path and other.role is Role.MODEL and name_key(other.model) == name:
                yield other, weighing

    # What is shown, and in which order

    def filter_by(self, text: str) -> None:
        """Show only rows that meet a filter as it was typed; what of it cannot be understood is in `filter`."""
        self.filter = parse_filter(text)

    def arrange(self) -> None:
        """Put the rows in order by what is known now."""
        self._sections = None

    def rows(self) -> tuple[Row, ...]:
        """Return the rows that meet the filter."""
        predicate = self.filter.predicate
        result: list[Row] = []
        for section in self._arranged():
            paths = section.paths
            if predicate is not EVERYTHING:
                paths = tuple(path for path in paths if predicate(self._library_row(path)))
            if paths:
                result.append(section.head)
                result.extend(self._row(path) for path in paths)
        return tuple(result)

    @property
    def models(self) -> int:
        """Return how many models there are."""
        self._arranged()
        return self._models

    def _arranged(self) -> tuple[Section, ...]:
        if self._sections is None:
            self._sections = tuple(self._arrange())
        return self._sections

    def _arrange(self) -> Iterator[Section]:
        chats = [variant for variant in self.variants.values() if variant.role is not Role.EMBEDDING]
        shelves = group_models(chats)
        known = {path: self._library_row(path) for path in self.variants} if self.sort in OF_THE_MOMENT else {}
        self._models = len(shelves.models)
        for model in sort_models(shelves.models, self.sort, self.sort in DESCENDING, known):
            key = f"model:{name_key(model.name)}:{model.architecture}"
            yield Section(Row(key, heading=heading(model)), tuple(variant.path for variant in model.variants))
        embedding = [variant for variant in self.variants.values() if variant.role is Role.EMBEDDING]
        other = [*embedding, *shelves.other]
        if other:
            other.sort(key=lambda variant: (variant.role.value, name_key(variant.model), str(variant.path)))
            yield Section(Row("other:", heading=other_heading()), tuple(variant.path for variant in other))

    def _library_row(self, path: Path) -> LibraryRow:
        row = self._known.get(path)
        if row is None:
            weighing, speed = self._weighings.get(path), self.standing.pace(path, self._speeds.get(path))
            row = LibraryRow(
                self.variants[path], weighing.verdict if weighing else None, weighing.footprint if weighing else None,
                speed.rate if speed else None,
            )  # fmt: skip
            self._known[path] = row
        return row

    def _row(self, path: Path) -> Row:
        row = self._rows.get(path)
        if row is None:
            row = self._rows[path] = Row(
                str(path), partial(self._cells, self.variants[path]), mark=self.standing.mark(path)
            )
        return row

    def _cells(self, variant: Variant) -> Cells:
        weighing = self._weighings.get(variant.path)
        return variant_cells(
            variant, weighing, self.standing, self._preset(variant), self._speeds.get(variant.path),
            loss=self._losses.get(variant.path),
        )  # fmt: skip

    def _preset(self, variant: Variant) -> str:
        """Return the name of the preset that a variant has of its own."""
        if variant.path not in self._presets:
            own = self._current.own_preset(variant)
            self._presets[variant.path] = own.name if own else ""
        return self._presets[variant.path]

    def _forget(self, path: Path) -> None:
        for known in (self._weighings, self._speeds, self._losses, self._known, self._presets, self._rows):
            known.pop(path, None)
