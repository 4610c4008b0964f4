"""Changes single keys in the text of a TOML file, so that comments, order and everything unknown stay.

Each edit is read back: what does not give exactly the expected tables is not an edit, and there is None instead.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

KeyPath = tuple[str, ...]
Table = dict[str, Any]
MAX_LINES = 5000

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_PART = r"(?:[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*')"
_KEY = re.compile(rf"\s*({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*=")
_HEADER = re.compile(rf"\s*\[[ \t]*({_PART}(?:[ \t]*\.[ \t]*{_PART})*)[ \t]*\]")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A header, or a key with its value; lines from `start` up to `end`."""

    path: KeyPath
    start: int
    end: int
    header: bool


def changed_table(table: Mapping[str, object], path: KeyPath, value: object | None) -> Table:
    """Return the tables with one key set, or removed where the value is None."""
    result = copy.deepcopy(dict(table))
    inner: Table = result
    for part in path[:-1]:
        below = inner.get(part)
        if not isinstance(below, dict):
            if value is None:
                return result
            below = inner[part] = {}
        inner = below
    if value is None:
        inner.pop(path[-1], None)
    else:
        inner[path[-1]] = value
    return result


def edited(text: str, path: KeyPath, value: object | None, literal: Callable[[object], str]) -> str | None:
    """Return the text with one key set (None: removed); None when that cannot be done by changing a few lines.

    Args:
        text: valid TOML.
        path: the key, table by table.
        value: what tomllib would read: a text, number, list, table.
        literal: writes such a value on one line.
    """
    before = tomllib.loads(text)
    after = changed_table(before, path, value)
    if after == before:
        return text
    if "\r\n" in text:
        done = edited(text.replace("\r\n", "\n"), path, value, literal)
        return None if done is None else done.replace("\n", "\r\n")
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        return None
    edit = _Edit(lines, list(_statements(lines)), path, value, literal)
    for candidate in edit.candidates(after):
        try:
            if tomllib.loads(candidate) == after:
                return candidate
        except tomllib.TOMLDecodeError:
            continue
    return None


def key_text(path: KeyPath, literal: Callable[[object], str]) -> str:
    """Return a key as it is written, each part in quotes where it must be."""
    return ".".join(part if _BARE.fullmatch(part) else literal(part) for part in path)


@dataclass(frozen=True, slots=True)
class _Edit:
    """One key to be set or removed in some lines."""

    lines: list[str]
    statements: list[_Statement]
    path: KeyPath
    value: object | None
    literal: Callable[[object], str]

    def candidates(self, after: Table) -> Iterator[str]:
        """Yield texts that may be the edit: in its place, in its table, in a new table, beside its siblings."""
        if self.value is None:
            yield self._without()
        for found in self.statements:
            if not found.header and self.path[: len(found.path)] == found.path:
                yield self._replaced(found, _at(after, found.path))
        if self.value is None:
            return
        for depth in range(len(self.path) - 1, 0, -1):
            yield from self._inserted(depth)
        kept = "\n".join(self.lines).rstrip("\n")
        start = f"{kept}\n\n" if kept else ""
        if self.value == {}:
            yield f"{start}[{key_text(self.path, self.literal)}]\n"
        if len(self.path) > 1:
            header, key = key_text(self.path[:-1], self.literal), key_text(self.path[-1:], self.literal)
            yield f"{start}[{header}]\n{key} = {self.literal(self.value)}\n"
        yield from self._inserted(0)

    def _without(self) -> str:
        """Take out the key, or the whole table with its header; comments stay."""
        gone = {
            line
            for found in self.statements
            if found.path[: len(self.path)] == self.path
            for line in range(found.start, found.end)
        }
        return "\n".join(line for number, line in enumerate(self.lines) if number not in gone)

    def _replaced(self, found: _Statement, value: object) -> str:
        first = self.lines[found.start]
        match = _KEY.match(first)
        assert match is not None
        line = f"{first[: match.end()]} {self.literal(value)}"
        comment = _comment(first) if found.end == found.start + 1 else ""
        line = f"{line}  {comment}" if comment else line
        return "\n".join([*self.lines[: found.start], line, *self.lines[found.end :]])

    def _inserted(self, depth: int) -> Iterator[str]:
        """Put the key after the last one that stands under the header of its table, `depth` parts long."""
        home = _end_of_block(self.statements, self.path[:depth])
        if home is not None:
            line = f"{key_text(self.path[depth:], self.literal)} = {self.literal(self.value)}"
            yield "\n".join([*self.lines[:home], line, *self.lines[home:]])


def _comment(line: str) -> str:
    """Return the comment at the end of a whole statement: from the first `#` that is not in its value."""
    for match in re.finditer("#", line):
        try:
            tomllib.loads(line[: match.start()])
        except tomllib.TOMLDecodeError:
            continue
        return line[match.start() :].rstrip()
    return ""


def _end_of_block(statements: list[_Statement], table: KeyPath) -> int | None:
    """Return the line after the last key that stands under a table's own header; None: it has none."""
    if not table:
        first = next((s for s in statements if s.header), None)
        keys = [s for s in statements if not s.header and (first is None or s.start < first.start)]
        return keys[-1].end if keys else 0
    at = next((index for index, s in enumerate(statements) if s.header and s.path == table), None)
    if at is None:
        return None
    end = statements[at].end
    for statement in statements[at + 1 :]:
        if statement.header:
            break
        end = statement.end
    return end


def _statements(lines: list[str]) -> Iterator[_Statement]:
    """Yield what the lines of valid TOML say; what stands in arrays of tables is left out."""
    table: KeyPath | None = ()
    index = 0
    while index < len(lines):
        line = lines[index]
        if not line.strip() or line.lstrip().startswith("#"):
            index += 1
            continue
        if line.lstrip().startswith("["):
            header = _HEADER.match(line)
            table = _path(header[1]) if header else None
            if table is not None:
                yield _Statement(table, index, index + 1, header=True)
            index += 1
            continue
        end = _end(lines, index)
        key = _KEY.match(line)
        if key and table is not None:
            yield _Statement(table + _path(key[1]), index, end, header=False)
        index = end


def _end(lines: list[str], start: int) -> int:
    """Return the line after a key's value, which may go over several."""
    for end in range(start + 1, len(lines) + 1):
        try:
            tomllib.loads("\n".join(lines[start:end]))
        except tomllib.TOMLDecodeError:
            continue
        return end
    return len(lines)


def _path(key: str) -> KeyPath:
    """Return the parts of a written key."""
    inner: Any = tomllib.loads(f"{key} = 0")
    parts: list[str] = []
    while isinstance(inner, dict):
        part, inner = next(iter(inner.items()))
        parts.append(part)
    return tuple(parts)


def _at(table: Table, path: KeyPath) -> object:
    inner: object = table
    for part in path:
        inner = inner.get(part) if isinstance(inner, dict) else None
    return inner
