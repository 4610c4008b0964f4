"""Reads theme files: those that are shipped, and those in the user's config folder."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

from qtui.core.text import KIB, clean, clean_name
from qtui.core.themes import ThemeFile
from qtui.services import paths

MAX_BYTES = 64 * KIB
MAX_FILES = 200


def read_themes(folder: Path | None = None) -> tuple[ThemeFile, ...]:
    """Return the shipped themes, then the user's; what cannot be read says why.

    Args:
        folder: the user's themes; by default `themes` in the config folder.
    """
    own = paths.config_path() / "themes" if folder is None else folder
    return (*_read(shipped_dir(), shipped=True), *_read(own, shipped=False))


def shipped_dir() -> Path:
    """Return the folder of the shipped themes: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "_themes"
    return inside if inside.is_dir() else package.parent / "themes"


def _read(folder: Path, shipped: bool) -> Iterator[ThemeFile]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except FileNotFoundError:
        return
    except OSError as error:
        yield ThemeFile("themes", folder, "", shipped, _said(error))
        return
    for path in found[:MAX_FILES]:
        name = clean_name(path.stem)
        try:
            yield ThemeFile(name, path, _text(path), shipped)
        except (OSError, ValueError) as error:
            yield ThemeFile(name, path, "", shipped, _said(error))


def _text(path: Path) -> str:
    # A pipe in the folder would never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file")
    with path.open("rb") as stream:
        raw = stream.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise ValueError("it is larger than 64 KiB")
    return raw.decode("utf-8-sig")


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return clean(getattr(error, "strerror", None) or str(error))
