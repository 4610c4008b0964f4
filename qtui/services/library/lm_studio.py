"""Where LM Studio keeps models: its settings name the folder.

`~/.lmstudio-home-pointer` names its home where that is not `~/.lmstudio` (before 0.3.6: `~/.cache/lm-studio`), and
`settings.json` there names the models' folder as `downloadsFolder`. Below it lie `PUBLISHER/REPOSITORY/FILE.gguf`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from qtui.core.text import clean_name
from qtui.services.library.small_file import read_object, read_small

POINTER = ".lmstudio-home-pointer"
MOST_SETTINGS = 4 << 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")


def lm_studio_folders(home: Path) -> Iterator[Path]:
    """Yield the folders that LM Studio's own files name; none where it has not run."""
    for base in _homes(home):
        named = read_object(base / "settings.json", MOST_SETTINGS).get("downloadsFolder")
        if isinstance(named, str) and "\0" not in named and Path(named).is_absolute():
            yield Path(named)
        yield base / "models"


def repository_below(path: Path, root: Path) -> str:
    """Return `publisher/repository` of a file in the models' folder, as its two folders tell; empty elsewhere."""
    parts = path.relative_to(root).parts if path.is_relative_to(root) else ()
    if len(parts) < 3 or not all(_NAME.fullmatch(part) for part in parts[:2]):
        return ""
    return clean_name("/".join(parts[:2]))


def _homes(home: Path) -> Iterator[Path]:
    pointed = (read_small(home / POINTER, 4096) or b"").decode("utf-8", "replace").splitlines()
    if pointed and "\0" not in pointed[0] and Path(pointed[0].strip()).is_absolute():
        yield Path(pointed[0].strip())
    yield home / ".lmstudio"
    yield home / ".cache" / "lm-studio"
