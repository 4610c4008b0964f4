"""Reports that the app keeps in the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from qtui.core.duel.export import Report
from qtui.core.errors import QtuiError, UsageError
from qtui.services.paths import data_dir
from qtui.services.reports import keep_report


@pytest.mark.parametrize("kind", [".md", ".html", ".json"])
async def test_a_report_is_kept_for_its_owner_alone(kind: str) -> None:
    path = Path(await keep_report(Report.of("qtui history"), kind))
    assert path.parent == data_dir() / "reports"
    assert path.name.startswith("history-")
    assert "qtui history" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


async def test_another_kind_is_refused() -> None:
    with pytest.raises(UsageError):
        await keep_report(Report.of("qtui history"), ".exe")


async def test_a_file_in_the_folders_place_is_reported_and_left() -> None:
    (data_dir() / "reports").write_text("mine")
    with pytest.raises(QtuiError, match="cannot use the folder"):
        await keep_report(Report.of("qtui history"), ".md")
    assert (data_dir() / "reports").read_text() == "mine"
