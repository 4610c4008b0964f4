"""The help pages that ship with qtui."""

from __future__ import annotations

from pathlib import Path

import qtui
from qtui.core.help_pages import HelpPage, help_page

SHIPPED = Path(qtui.__file__).parent / "data" / "help"


def read_help() -> tuple[HelpPage, ...]:
    """Read the pages, in the order of their files' numbers."""
    return tuple(help_page(path.name, path.read_text(encoding="utf-8")) for path in sorted(SHIPPED.glob("*.md")))
