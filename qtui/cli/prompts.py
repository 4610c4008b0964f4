"""Prompts from a file, one a line."""

from __future__ import annotations

from pathlib import Path

from qtui.core.errors import BadFileError, UsageError
from qtui.core.text import clean, clean_name

MAX_PROMPTS_BYTES = 16 << 20


def prompts_of_file(file: str) -> list[str]:
    """Return the lines of a file that are not empty.

    Raises:
        BadFileError: it cannot be read.
        UsageError: it is too large, or holds none.
    """
    try:
        with Path(file).open("rb") as stream:
            body = stream.read(MAX_PROMPTS_BYTES + 1)
    except OSError as error:
        raise BadFileError(
            f"cannot read {clean_name(file)}: {clean(error.strerror or str(error))}", "a text file, one prompt per line"
        ) from error
    if len(body) > MAX_PROMPTS_BYTES:
        raise UsageError(f"{clean_name(file)} is larger than 16 MiB", "a text file, one prompt per line")
    lines = [line.strip() for line in body.decode("utf-8-sig", "replace").splitlines()]
    prompts = [line for line in lines if line]
    if not prompts:
        raise UsageError(f"{clean_name(file)} holds no prompt", "one prompt per line")
    return prompts
