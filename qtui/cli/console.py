"""Where verbs write: answers on stdout, progress and errors on stderr, and nothing that a terminal would act on."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TextIO

from qtui.cli.tables import cut
from qtui.core.errors import Failure, QtuiError
from qtui.core.memory.warnings import PlanWarning
from qtui.core.text import clean

SCHEMA = 1


class OutputLostError(QtuiError):
    """Standard output takes nothing: its disk is full."""

    kind = "output"


@dataclass(slots=True)
class Console:
    """Two streams, and what is known of them. `as_json` keeps everything but one object off stdout."""

    as_json: bool = False
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    _progress: bool = field(default=False, repr=False)
    _column: int = field(default=0, repr=False)
    _answered: bool = field(default=False, repr=False)
    _drawn: int = field(default=0, repr=False)
    _size: tuple[int, int] = field(default=(0, 0), repr=False)

    @property
    def width(self) -> int | None:
        """Return the columns of the terminal on stdout, None where there is none: then nothing is cut."""
        return shutil.get_terminal_size().columns if self.stdout.isatty() else None

    def print(self, text: str = "") -> None:
        """Write a line on stdout; nothing under --json."""
        self.stream(text + "\n")

    def stream(self, text: str) -> None:
        """Write text on stdout as it comes; nothing under --json."""
        if not self.as_json and text:
            self.end_progress()
            self._write(clean(text))
            self._column = 0 if text.endswith("\n") else 1

    def end_line(self) -> None:
        """End a streamed line that has no end yet."""
        if self._column:
            self.stream("\n")

    def note(self, text: str) -> None:
        """Write a line on stderr."""
        self.end_progress()
        if self._column and self.stdout.isatty():  # a half-written answer stands on the same screen
            self.end_line()
        self.stderr.write(clean(text) + "\n")
        self.stderr.flush()

    def warn(self, warnings: Sequence[PlanWarning], who: str = "") -> None:
        """Write on stderr what will not go as a plan says."""
        for warning in warnings:
            self.note(f"{who}warning: {warning.text}")

    def thinking(self, text: str) -> None:
        """Write thinking on stderr, dimmed on a terminal that wants colour."""
        self.end_progress()
        plain = clean(text)
        dim = self.stderr.isatty() and not os.environ.get("NO_COLOR")
        self.stderr.write(f"\x1b[2m{plain}\x1b[22m" if dim else plain)
        self.stderr.flush()

    def progress(self, text: str) -> None:
        """Replace the line of progress on stderr; only on a terminal, and not under a half-written answer."""
        if not self.stderr.isatty() or self._column:
            return
        columns = shutil.get_terminal_size().columns
        self.stderr.write("\r\x1b[2K" + clean(text).replace("\n", " ")[: columns - 1])
        self.stderr.flush()
        self._progress = True

    def end_progress(self) -> None:
        """Take the line of progress away."""
        if self._progress:
            self.stderr.write("\r\x1b[2K")
            self.stderr.flush()
            self._progress = False

    def redraw(self, lines: Sequence[str]) -> None:
        """Draw lines on stdout, a terminal, in place of those that were drawn before; cut to its size."""
        size = shutil.get_terminal_size()
        known = ((0, 0), (size.columns, size.lines))
        if self._size not in known:  # what was drawn before has been wrapped anew
            self._write("\x1b[2J\x1b[H")
            self._drawn = 0
        kept = [cut(clean(line).replace("\n", " "), size.columns - 1) for line in lines[: size.lines - 1]]
        back = f"\x1b[{self._drawn}A" if self._drawn else ""
        self._write("\x1b[?25l" + back + "".join(f"\r\x1b[2K{line}\n" for line in kept) + "\x1b[J")
        self._drawn, self._size = len(kept), (size.columns, size.lines)

    def end_redraw(self) -> None:
        """Leave what was drawn last, and show the cursor again."""
        if self._drawn:
            self._write("\x1b[?25h")
            self._drawn = 0

    def json(self, body: Mapping[str, Any]) -> None:
        """Print the one object of --json, and never a second; without it nothing."""
        if self.as_json and not self._answered:
            self._answered = True
            self._write(json_text({"schema": SCHEMA, **body}) + "\n")

    def _write(self, text: str) -> None:
        """Write on stdout at once.

        Raises:
            BrokenPipeError: nobody reads it any more.
            OutputLostError: it cannot be written.
        """
        try:
            self.stdout.write(text)
            self.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            hint = "free some space, or write it elsewhere"
            raise OutputLostError(f"cannot write the output: {error.strerror}", hint) from error

    def failure(self, failure: Failure) -> None:
        """Say on stderr what failed, then the hint, then the engine's last lines."""
        self.note(f"qtui: {failure.message}")
        if failure.hint:
            self.note(f"hint: {failure.hint}")
        for line in failure.log:
            self.note(f"  | {line}")


def json_text(body: Mapping[str, Any]) -> str:
    """Return one line of JSON in which no character acts on a terminal: all but printable ASCII is escaped."""
    text = json.dumps(body, ensure_ascii=True, allow_nan=False, default=str)
    return text.replace("\x7f", "\\u007f")
