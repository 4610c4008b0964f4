"""The first screen of a model card as plain text."""

from __future__ import annotations

import re

from qtui.core.hub.repository import Card
from qtui.core.text import clean, clean_name

MAX_CARD = 256 << 10
"""Bytes of a card that are read."""
MAX_LINES = 60
MAX_LINE = 2000
MAX_FIELDS = 40
_HEAD = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_FIELD = re.compile(r"^([A-Za-z_][\w-]{0,60}):[ \t]*(.*)$")
_ITEM = re.compile(r"^[ \t]*-[ \t]+(.+)$")
_COMMENT = re.compile(r"<!--.*?-->|<(?:style|script)\b.*?</(?:style|script)>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,1000}>")
_IMAGE = re.compile(r"!\[([^\]]{0,200})\]\([^)]{0,1000}\)")
_LINK = re.compile(r"\[([^\]]{1,300})\]\([^)]{0,1000}\)")
_MARKS = re.compile(r"(\*\*|__|`)")
_RULE = re.compile(r"^[\s|:-]+$")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&nbsp;": " ", "&#39;": "'"}


def card_of(text: str, cut: bool = False) -> Card:
    """Read a README: its head as fields, its beginning without what only a browser shows.

    Args:
        text: Markdown, as it came.
        cut: more of it was there than was read.
    """
    text = clean(text[:MAX_CARD])
    head = _HEAD.match(text)
    body = text[head.end() :] if head else text
    body = _COMMENT.sub("", body)
    lines: list[str] = []
    for line in body.split("\n"):
        plain = _plain(line)
        if plain or (lines and lines[-1]):
            lines.append(plain)
        if len(lines) > MAX_LINES:
            return Card("\n".join(lines[:MAX_LINES]).strip("\n"), _fields(head[1] if head else ""), cut=True)
    return Card("\n".join(lines).strip("\n"), _fields(head[1] if head else ""), cut)


def _plain(line: str) -> str:
    """Return one line without marks, tags and addresses."""
    line = _TAG.sub("", _LINK.sub(r"\1", _IMAGE.sub(r"\1", line[:MAX_LINE])))
    for entity, character in _ENTITIES.items():
        line = line.replace(entity, character)
    line = _MARKS.sub("", line).rstrip()
    if _RULE.fullmatch(line):
        return ""
    if line.startswith("|"):
        line = "  ".join(cell.strip() for cell in line.strip("|").split("|"))
    return re.sub(r"^#{1,6}\s+", "", line).rstrip()


def _fields(head: str) -> dict[str, str]:
    """Return the plain fields of a card's head: of YAML only `key: value` and lists of words are read."""
    found: dict[str, str] = {}
    key = ""
    for line in head.split("\n")[:1000]:
        if match := _FIELD.match(line):
            key = match[1]
            value = match[2].strip().strip("'\"").strip("[]")
            if len(found) < MAX_FIELDS and value not in ("|", ">", "|-", ">-"):
                found[key] = clean_name(value)
        elif key in found and (item := _ITEM.match(line)):
            found[key] = clean_name(", ".join(part for part in (found[key], item[1].strip().strip("'\"")) if part))
    return {name: value for name, value in found.items() if value}
