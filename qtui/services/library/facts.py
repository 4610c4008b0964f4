"""What the headers of a variant's files tell, read now and whole."""

from __future__ import annotations

from qtui.core.errors import BadFileError
from qtui.core.gguf.facts import Facts, facts_of
from qtui.core.gguf.reader import read_header
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name
from qtui.services.library.remembered import Remembered
from qtui.services.library.source import FileSource, read_file_header

KEPT = 32
"""Facts hold up to 2 MB of metadata each."""


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
        self._known = Remembered[Facts](KEPT)

    def read(self, variant: Variant) -> Facts:
        """Return the facts of a variant, from its files where they are not known.

        Raises:
            BadFileError: as `variant_facts`.
        """
        return self._known.get(variant.shards or (variant.path,), lambda: variant_facts(variant))
