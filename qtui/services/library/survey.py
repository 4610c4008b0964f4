"""Which files lie in some places, by walking them; nothing is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from qtui.services.library.hf_cache import PREFIX, repository_files, repository_of
from qtui.services.library.walk import Found, Walk


def survey(places: Iterable[tuple[str, Path]], walk: Walk) -> Iterator[Found]:
    """Yield every file of the places, once per name.

    A Hugging Face cache is recognised wherever it lies, also from inside, and tells the repository of its files.
    """
    for label, folder in places:
        if folder.name.startswith(PREFIX) and (folder / "snapshots").is_dir():
            walk.repositories.append(folder)
        else:
            for found in walk.files(folder, label):
                yield _with_repository(found)
        while walk.repositories and not walk.stop():
            yield from repository_files(walk.repositories.pop(0), walk)


def _with_repository(found: Found) -> Found:
    """Add the repository for a file that was reached below its `models--` folder."""
    inside = repository_of(found.path)
    return found if inside is None else replace(found, repository=inside[0], root=inside[1])
