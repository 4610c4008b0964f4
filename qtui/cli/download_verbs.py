"""`pull` and `verify`: files of the Hub onto this machine, and whether they are what they should be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from typing import Any

from qtui.cli.running import Context
from qtui.cli.tables import Table
from qtui.cli.variants import tell_waiting
from qtui.core.downloads.download import Download, State
from qtui.core.downloads.expected import Expected
from qtui.core.downloads.ports import Checksums
from qtui.core.downloads.pulling import Resolved, resolve
from qtui.core.downloads.run import DownloadChanged, DownloadFinished, DownloadRun
from qtui.core.downloads.verify import Checked, Outcome, VerifyProgressed, ask_hub
from qtui.core.downloads.verify import verify as read_files
from qtui.core.errors import BadFileError, Failure, UsageError
from qtui.core.hub.address import Address, parse_address, parse_repository
from qtui.core.hub.events import Waiting
from qtui.core.hub.ports import Hub
from qtui.core.rate import left_text
from qtui.core.text import clean_name, size
from qtui.core.user_path import expanded_path

DIGITS = 12
"""Of a SHA-256 in a table; --json has all."""
SAID = {
    Outcome.OK: "ok",
    Outcome.WRONG_SIZE: "wrong size",
    Outcome.DAMAGED: "damaged",
    Outcome.UNKNOWN: "nothing to compare with",
    Outcome.UNREADABLE: "cannot be read",
}


async def pull(context: Context) -> int:
    """Download a variant; Ctrl-C keeps what came."""
    console, services = context.console, context.services
    run, hub = services.download_run, services.hub
    if run is None or hub is None:
        raise UsageError("nothing can be downloaded here")
    found = await _resolved(context, hub, _address(context.options.variant), _folder(context))
    console.progress(f"looking at {found.download.title}")
    started = monotonic()
    download = await run.add(found.download)
    before = download.done
    if run.problem:
        console.note(f"note: {run.problem}")
    with context.interrupts.stop_first(lambda: run.pause(download.id)):
        download, received = await _followed(context, run, download)
    console.end_progress()
    report = pull_report(download, received, before, monotonic() - started)
    if download.state is State.DONE:
        console.json(report)
        for path in download.paths:
            console.print(path)
        if found.row.projector is not None:
            console.note(f"its projector: qtui pull {found.download.repository}/{found.row.projector.path}")
        return 0
    failure = download.failure
    if failure is None:
        kept = f"{size(download.done)} of {size(download.size)} kept; the same command goes on from there"
        failure = Failure("interrupted", kept, "interrupted")
    console.json(report | {"error": {"message": failure.message, "hint": failure.hint, "kind": failure.kind}})
    console.failure(failure)
    return 1


def pull_report(download: Download, received: int, before: int, elapsed: float) -> dict[str, Any]:
    """Return the shape of `qtui pull --json`."""
    return {
        "repo": download.repository,
        "commit": download.commit,
        "state": download.state.value,
        "files": [
            {"file": file.path, "size": file.size, "sha256": file.sha256, "path": path}
            for file, path in zip(
                download.files, [*download.paths, *[None] * (len(download.files) - len(download.paths))], strict=True
            )
        ],
        "size": download.size,
        "done": download.done,
        "kept": before,
        "received": received,
        "elapsed": elapsed,
    }


async def verify(context: Context) -> int:
    """Check the files of a variant, or of every variant that is here."""
    console, services = context.console, context.services
    if services.checksums is None:
        raise UsageError("nothing can be verified here")
    files = await _files(context, services.checksums)
    repository = parse_repository(context.options.repository) if context.options.repository else ""
    if repository is None:
        raise UsageError(f"{clean_name(context.options.repository)}: not the name of a repository", "OWNER/NAME")
    if services.hub is not None and any(file.sha256 is None for file in files):
        files = await _asked(context, services.hub, files, repository)
    checked: list[Checked] = []
    async with aclosing(read_files(services.checksums, files)) as events:
        async for event in events:
            if isinstance(event, Checked):
                checked.append(event)
            elif isinstance(event, VerifyProgressed) and event.total:
                console.progress(f"reading, {event.done * 100 // event.total} % of {size(event.total)}")
    console.end_progress()
    # Of a whole library nobody may tell of some files what they should be.
    fine = (Outcome.OK, Outcome.UNKNOWN) if context.options.all else (Outcome.OK,)
    good = all(one.outcome in fine for one in checked)
    console.json({"ok": good, "files": [one.as_json() for one in checked]})
    for line in _table(checked).lines(console.width):
        console.print(line)
    for one in checked:
        if one.outcome not in fine:
            console.failure(_failure(one))
    return 0 if good else 1


async def _resolved(context: Context, hub: Hub, address: Address, folder: str) -> Resolved:
    console = context.console
    console.progress(f"asking {hub.endpoint}")
    async with aclosing(resolve(hub, address, folder=folder)) as events:
        async for event in events:
            if isinstance(event, Waiting):
                tell_waiting(context, event)
            elif isinstance(event, Resolved):
                return event
    raise AssertionError("the run ends with what it found or raises")


async def _followed(context: Context, run: DownloadRun, download: Download) -> tuple[Download, int]:
    """Show how a download goes; returns how it ended, and the bytes that came."""
    console, received, noted = context.console, 0, ""
    async with aclosing(run.follow(download.id)) as events:
        async for event in events:
            if isinstance(event, DownloadChanged):
                download = event.download
                if download.note and download.note != noted:
                    console.note(f"note: {download.note}")
                noted = download.note
                console.progress(progress_line(download))
            elif isinstance(event, DownloadFinished):
                received = event.received
    return download, received


def progress_line(download: Download) -> str:
    """Return where a download stands, in one line."""
    parts = [f"{download.done * 100 // download.size} %", f"{size(download.done)} of {size(download.size)}"]
    if download.rate is not None:
        parts.append(f"{size(round(download.rate))}/s")
    if download.time_left is not None:
        parts.append(f"{left_text(download.time_left)} left")
    # Last, for what does not fit on the line is cut.
    parts.append("checking what is here" if download.state is State.VERIFYING else download.title)
    return "  ".join(parts)


def _address(text: str) -> Address:
    """Return what to fetch.

    Raises:
        UsageError: it is a file on this machine, or no address.
    """
    # A file here may well be called so: `--dest .` puts it under its name on the Hub.
    address = parse_address(text)
    if address is not None:
        return address
    if os.path.exists(text):  # noqa: PTH110 - it never fails
        raise UsageError(f"{clean_name(text)} is on this machine", "qtui verify checks it")
    raise UsageError(
        f"{clean_name(text)}: which file of which repository?", "qtui pull OWNER/NAME/FILE or OWNER/NAME:QUANT"
    )


def _folder(context: Context) -> str:
    """Return the absolute folder that is fetched into; empty: the Hugging Face cache."""
    given: Path | None = context.options.dest
    folder = given if given is not None else context.services.settings.downloads_dir
    if folder is None:
        return ""
    if given is not None and os.path.lexists(given) and not given.is_dir():
        raise UsageError(f"{clean_name(str(given))} is not a folder", "--dest names a folder")
    return os.path.abspath(expanded_path(folder))  # noqa: PTH100 - links are kept


async def _files(context: Context, checksums: Checksums) -> list[Expected]:
    """Return the files that are to be checked, each once.

    Raises:
        UsageError: neither a variant nor all were named, or both.
    """
    options = context.options
    if options.variant and options.all:
        raise UsageError("--all takes no VARIANT: it checks every one that is here", "leave out one of the two")
    if not (options.variant or options.all):
        raise UsageError("which variant?", "qtui verify VARIANT, or --all for every one that is here")
    if options.variant:
        return list(await checksums.expected(options.variant))
    found: dict[Path, Expected] = {}
    async for variant in context.services.library.scan(tuple(options.models_dir)):
        context.console.progress(f"looking, {len(found)} files")
        try:
            found |= {file.path: file for file in await checksums.expected(str(variant.path))}
        except BadFileError as error:
            context.console.note(f"note: {error.message}")
    return list(found.values())


async def _asked(context: Context, hub: Hub, files: list[Expected], repository: str) -> list[Expected]:
    console = context.console
    if any(file.repository or repository for file in files):
        console.progress(f"asking {hub.endpoint}")
    async with aclosing(ask_hub(hub, files, repository)) as events:
        async for event in events:
            if isinstance(event, Waiting):
                tell_waiting(context, event)
            else:
                files = event
    return files


def _table(checked: Sequence[Checked]) -> Table:
    table = Table(("FILE", ">SIZE", "SHA256", "SAYS", "RESULT"))
    for one in checked:
        told = one.expected.source.value if one.expected.source else "-"
        digest = f"{one.sha256[:DIGITS]}…" if one.sha256 else "-"
        table.add(str(one.expected.path), size(one.expected.here), digest, told, SAID[one.outcome])
    return table


def _failure(one: Checked) -> Failure:
    """Return what is wrong with a file, and what to do about it."""
    name, wanted = clean_name(one.expected.path.name), one.expected
    again = f"fetch it again: qtui pull {wanted.repository}/…" if wanted.repository else "fetch it again"
    match one.outcome:
        case Outcome.WRONG_SIZE:
            return Failure(f"{name} has {wanted.here} bytes, and should have {wanted.size}", again, BadFileError.kind)
        case Outcome.DAMAGED:
            return Failure(f"{name} is damaged: its SHA-256 should be {wanted.sha256}", again, BadFileError.kind)
        case Outcome.UNREADABLE:
            return Failure(one.problem or f"{name} cannot be read", "check the disk", BadFileError.kind)
        case _:
            return Failure(f"nothing tells what {name} should be", "--repository OWNER/NAME asks the Hub")
