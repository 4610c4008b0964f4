"""Changes single keys in the text of a TOML file, so that comments, order and everything unknown stay.

tomlkit does the editing. Each edit is read back: what does not give exactly the expected tables is no edit.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Mapping, MutableMapping
from typing import Any

KeyPath = tuple[str, ...]
Table = dict[str, Any]


def changed_table(table: Mapping[str, object], path: KeyPath, value: object | None) -> Table:
    """Return the tables with one key set, or removed where the value is None."""
    result = copy.deepcopy(dict(table))
    _change(result, path, value)
    return result


def edited(text: str, changes: Mapping[KeyPath, object | None]) -> str | None:
    """Return the text with keys set (None: removed); None when the rest of it cannot stay as it is.

    Args:
        text: valid TOML.
        changes: by path, table by table, what tomllib would read there: a text, number, list, table.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    after: Table = tomllib.loads(text)
    for path, value in changes.items():
        if not _leads_to_table(after, path[:-1]):
            return None
        after = changed_table(after, path, value)
    try:
        document = tomlkit.parse(text)
        for path, value in changes.items():
            _change(document, path, value)
        result = tomlkit.dumps(document)
        return result if tomllib.loads(result) == after else None
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, KeyError, ValueError, AttributeError):
        return None


def written(table: Mapping[str, object]) -> str:
    """Return tables as new TOML text."""
    import tomlkit

    return tomlkit.dumps(table)


def _leads_to_table(table: Mapping[str, Any], path: KeyPath) -> bool:
    """Tell whether nothing else than tables stands on a path, so that an edit does not throw something away."""
    inner: Any = table
    for part in path:
        if part not in inner:
            return True
        inner = inner[part]
        if not isinstance(inner, Mapping):
            return False
    return True


def _change(table: MutableMapping[str, Any], path: KeyPath, value: object | None) -> None:
    for part in path[:-1]:
        below = table.get(part)
        if not isinstance(below, MutableMapping):
            if value is None:
                return
            table[part] = {}
            below = table[part]
        table = below
    if value is None:
        table.pop(path[-1], None)
    elif table.get(path[-1]) != value or type(table.get(path[-1])) is not type(value):
        table[path[-1]] = value
