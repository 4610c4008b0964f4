"""Which files lie in one place, by walking it the way its owner lays it out; nothing but manifests is opened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from qtui.core.library.owner import Owner
from qtui.services.library.hf_cache import PREFIX, repository_files, repository_of
from qtui.services.library.lm_studio import repository_below
from qtui.services.library.ollama import is_store, store_files
from qtui.services.library.places import Place
from qtui.services.library.walk import Found, Walk


def survey(place: Place, walk: Walk) -> Iterator[Found]:
    """Yield every file of a place, once per name.

    A Hugging Face cache and an Ollama store are recognised wherever they lie, the former also from inside.
    """
    folder = place.folder
    walk.owner = place.owner
    if is_store(folder):
        walk.owner = Owner.OLLAMA
        yield from store_files(folder, walk, place.label)
        return
    if folder.name.startswith(PREFIX) and (folder / "snapshots").is_dir():
        walk.repositories.append(folder)
    else:
        for found in walk.files(folder, place.label):
            yield _with_repository(found)
    while walk.repositories and not walk.stop():
        yield from repository_files(walk.repositories.pop(0), walk)


def _with_repository(found: Found) -> Found:
    """Add the repository where the folders tell it: below a `models--` folder, and in LM Studio's."""
    inside = repository_of(found.path)
    if inside is not None:
        return replace(found, repository=inside[0], root=inside[1], owner=Owner.HF)
    repository = repository_below(found.path, found.root) if found.owner is Owner.LM_STUDIO else ""
    return replace(found, repository=repository, root=found.root / repository) if repository else found
