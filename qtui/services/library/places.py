"""The places where GGUF files are looked for when no folder is named."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from qtui.core.text import clean_name
from qtui.services.library import hf_cache
from qtui.services.paths import cache_path

DEMO_LABEL = "demo"


def hub_cache() -> Path:
    """Return where huggingface_hub keeps its cache, by its own rules, without importing it.

    Source: huggingface_hub 2.4 `constants.py` (HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME).
    """
    for variable in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if value := os.environ.get(variable):
            return _expanded(value)
    if value := os.environ.get("HF_HOME"):
        return _expanded(value) / "hub"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return _expanded(base) / "huggingface" / "hub"


def demo_folder() -> Path:
    """Return where the demo's quants are made."""
    return cache_path() / "demo"


def known_places(folders: Iterable[Path] = ()) -> list[tuple[str, Path]]:
    """Return the places to look at as (label, folder), the user's own folders first; they need not exist."""
    own = [(label_of(folder), folder) for folder in folders]
    return [*own, (hf_cache.LABEL, hub_cache()), (DEMO_LABEL, demo_folder())]


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


def _expanded(value: str) -> Path:
    return Path(os.path.expandvars(os.path.expanduser(value)))  # noqa: PTH111 - it never fails without a home
