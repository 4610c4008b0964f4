"""The places where GGUF files are looked for when no folder is named."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from qtui.core.library.homes import Platform, home_folders
from qtui.core.library.owner import Owner
from qtui.core.text import clean_name
from qtui.core.user_path import expanded_path
from qtui.services.library.lm_studio import lm_studio_folders
from qtui.services.paths import cache_path


@dataclass(frozen=True, slots=True)
class Place:
    """A folder to look into, which need not exist."""

    label: str
    """How it is shown; clean."""
    folder: Path
    owner: Owner = Owner.USER

    @property
    def always_named(self) -> bool:
        """Tell whether it is shown among the places that were looked at though it does not exist."""
        return self.owner in (Owner.USER, Owner.HF, Owner.DEMO)


def hub_cache() -> Path:
    """Return where huggingface_hub keeps its cache, by its own rules, without importing it.

    Source: huggingface_hub 2.4 `constants.py` (HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME).
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(variable):
            return expanded_path(value)
    if value := os.environ.get("HF_HOME"):
        return expanded_path(value) / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expanded_path(base) / "huggingface" / "hub"


def demo_folder() -> Path:
    """Return where the demo's quants are made."""
    return cache_path() / "demo"


def own_places(folders: Iterable[Path]) -> list[Place]:
    """Return folders of the user's as places."""
    return [Place(label_of(folder), folder) for folder in folders]


def known_places(folders: Iterable[Path] = ()) -> list[Place]:
    """Return every place to look at, each folder once: the user's own first, then programs' own, then the demo's.

    A program's folder that the user names too is shown by the user's name for it, and stays the program's.
    """
    home = os.path.expanduser("~")  # noqa: PTH111 - it never fails without a home
    programs = [Place(Owner.HF.label, hub_cache(), Owner.HF), *_programs("" if home == "~" else home)]
    programs.append(Place(Owner.DEMO.label, demo_folder(), Owner.DEMO))
    places = {place.folder: place for place in reversed(programs)}
    own = [replace(places.pop(one.folder, one), label=one.label) for one in own_places(folders)]
    return list({place.folder: place for place in (*own, *reversed(places.values()))}.values())


def label_of(folder: Path) -> str:
    """Return how a scanned folder is shown: its path, with `~` for the home."""
    path = Path(os.path.abspath(folder))  # noqa: PTH100 - links are kept as the user wrote them
    try:
        home = Path.home()
    except RuntimeError:
        return clean_name(str(path))
    if path != home and path.is_relative_to(home):
        return clean_name(f"~/{path.relative_to(home)}")
    return clean_name(str(path))


def _programs(home: str) -> Iterator[Place]:
    named = ((Owner.LM_STUDIO, str(folder)) for folder in (lm_studio_folders(Path(home)) if home else ()))
    for owner, folder in (*named, *home_folders(Platform.of(sys.platform), os.environ, home)):
        yield Place(owner.label, Path(folder), owner)
