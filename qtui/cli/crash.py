"""What is left of an exception that nobody expected: a sentence for the user, and a traceback in a private log."""

from __future__ import annotations

import os
import time
import traceback

from qtui.core.errors import Failure, QtuiError
from qtui.core.secrets import masked
from qtui.core.text import clean


def crash_report(error: BaseException) -> Failure:
    """Write the traceback, without locals, to a log of its own, and return what to say instead of it."""
    said = clean(masked(f"{type(error).__name__}: {error}")).replace("\n", " ")[:300]
    try:
        from qtui.services.paths import log_dir

        path = log_dir() / f"qtui-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="replace") as stream:
            stream.write(clean(masked("".join(traceback.format_exception(error)))))
    except (OSError, QtuiError, ImportError):  # a broken installation may lack what the log's place needs
        return Failure(f"something unexpected happened: {said}", "no log could be written", "internal")
    return Failure(f"something unexpected happened: {said}", f"please report it with {path}", "internal")
