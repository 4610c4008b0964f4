"""Surveyor: walks all places at once and puts together what lies in them; a place that does not answer is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from qtui.core.text import clean, clean_name
from qtui.services.library.crew import Crew, Job
from qtui.services.library.items import Item, items_of
from qtui.services.library.places import Place
from qtui.services.library.survey import survey
from qtui.services.library.walk import Found, Walk


@dataclass(slots=True)
class Look:
    """What one place holds."""

    found: list[Found] = field(default_factory=list)
    seen: dict[Path, int] = field(default_factory=dict)
    """Folders that were read, and when each had changed last."""
    problems: list[str] = field(default_factory=list)
    there: bool = True


@dataclass(frozen=True, slots=True)
class Surveyed:
    """What all places hold together."""

    items: Mapping[Path, Sequence[Item]]
    """By the folder of the place where the first name of each was found, in the order of the places."""
    seen: Mapping[Path, int]
    answered: tuple[Path, ...]
    """The folders of places that answered, also those that do not exist."""
    problems: tuple[str, ...]
    any_there: bool
    """At least one place exists, or may exist: it does not answer."""

    @property
    def all_items(self) -> list[Item]:
        """Return the items of all places."""
        return [item for items in self.items.values() for item in items]


class Surveyor:
    """Looks into places, each in a thread of its own."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew

    def survey(self, places: Iterable[Place], stop: Callable[[], bool] = bool) -> Surveyed:
        """Return what lies in the places; names that lead to the same bytes are one item, wherever they lie."""
        by_folder = {place.folder: place for place in places}
        looks, silent = self._crew.run({folder: partial(_look, place) for folder, place in by_folder.items()}, stop)
        ordered = {folder: looks[folder] for folder in by_folder if folder in looks}
        where: dict[Path, Path] = {}
        for folder, look in ordered.items():
            for found in look.found:
                where.setdefault(found.path, folder)
        items: dict[Path, list[Item]] = {}
        for item in items_of(found for look in ordered.values() for found in look.found):
            items.setdefault(where[item.first.path], []).append(item)
        return Surveyed(
            items=items,
            seen={folder: then for look in ordered.values() for folder, then in look.seen.items()},
            answered=tuple(ordered),
            problems=(*(p for look in ordered.values() for p in look.problems), *map(no_answer, silent)),
            any_there=bool(silent) or any(look.there for look in ordered.values()),
        )


def no_answer(folder: Path) -> str:
    """Return what is said of a place that does not answer."""
    return f"{clean_name(str(folder))}: does not answer; it is left out"


def _look(place: Place, job: Job[Look]) -> Look:
    walk = Walk(job.beat)
    look = Look(seen=walk.seen, problems=walk.problems)
    try:
        place.folder.stat()
        if place.folder.is_dir():
            look.found.extend(survey(place, walk))
            return look
    except (FileNotFoundError, NotADirectoryError, ValueError):
        pass
    except OSError as error:
        look.problems.append(f"{clean_name(str(place.folder))}: {clean(error.strerror or str(error))}")
        return look
    look.there = False
    return look
