"""Python's logging into qtui's own log: never onto the screen, and no error when it cannot be written."""

from __future__ import annotations

import logging

from qtui.core.secrets import masked
from qtui.core.text import clean
from qtui.services.journal import note

MOST_LINES = 200
"""Of one record: a traceback is kept, a flood is not."""


class JournalHandler(logging.Handler):
    """Writes each record as lines of the log, with what looks like a secret masked."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            text = self.format(record)
        except (TypeError, ValueError, KeyError):  # arguments that do not fit the message
            text = f"{record.levelname.lower()} {record.name}: {record.msg!r}"
        for line in clean(masked(text)).splitlines()[:MOST_LINES]:
            note(line)


def start_log(level: str) -> None:
    """Send all logging and all warnings of this process to the log.

    Args:
        level: how much qtui itself says (`debug`, `info`, `warning`, `error`); libraries say warnings and errors.
    """
    root = logging.getLogger()
    if not any(isinstance(handler, JournalHandler) for handler in root.handlers):
        handler = JournalHandler()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("qtui").setLevel(level.upper())
    logging.raiseExceptions = False  # logging's own troubles would go to the screen
    logging.captureWarnings(True)
