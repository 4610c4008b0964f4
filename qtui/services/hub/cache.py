"""Deleting single files from a Hugging Face cache, through huggingface_hub's own bookkeeping.

A blob goes only with the last snapshot entry that leads to it, in whichever of the two layouts; refs and snapshot
folders stay. Nothing is sent.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from qtui.core.errors import QtuiError
from qtui.core.text import clean, clean_name
from qtui.services.hub.environment import huggingface_hub


def delete_cached(cache: Path, paths: Iterable[Path]) -> int:
    """Delete snapshot entries from a cache; returns the bytes that huggingface_hub expects that to free. Blocks.

    Raises:
        QtuiError: huggingface_hub does not know one of them (a damaged repository), or may not delete it; nothing has
            been deleted then, or what was deleted is whole entries.
    """
    wanted = {str(path) for path in paths}
    hub = huggingface_hub()
    try:
        info = hub.scan_cache_dir(cache)
    except (hub.errors.CacheNotFound, ValueError, OSError) as error:
        raise QtuiError(
            f"{clean_name(str(cache))}: {clean(str(error))}", "check the folder with `hf cache ls`"
        ) from error
    files = [
        file
        for repository in info.repos
        for revision in repository.revisions
        for file in revision.files
        if str(file.file_path) in wanted
    ]
    missing = wanted - {str(file.file_path) for file in files}
    if missing:
        raise QtuiError(
            f"huggingface_hub does not list {clean_name(min(missing), 400)} in its cache",
            "its repository there is damaged: `hf cache verify` tells more",
        )
    plan = info.delete_files(*files)
    try:
        plan.execute()
    except OSError as error:
        raise QtuiError(
            f"{clean_name(str(cache))} keeps its files: {clean(error.strerror or str(error))}",
            "check the permissions of the folder",
        ) from error
    return int(plan.expected_freed_size)
