"""Whether files that are here are what they should be: by size and by SHA-256."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from qtui.core.downloads.expected import Expected, Source
from qtui.core.downloads.ports import Checksums
from qtui.core.errors import BadFileError
from qtui.core.hub.events import Listed, Waiting
from qtui.core.hub.ports import Hub
from qtui.core.hub.reading import list_repository


class Outcome(StrEnum):
    """What a check found."""

    OK = "ok"
    WRONG_SIZE = "wrong_size"
    DAMAGED = "damaged"
    """The size is right and the bytes are not."""
    UNKNOWN = "unknown"
    """There is nothing to compare with."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Checked:
    """One file that was looked at."""

    expected: Expected
    outcome: Outcome
    sha256: str | None = None
    """Of the bytes that are here; None: they were not read, because the size is wrong or they cannot be."""
    problem: str = ""
    """Why it cannot be read, clean."""

    def as_json(self) -> dict[str, Any]:
        """Return one of the `files` of `qtui verify --json`."""
        return {
            "path": str(self.expected.path),
            "outcome": self.outcome.value,
            "size": self.expected.here,
            "sha256": self.sha256,
            "expected_size": self.expected.size,
            "expected_sha256": self.expected.sha256,
            "source": self.expected.source.value if self.expected.source else None,
            "problem": self.problem or None,
        }


@dataclass(frozen=True, slots=True)
class VerifyProgressed:
    """So much was read."""

    done: int
    """Bytes of all files."""
    total: int


VerifyEvent = Waiting | VerifyProgressed | Checked


async def verify(checksums: Checksums, files: Sequence[Expected]) -> AsyncGenerator[VerifyEvent]:
    """Read files one after the other: VerifyProgressed…, and a Checked for each; a wrong size is not read."""
    total = sum(file.here or 0 for file in files)
    done = 0
    for file in files:
        yield VerifyProgressed(done, total)
        sha256, problem = None, ""
        if file.size is None or file.here == file.size:
            try:
                async with aclosing(checksums.digest(file.path)) as reading:
                    async for step in reading:
                        if isinstance(step, str):
                            sha256 = step
                        else:
                            yield VerifyProgressed(done + step, total)
            except BadFileError as error:
                problem = error.message
        yield Checked(file, _outcome(file, sha256), sha256, problem)
        done += file.here or 0


async def ask_hub(
    hub: Hub, files: Sequence[Expected], repository: str = ""
) -> AsyncGenerator[Waiting | list[Expected]]:
    """Ask the Hub what files should be of which nothing here tells; ends with all files.

    Args:
        hub: the Hub.
        files: those that the Hub need not be asked about stay as they are.
        repository: where files came from whose place does not tell.

    Raises:
        HubError: a repository cannot be seen.
    """
    result = list(files)
    names = {file.repository or repository for file in files if file.sha256 is None} - {""}
    for name in sorted(names):
        async for event in list_repository(hub, name, ()):
            if isinstance(event, Waiting):
                yield event
            elif isinstance(event, Listed):
                listed = {one.path: one for row in event.listing.all for one in row.files}
                for index, file in enumerate(result):
                    if file.sha256 is None and (file.repository or repository) == name:
                        found = [one for path, one in listed.items() if path.rpartition("/")[2] == file.path.name]
                        exact = [one for one in found if file.path.as_posix().endswith(f"/{one.path}")]
                        best = max(exact, key=lambda one: len(one.path), default=found[0] if len(found) == 1 else None)
                        if best is not None and best.sha256:
                            result[index] = replace(file, size=best.size, sha256=best.sha256, source=Source.HUB)
    yield result


def _outcome(file: Expected, sha256: str | None) -> Outcome:
    if file.here is None:
        return Outcome.UNREADABLE
    if file.size is not None and file.here != file.size:
        return Outcome.WRONG_SIZE
    if sha256 is None:
        return Outcome.UNREADABLE
    if file.sha256 is None:
        return Outcome.UNKNOWN
    return Outcome.OK if sha256 == file.sha256 else Outcome.DAMAGED
