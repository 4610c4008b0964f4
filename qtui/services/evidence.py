"""The files of figures: those that ship with qtui, and the user's own."""

from __future__ import annotations

import stat
from pathlib import Path

import qtui
from qtui.core.advice.evidence import Evidence, Figure
from qtui.core.advice.evidence_file import read_evidence
from qtui.core.settings import Problem
from qtui.core.text import MIB, clean, clean_name
from qtui.services import paths

SHIPPED = Path(qtui.__file__).parent / "data" / "evidence"
MOST_BYTES = MIB
MOST_FILES = 200


class EvidenceFiles:
    """Reads figures.

    Args:
        own: the folder of the user's; by default `evidence` in qtui's config folder.
    """

    def __init__(self, own: Path | None = None) -> None:
        self._own = own

    @property
    def own(self) -> Path:
        """Return where the user's files are."""
        return self._own or paths.config_path() / "evidence"

    def load(self) -> tuple[Evidence, tuple[Problem, ...]]:
        """Read all files, the user's first; never fails: what cannot be used is a problem, and the rest counts."""
        figures: list[Figure] = []
        problems: list[Problem] = []
        for folder, own in ((self.own, True), (SHIPPED, False)):
            for path in _files(folder, problems):
                try:
                    text = _text(path)
                except (OSError, ValueError) as error:
                    problems.append(Problem("", f"cannot be read: {_said(error)}", clean_name(str(path), 400)))
                    continue
                found, wrong = read_evidence(clean_name(str(path), 400), text, own=own)
                figures += found
                problems += wrong
        return Evidence(figures), tuple(problems)


def _files(folder: Path, problems: list[Problem]) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except FileNotFoundError:
        return []
    except OSError as error:
        problems.append(Problem("", f"cannot be read: {_said(error)}", clean_name(str(folder), 400)))
        return []
    if len(found) > MOST_FILES:
        problems.append(Problem("", f"only {MOST_FILES} of {len(found)} files are read", clean_name(str(folder), 400)))
    return found[:MOST_FILES]


def _text(path: Path) -> str:
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
        raise ValueError("it is no file")
    with path.open("rb") as stream:
        raw = stream.read(MOST_BYTES + 1)
    if len(raw) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // MIB} MiB")
    return raw.decode("utf-8-sig")


def _said(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return clean(getattr(error, "strerror", None) or str(error))
