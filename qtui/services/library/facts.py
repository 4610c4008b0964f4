"""What the headers of a variant's files tell, read now and whole."""

from __future__ import annotations

import threading
from collections import OrderedDict

from qtui.core.errors import BadFileError
from qtui.core.gguf.facts import Facts, facts_of
from qtui.core.gguf.reader import read_header
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name
from qtui.services.library.source import FileSource, read_file_header

KEPT = 32
"""Facts hold up to 2 MB of metadata each."""

Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, mtime in ns) of every shard."""


def variant_facts(variant: Variant) -> Facts:
    """Return the facts of a variant, the tensors of all its shards counted.

    Raises:
        BadFileError: missing, unreadable, not GGUF, damaged; a file that is only too short is read all the same.
    """
    first, *others = variant.shards or (variant.path,)
    rest = [read_file_header(path, check_data=False) for path in others]
    with FileSource(first) as source:
        try:
            return facts_of(read_header(source, check_data=False), source, rest)
        except BadFileError as error:
            raise BadFileError(f"{clean_name(first.name)}: {error.message}", error.hint) from error


class FactsCache:
    """Facts of the variants that were looked at last, while their files stay as they are; threads may share it."""

    def __init__(self) -> None:
        self._known: OrderedDict[Stamp, Facts] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, variant: Variant) -> Facts:
        """Return the facts of a variant, from its files where they are not known.

        Raises:
            BadFileError: as `variant_facts`.
        """
        stamp = _stamp(variant)
        with self._lock:
            if stamp is not None and stamp in self._known:
                self._known.move_to_end(stamp)
                return self._known[stamp]
        facts = variant_facts(variant)
        with self._lock:
            if stamp is not None:
                self._known[stamp] = facts
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return facts


def _stamp(variant: Variant) -> Stamp | None:
    """Return what tells whether the files are still the same; None where one cannot be looked at."""
    found = []
    for path in variant.shards or (variant.path,):
        try:
            status = path.stat()
        except (OSError, ValueError):
            return None
        found.append((str(path), status.st_size, status.st_mtime_ns))
    return tuple(found)
