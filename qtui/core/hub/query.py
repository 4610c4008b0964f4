"""Query: what is looked for on the Hub, and one page of what was found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from qtui.core.errors import UsageError
from qtui.core.hub.repository import Repository

GGUF = "gguf"
MAX_TEXT = 200
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_WORD = re.compile(r"[\w.+ -]{0,100}")


class Sort(StrEnum):
    """What repositories are sorted by, the most or the latest first."""

    TRENDING = "trending"
    DOWNLOADS = "downloads"
    LIKES = "likes"
    UPDATED = "updated"
    CREATED = "created"


@dataclass(frozen=True, slots=True)
class Query:
    """A search for repositories. Every field narrows it; empty or None: any."""

    text: str = ""
    """Words of the name."""
    author: str = ""
    architecture: str = ""
    """As GGUF headers name it: `llama`, `qwen3moe`. The Hub cannot search for it: found pages are sifted."""
    licence: str = ""
    """As the Hub names it: `apache-2.0`."""
    least_parameters: int | None = None
    most_parameters: int | None = None
    sort: Sort = Sort.TRENDING
    gguf_only: bool = True
    base_model: str = ""
    """`owner/name` of the model that they are quants of."""

    def check(self) -> None:
        """Raise where the Hub could not be asked for this.

        Raises:
            UsageError: a word with other characters than names have, or bounds that leave nothing.
        """
        if len(self.text) > MAX_TEXT:
            raise UsageError(f"the search text is longer than {MAX_TEXT} characters", "name fewer words")
        for what, word in (("author", self.author), ("architecture", self.architecture), ("licence", self.licence)):
            if not _WORD.fullmatch(word):
                raise UsageError(f"no {what} has such a name", "letters, digits, `.`, `-` and `_` are used")
        low, high = self.least_parameters, self.most_parameters
        if low is not None and high is not None and low > high:
            raise UsageError("the least number of parameters is larger than the most", "give them as 7B-14B")


@dataclass(frozen=True, slots=True)
class ResultPage:
    """One page of what a search found."""

    repositories: tuple[Repository, ...]
    next: str = ""
    """What names the page after it to `Hub.search`; empty: this is the last."""
    cached: bool = False
    """It was asked for not long ago, and is shown as it was then."""


_TERMS = {"author": "author", "by": "author", "arch": "architecture", "architecture": "architecture",
          "licence": "licence", "license": "licence"}  # fmt: skip


def parse_query(text: str) -> Query:
    """Parse what is typed into one line: words, `author:unsloth`, `arch:qwen3`, `licence:mit`, `params:7B-14B`.

    Raises:
        UsageError: a range of parameters that is none.
    """
    words: list[str] = []
    found: dict[str, str] = {}
    least = most = None
    for word in text.split():
        key, colon, value = word.partition(":")
        field = _TERMS.get(key.casefold())
        if colon and value and field is not None:
            found[field] = value
        elif colon and value and key.casefold() in ("params", "parameters"):
            least, most = parse_parameters(value)
        else:
            words.append(word)
    return Query(
        text=" ".join(words), author=found.get("author", ""), architecture=found.get("architecture", ""),
        licence=found.get("licence", ""), least_parameters=least, most_parameters=most,
    )  # fmt: skip


def parse_parameters(text: str) -> tuple[int | None, int | None]:
    """Parse `7B`, `7B-14B`, `7B-`, `-14B` into bounds; a number alone stands for what rounds to it.

    Raises:
        UsageError: it is none of these.
    """
    match = re.fullmatch(r"\s*(?:(\d+(?:\.\d+)?)([KMBT]?))?\s*(-)?\s*(?:(\d+(?:\.\d+)?)([KMBT]?))?\s*", text.upper())
    if match is None or not (match[1] or match[4]) or (match[4] and not match[3]):
        raise UsageError("not a range of parameters", "such as 7B-14B, 7B-, -14B or 8B")
    low = round(float(match[1]) * _UNITS[match[2] or match[5] or ""]) if match[1] else None
    high = round(float(match[4]) * _UNITS[match[5] or ""]) if match[4] else None
    if low is not None and not match[3]:  # `8B` finds 7.6 and 8.2 billion
        return round(low * 0.9), round(low * 1.1)
    return low, high
