"""What advice and help read of files, read when it is first asked for."""

from __future__ import annotations

from collections.abc import Sequence

from qtui.core.advice.evidence import Evidence
from qtui.core.help_pages import HelpPage
from qtui.core.settings import Problem


def read_evidence() -> tuple[Evidence, Sequence[Problem]]:
    """Read the published figures, the user's first, and what of those cannot be used."""
    from qtui.services.evidence import EvidenceFiles

    return EvidenceFiles().load()


def read_help() -> Sequence[HelpPage]:
    """Read the help pages."""
    from qtui.services import help_pages

    return help_pages.read_help()
