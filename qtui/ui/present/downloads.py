"""Downloads as rows and words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from qtui.core.downloads.download import Download, State
from qtui.core.rate import left_text
from qtui.core.text import MIB, clean_name
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import bar, gib, joined, name
from qtui.ui.running import Running

MARK_WIDTH = 2
COLUMNS = (
    Column("DOWNLOAD", 14, grows=1),
    Column("SIZE", 6, right=True),
    Column("DONE", 5, right=True),
    Column("MIB/S", 6, right=True, drop=2),
    Column("LEFT", 12, right=True, drop=1),
    Column("STATE", 8),
)
LEGEND = "sizes in GiB; the first that waits is the next to start"
NOTHING = "No downloads. On a row of the Hub, enter fetches it.\nIn a shell: qtui pull REPO:QUANT"
WORDS = {
    State.QUEUED: ("waits", "$foreground-muted"),
    State.RUNNING: ("fetching", "$text-accent"),
    State.VERIFYING: ("checking", "$text-accent"),
    State.PAUSED: ("paused", "$text-warning"),
    State.DONE: ("here", "$text-success"),
    State.FAILED: ("failed", "$text-error"),
}
BAR = 24


def download_rows(downloads: Iterable[Download]) -> list[Row]:
    """Return one row per download, in the order of the queue."""
    return [Row(one.id, _cells(one)) for one in downloads]


def download_lines(download: Download | None, doomed: bool = False, problem: str = "") -> Content:
    """Return what is to be said of one download: how far, what happened, where to, what went wrong."""
    if download is None:
        return Content.styled(NOTHING, "$foreground-muted")
    count = len(download.files)
    files = f"{count} files" if count > 1 else name(download.files[0].name, limit=120)
    place = name(download.folder, limit=200) if download.folder else "HF cache"
    lines = [
        joined([Content.styled(f"{bar(download.fraction, BAR)}", "$text-accent") + f" {_percent(download)}", files]),
        joined([name(download.repository), f"commit {clean_name(download.commit[:8])}", Content("into ") + place]),
    ]
    if download.note:
        lines.append(name(download.note, "$text-warning"))
    if download.failure is not None:
        style = "$text-error" if download.state is State.FAILED else "$text-warning"
        lines += [name(download.failure.message, style, 300), name(download.failure.hint, "$foreground-muted", 300)]
    if doomed:
        lines.append(Content.styled("x again: cancel it and remove what came of it", "$text-error"))
    if problem:
        lines.append(name(problem, "$text-warning", 300))
    return Content("\n").join([line for line in lines if line])


def running_downloads(downloads: Sequence[Download]) -> tuple[Running, ...]:
    """Return what quitting does to the downloads that a child works on."""
    return tuple(
        Running(
            f"{clean_name(one.title)} is being downloaded, {_percent(one)}",
            "what came is kept",
            "it goes on from there when qtui is started again",
        )
        for one in downloads
        if one.active
    )


def _cells(download: Download) -> tuple[Content | None, ...]:
    word, style = WORDS[download.state]
    rate = "" if download.rate is None else f"{download.rate / MIB:.1f}"
    return (
        name(download.title, limit=120),
        Content(gib(download.size)),
        Content(_percent(download)),
        Content(rate),
        Content(left_text(download.time_left)),
        Content.styled(word, style),
    )


def _percent(download: Download) -> str:
    """Return the share that is here; 100 % only when all is."""
    return f"{download.done * 100 // download.size} %"
