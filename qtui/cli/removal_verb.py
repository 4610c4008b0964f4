"""`rm`: deletes a variant, after showing what that takes away."""

from __future__ import annotations

import sys

from qtui.cli.console import Console
from qtui.cli.running import Context
from qtui.core.errors import QtuiError
from qtui.core.library.removal import Mechanism, Removal, check_possible, check_unused
from qtui.core.text import clean_name, size

LONGEST = 400
"""Characters of a path."""


async def rm(context: Context) -> int:
    """Show what deleting a variant means; delete it with `--yes`, or when the user says so at a terminal."""
    console, services = context.console, context.services
    if services.remover is None:
        raise QtuiError("nothing can be deleted here", "delete the file where it lies")
    removal = await services.remover.preview(context.options.variant)
    for line in preview_lines(removal):
        console.print(line)
    if not context.options.yes and (not removal.doomed or not _agreed(console)):
        console.json(removal.as_json(removed=False))
        console.note("nothing was deleted" + ("" if not removal.doomed else "; --yes deletes"))
        return 0
    check_possible(removal)
    check_unused(removal, await services.sessions.list())
    removed = await services.remover.remove(removal)
    console.json(removal.as_json(removed=True))
    many = "1 name" if len(removed.paths) == 1 else f"{len(removed.paths)} names"
    console.print(f"deleted {many}, {size(removed.freed)} freed")
    return 0


def preview_lines(removal: Removal) -> list[str]:
    """Return what goes, what stays, and what that frees."""
    variant = removal.variant
    lines = [f"{variant.title}  {size(variant.size)}  {variant.source}"]
    for one in removal.doomed:
        how = "  (by huggingface_hub)" if one.mechanism is Mechanism.HF_CACHE else ""
        lines.append(f"deletes  {clean_name(str(one.path), LONGEST)}{how}")
    lines += [f"keeps    {clean_name(str(path), LONGEST)}: {reason}" for path, reason in removal.kept]
    lines += [f"run      {' '.join(command)}" for command in removal.commands]
    if removal.doomed:
        other = "" if removal.frees else ": another name keeps the bytes"
        lines.append(f"frees    {size(removal.frees)}{other}")
    return lines


def _agreed(console: Console) -> bool:
    """Ask at a terminal; without one nothing is agreed to."""
    if console.as_json or not (sys.stdin.isatty() and console.stdout.isatty()):
        return False
    console.stream("delete? y/N ")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
