"""Writes reports: Markdown, JSON or HTML, by the end of the file's name."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from pathlib import Path

from qtui.core.duel.export import Report, markdown, report_kind
from qtui.core.duel.html_report import html_report
from qtui.core.text import clean_name
from qtui.services.files import write_atomic
from qtui.services.paths import reports_dir


async def write_report(name: str, report: Report) -> None:
    """Write a report, whole or not at all.

    Raises:
        UsageError: the name says no kind of report.
        QtuiError: it cannot be written; what was there is untouched.
    """
    kind = report_kind(name)
    await asyncio.to_thread(_write, Path(name), kind, report)


def _write(path: Path, kind: str, report: Report) -> None:
    if kind == ".md":
        text = markdown(report)
    elif kind == ".html":
        text = html_report(report)
    else:
        text = json.dumps({"schema": 1, **report.as_json()}, ensure_ascii=False, indent=1) + "\n"
    write_atomic(path, text.encode("utf-8", "replace"))


async def keep_report(report: Report, kind: str) -> str:
    """Write a report into the data folder under a name that tells when; return where it is, clean.

    Raises:
        QtuiError: it cannot be written.
    """
    folder = await asyncio.to_thread(reports_dir)
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    path = folder / f"history-{moment}{kind}"
    await write_report(str(path), report)
    return clean_name(str(path), 400)
