"""What verbs keep of the rounds that they run, and the report that `--out` writes of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from qtui.cli.running import Context
from qtui.core.duel.ballot import Vote
from qtui.core.duel.conversation import Sampling
from qtui.core.duel.export import Report, report_kind
from qtui.core.duel.measured import Measured
from qtui.core.duel.records import RoundRecord, SuiteRecord
from qtui.core.duel.run import RoundEnded
from qtui.core.errors import QtuiError
from qtui.core.text import clean_name


def check_report(name: str) -> None:
    """Refuse a report that could not be written, before anything is computed for it.

    Raises:
        UsageError: the name says no kind of report.
        QtuiError: there is no such folder, or nothing may be written there.
    """
    report_kind(name)
    path = Path(name).absolute()
    if not path.parent.is_dir():
        raise QtuiError(f"cannot write {clean_name(name, 400)}: its folder is not there", "make the folder first")
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise QtuiError(f"cannot write {clean_name(name, 400)}", "give a file in a folder that you may write")


class Kept:
    """Keeps rounds in the history, and for the report of this run."""

    def __init__(self, context: Context, sampling: Sampling) -> None:
        self._context = context
        self.sampling = sampling
        self.keeper = context.services.keeper(lambda line: context.console.note(f"note: {line}"))
        self._rounds: list[RoundRecord] = []

    async def add(self, ended: RoundEnded, *, blind: bool = False, vote: Vote | None = None) -> None:
        """Keep a round."""
        if not self.keeper.keeps and getattr(self._context.options, "out", None) is None:
            return
        system = getattr(self._context.options, "system", "")
        record = await self.keeper.record(ended, self.sampling, system=system, blind=blind, vote=vote)
        self._rounds.insert(0, record)
        await self.keeper.keep(record)

    async def report(self, *, measured: Measured | None = None, suites: Sequence[SuiteRecord] = ()) -> None:
        """Write what `--out` asks for; it holds the texts whatever the history keeps."""
        name = self._context.options.out
        if name is None:
            return
        titles = [side.party.title for record in self._rounds[:1] for side in record.sides]
        titles = titles or [party.title for suite in suites for party in suite.parties]
        title = " against ".join(titles) or "qtui duel"
        await self._context.services.write_report(name, Report.of(title, self._rounds, suites, measured))
        self._context.console.note(f"the report is in {clean_name(name)}")
