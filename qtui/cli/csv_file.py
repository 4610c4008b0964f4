"""A file of samples as comma-separated values, for spreadsheets and plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

from qtui.core.errors import QtuiError
from qtui.core.monitor.alarms import Alarm
from qtui.core.monitor.columns import head, row
from qtui.core.monitor.history import Moment
from qtui.core.text import clean, clean_name


class CsvFile:
    """A table that is written row by row, and can be read while it grows.

    Raises:
        QtuiError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stream: TextIO | None = None
        self._gpus = 0

    def write(self, moment: Moment, alarms: Sequence[Alarm]) -> None:
        """Add a row, under the names of the columns when it is the first."""
        try:
            if self._stream is None:
                self._stream = self._path.open("w", encoding="utf-8", newline="")
                self._gpus = len(moment.sample.gpus)
                self._stream.write(head(self._gpus))
            self._stream.write(row(moment, self._gpus, [alarm.kind.value for alarm in alarms]))
            self._stream.flush()
        except OSError as error:
            raise QtuiError(
                f"cannot write {clean_name(str(self._path))}: {clean(error.strerror or str(error))}",
                "check the free space and the permissions of the folder",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
