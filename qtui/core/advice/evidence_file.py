"""A file of figures: TOML with `[source]`, `[setting]` and `[[figure]]`; what of it cannot be used is named."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from qtui.core.advice.evidence import METRICS, Figure, Setting, Source
from qtui.core.settings import Problem
from qtui.core.text import clean_name

MOST_FIGURES = 5000
LONGEST = 400
_STDERR = "_stderr"
_SOURCE_TEXTS = ("id", "title", "url", "licence", "date", "note")
_NEEDED = ("title", "licence")
_SETTING_TEXTS = ("model", "data", "reference")
_OF_A_FIGURE = ("quant", "imatrix", "matrix", "recipe", "context", *_SETTING_TEXTS)
_URL = re.compile(r"https?://[^\s<>\"]+")
_TABLE = re.compile(r"^\s*\[\[\s*figure\s*\]\]", re.MULTILINE)


@dataclass(slots=True)
class _Reading:
    """A file while it is read."""

    name: str
    text: str
    problems: list[Problem] = field(default_factory=list)

    def tell(self, where: str, key: str, message: str, number: int | None = None) -> None:
        """Note what is wrong, with the line where it stands."""
        line = self._line(where, key, number)
        spot = f"{where}{'' if number is None else f' {number + 1}'}"
        shown = clean_name(f"line {line}: {spot}.{key}" if line else f"{spot}.{key}", 120)
        self.problems.append(Problem(shown, message, self.name))

    def _line(self, where: str, key: str, number: int | None) -> int | None:
        """Return the line of a key in a table, from 1; of the table itself where the key is not found."""
        if number is None:
            head = re.search(rf"^\s*\[\s*{where}\s*\]", self.text, re.MULTILINE)
        else:
            head = next((found for at, found in enumerate(_TABLE.finditer(self.text)) if at == number), None)
        if head is None:
            return None
        after = re.compile(r"^\s*\[", re.MULTILINE).search(self.text, head.end())
        body_end = after.start() if after else len(self.text)
        body = self.text[head.end() : body_end]
        found = re.search(rf"^\s*\"?{re.escape(key)}\"?\s*=", body, re.MULTILINE)
        at = head.end() + found.end() if found else head.end()
        return self.text.count("\n", 0, at) + 1


def read_evidence(name: str, text: str, *, own: bool) -> tuple[tuple[Figure, ...], tuple[Problem, ...]]:
    """Return the figures of a file that can be used, and what is wrong with the rest.

    Args:
        name: of the file, for problems.
        text: what is in it.
        own: it is the user's.
    """
    reading = _Reading(name, text)
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return (), (Problem("", f"is no TOML: {clean_name(str(error))}", name),)
    for key in table.keys() - {"source", "setting", "figure"}:
        reading.problems.append(Problem(clean_name(key, 60), "is not known: source, setting and figure are", name))
    source = _source(reading, table.get("source"), own=own)
    if source is None:
        return (), tuple(reading.problems)
    setting = _setting(reading, table.get("setting", {}))
    entries = table.get("figure", [])
    if not isinstance(entries, list):
        return (), (*reading.problems, Problem("figure", "is no list of tables: write [[figure]]", name))
    if len(entries) > MOST_FIGURES:
        reading.problems.append(Problem("figure", f"only the first {MOST_FIGURES} of {len(entries)} are used", name))
    found = (_figure(reading, number, entry, setting, source) for number, entry in enumerate(entries[:MOST_FIGURES]))
    return tuple(figure for figure in found if figure is not None), tuple(reading.problems)


def _source(reading: _Reading, table: Any, *, own: bool) -> Source | None:
    if not isinstance(table, dict):
        reading.problems.append(Problem("source", "is missing: a figure without its source is not shown", reading.name))
        return None
    texts = _texts(reading, "source", table, _SOURCE_TEXTS)
    for key in table.keys() - {*_SOURCE_TEXTS, "charted"}:
        reading.tell("source", key, "is not known")
    missing = [key for key in _NEEDED if not texts.get(key)]
    for key in missing:
        reading.tell("source", key, "is missing: a figure without it is not shown")
    if texts.get("url") and not _URL.fullmatch(texts["url"]):
        reading.tell("source", "url", "is no address of the web")
        texts["url"] = ""
    charted = table.get("charted", own)
    if missing:
        return None
    return Source(
        id=texts.get("id") or reading.name, title=texts["title"], url=texts.get("url", ""), licence=texts["licence"],
        date=texts.get("date", ""), note=texts.get("note", ""), charted=charted is True, own=own,
    )  # fmt: skip


def _setting(reading: _Reading, table: Any) -> Setting:
    if not isinstance(table, dict):
        reading.problems.append(Problem("setting", "is no table", reading.name))
        table = {}
    for key in table.keys() - {*_SETTING_TEXTS, "context"}:
        reading.tell("setting", key, "is not known")
    return _with(Setting("", ""), reading, "setting", table)


def _with(
    setting: Setting, reading: _Reading, where: str, table: Mapping[str, Any], number: int | None = None
) -> Setting:
    """Return a setting with what a table says of it."""
    changed: dict[str, Any] = dict(_texts(reading, where, table, _SETTING_TEXTS, number))
    if "context" in table:
        context = table["context"]
        if isinstance(context, int) and not isinstance(context, bool) and 0 < context < 1 << 24:
            changed["context"] = context
        else:
            reading.tell(where, "context", "is no number of tokens", number)
    names = {each.name for each in fields(Setting)}
    return replace(setting, **{key: value for key, value in changed.items() if key in names})


def _texts(
    reading: _Reading, where: str, table: Mapping[str, Any], keys: tuple[str, ...], number: int | None = None
) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in keys:
        value = table.get(key)
        if isinstance(value, str):
            found[key] = clean_name(value.strip(), LONGEST)
        elif value is not None:
            reading.tell(where, key, "is no text", number)
    return found


def _figure(reading: _Reading, number: int, table: Any, common: Setting, source: Source) -> Figure | None:
    if not isinstance(table, dict):
        reading.tell("figure", "", "is no table", number)
        return None
    texts = _texts(reading, "figure", table, ("quant", "matrix", "recipe"), number)
    setting = _with(common, reading, "figure", table, number)
    if not texts.get("quant"):
        reading.tell("figure", "quant", "is missing", number)
        return None
    for key, value in (("model", setting.model), ("data", setting.data)):
        if not value:
            reading.tell("figure", key, "is missing, here and in [setting]: without it a figure means nothing", number)
            return None
    imatrix = table.get("imatrix")
    if imatrix is not None and not isinstance(imatrix, bool):
        reading.tell("figure", "imatrix", "is neither true nor false", number)
        imatrix = None
    values = _values(reading, number, table)
    if not any(key in METRICS for key in values):
        reading.tell("figure", "quant", f"has no figure: one of {', '.join(METRICS)}", number)
        return None
    return Figure(
        texts["quant"], setting, source, values, imatrix, texts.get("matrix", ""), texts.get("recipe", "")
    )  # fmt: skip


def _values(reading: _Reading, number: int, table: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a figure that can be right."""
    values: dict[str, float] = {}
    for key, value in table.items():
        if key in _OF_A_FIGURE:
            continue
        metric = METRICS.get(key.removesuffix(_STDERR))
        if metric is None:
            reading.tell("figure", key, "is not known", number)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            reading.tell("figure", key, "is no number", number)
        elif key.endswith(_STDERR) and value < 0:
            reading.tell("figure", key, "is negative", number)
        elif not key.endswith(_STDERR) and not metric.lowest <= value <= metric.highest:
            reading.tell("figure", key, f"is not between {metric.lowest:g} and {metric.highest:g}", number)
        else:
            values[key] = float(value)
    return values
