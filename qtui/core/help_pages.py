"""Help pages: topics in Markdown, each claim with the number of its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_TITLE = re.compile(r"^# +(.+)$", re.MULTILINE)
_SOURCE = re.compile(r"^(\d+)\. (.*?)(https?://\S+)\s*$", re.MULTILINE)
_BEGINS = re.compile(r"\s*(?:[-*|#>]|\d+\. )")
SOURCES = "## Sources"


@dataclass(frozen=True, slots=True)
class HelpPage:
    """One topic."""

    name: str
    """Its file's name without number and ending: `names`."""
    title: str
    text: str
    """Markdown with its title and its sources."""

    @property
    def body(self) -> str:
        """Return the text without title and sources."""
        return self.text.partition(SOURCES)[0].partition("\n")[2].strip()

    @property
    def flowing(self) -> str:
        """Return the text with each paragraph and list item on one line, for what keeps the line breaks it is given."""
        lines: list[str] = []
        for line in self.text.splitlines():
            goes_on = lines and lines[-1] and line.strip() and not _BEGINS.match(line) and not lines[-1].startswith("#")
            if goes_on:
                lines[-1] += f" {line.strip()}"
            else:
                lines.append(line)
        return "\n".join(lines) + "\n"

    @property
    def sources(self) -> Mapping[int, str]:
        """Return the addresses of its sources by their numbers."""
        return {int(found[1]): found[3] for found in _SOURCE.finditer(self.text.partition(SOURCES)[2])}


def help_page(file_name: str, text: str) -> HelpPage:
    """Return the page of a file, `2-memory.md`."""
    name = re.sub(r"^\d+-", "", file_name).removesuffix(".md")
    title = _TITLE.search(text)
    return HelpPage(name, title[1].strip() if title else name, text)
