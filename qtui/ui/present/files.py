"""Files of a variant: what deleting it would take away, and whether they are what they should be."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.downloads.verify import Checked, Outcome, VerifyProgressed
from qtui.core.library.removal import Mechanism, Removal
from qtui.core.sessions import SessionSeen
from qtui.core.text import clean_name, duration, size
from qtui.ui.present.words import bar, joined, name

OUTCOMES = {
    Outcome.OK: ("as it should be", "$text-success"),
    Outcome.WRONG_SIZE: ("has another size than it should have", "$text-error"),
    Outcome.DAMAGED: ("damaged: its bytes are others than they should be", "$text-error"),
    Outcome.UNKNOWN: ("no checksum is known for this file: it is not from the Hub; its sha256 is", "$text-warning"),
    Outcome.UNREADABLE: ("cannot be read", "$text-error"),
}
BAR = 30


def removal_text(removal: Removal, holders: Sequence[SessionSeen] = (), sides: str = "") -> Content:
    """Return what goes, what stays and why, and what that frees; or who has it loaded, so that nothing goes yet.

    `sides`: those of the Arena that it stands on.
    """
    variant = removal.variant
    lines = [
        joined([name(variant.title, "bold", 100), size(variant.size), name(variant.source, limit=100)]),
        Content(""),
    ]
    if holders:
        return Content("\n").join([*lines, *_held_lines(holders, sides)])
    for one in removal.doomed:
        how = Content.styled("  by huggingface_hub", "$foreground-muted")
        path = name(str(one.path), limit=400)
        lines.append(Content("deletes  ") + path + (how if one.mechanism is Mechanism.HF_CACHE else ""))
    for kept, reason in removal.kept:
        lines.append(Content("keeps    ") + name(str(kept), limit=400) + name(f": {reason}", "$foreground-muted", 200))
    for command in removal.commands:
        lines += [Content("Its owner alone may delete it. Run:"), name(f"    {' '.join(command)}", "bold", 400)]
    if removal.doomed:
        other = "" if removal.frees else ": another name keeps the bytes"
        lines += [Content(""), Content.assemble("frees    ", (size(removal.frees), "bold"), other)]
    elif not removal.commands:
        lines += [Content(""), Content.styled("Nothing of it can be deleted from here.", "$text-warning")]
    return Content("\n").join(lines)


def _held_lines(holders: Sequence[SessionSeen], sides: str) -> list[Content]:
    """Return who has a file loaded, and how to end that from here."""
    lines = []
    for seen in holders:
        if seen.own:
            where = f"on side {' and '.join(sides)} of the Arena" if sides else "by this qtui"
        else:
            where = f"by a session of another qtui ({clean_name(seen.record.id, 40)})"
        lines.append(Content.styled(f"It is loaded {where}.", "$text-warning"))
    lines += [
        Content("Nothing of it is deleted while it is loaded."),
        Content(""),
        Content("Close this, go to Monitor, choose the session and press s: that stops it. Then delete the file."),
    ]
    return lines


def verify_text(checked: Sequence[Checked], progress: VerifyProgressed | None, left_s: float | None) -> Content:
    """Return what was found so far, and how far the reading has come."""
    lines: list[Content] = []
    for one in checked:
        words, style = OUTCOMES[one.outcome]
        lines.append(name(one.expected.path.name, "bold", 200))
        source = f", by {one.expected.source.value}" if one.expected.source else ""
        lines.append(Content("  ") + Content.styled(words + source, style))
        if one.outcome is Outcome.WRONG_SIZE:
            lines.append(Content(f"  {one.expected.here} bytes here, {one.expected.size} expected"))
        if one.problem:
            lines.append(Content("  ") + name(one.problem, limit=300))
        if one.sha256:  # on a line of its own: it is copied, and fits no other
            said = [] if one.outcome is Outcome.UNKNOWN else [Content.styled("  sha256", "$foreground-muted")]
            lines += [*said, Content.styled(one.sha256, "$foreground-muted")]
    if progress is not None and progress.total:
        share = progress.done / progress.total
        line = Content.assemble((bar(share, BAR), "$primary"), f" {100 * share:.0f} % of {size(progress.total)}")
        lines.append(line + (f", {duration(left_s)} left" if left_s is not None else ""))
    return Content("\n").join(lines) if lines else Content.styled("looking…", "$foreground-muted")
