"""The Hub: found repositories, the variants of one, and what to take of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from textual.content import Content

from qtui.core.advice.loss import Loss
from qtui.core.downloads.download import Download, State
from qtui.core.downloads.offer import Offer
from qtui.core.errors import Failure
from qtui.core.hub.choice import Nearest
from qtui.core.hub.events import Waiting
from qtui.core.hub.kinds import Kind
from qtui.core.hub.query import Sort
from qtui.core.hub.remote import RemoteVariant, Status
from qtui.core.hub.repository import Access, Repository
from qtui.core.library.variant import Role
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.text import clean_name, count, duration, size
from qtui.ui.present.models import fit_word, loss_cell, needs, paced, role_name
from qtui.ui.present.table import Cells, Column, Row
from qtui.ui.present.words import between, brief, gib, joined, key, name

FOUND_COLUMNS = (
    Column("REPOSITORY", 24, grows=4),
    Column("PARAMS", 6, right=True),
    Column("DOWNLOADS", 9, right=True),
    Column("UPDATED", 10, drop=1),
    Column("ACCESS", 11, drop=2),
    Column("LIKES", 6, right=True, drop=3),
    Column("LICENCE", 12, drop=4),
    Column("ARCHITECTURE", 12, drop=5),
)
FOUND_MARK_WIDTH = 3
VARIANT_COLUMNS = (
    Column("VARIANT", 14, grows=3),
    Column("SIZE GiB", 8, right=True),
    Column("BPW", 5, right=True, drop=2),
    Column("NEEDS", 7, right=True),
    Column("FIT", 10),
    Column("T/S", 5, right=True, drop=1),
    Column("KLD", 7, right=True, drop=5, at_least=88),
    Column("UPDATED", 10, drop=4, at_least=100),
    Column("STATUS", 12, grows=1),
)
GROUPS = {"drafts": "small models that guess ahead for a large one", "other": "files that do not chat"}
_ACCESS = {Access.GATED: "$text-warning", Access.PRIVATE: "$text-warning", Access.DISABLED: "$text-error"}


def found_rows(repositories: Sequence[Repository]) -> tuple[Row, ...]:
    """Return a row for each repository that a search found."""
    return tuple(Row(repository.id, found_cells(repository)) for repository in repositories)


def found_cells(repository: Repository) -> Cells:
    """Return the cells of a repository that was found."""
    return (
        name(repository.id),
        Content(count(repository.parameters)),
        Content("?" if repository.downloads is None else count(repository.downloads)),
        Content(day(repository.updated)),
        _access(repository.access),
        Content("?" if repository.likes is None else str(repository.likes)),
        name(repository.licence or "?", limit=40),
        name(repository.architecture or "?", limit=40),
    )


def day(seconds: float | None) -> str:
    """Return a date; `?` when unknown."""
    return "?" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


def search_line(endpoint: str, sort: Sort, found: int, *, searching: bool, more: bool, width: int) -> Content:
    """Return what is searched, how it is sorted, and how much was found."""
    left = Content(" Hub ") + name(endpoint.removeprefix("https://"), "$foreground-muted", 60)
    parts: list[Content | str] = [
        f"{found} {'repository' if found == 1 else 'repositories'}{', more below' if more else ''}" if found else ""
    ]
    parts += [f"by {sort.value}", Content.styled("searching…", "$text-accent") if searching else ""]
    return between(left, joined(parts) + " ", width)


def trouble_text(failure: Failure | None, waiting: Waiting | None, left_s: float) -> Content:
    """Return why nothing comes, or for how long nothing will."""
    if failure is not None:
        return joined([name(failure.message, "$text-error", 400), name(failure.hint, limit=400)], "\n")
    if waiting is not None:
        return name(f"{waiting.reason}: waiting {duration(max(0.0, left_s))}", "$text-warning", 300)
    return Content()


def repository_lines(repository: Repository, width: int) -> list[Content]:
    """Return what the Hub tells of the repository under the cursor."""
    first = joined([
        name(repository.id, "bold"), _access(repository.access),
        name(repository.licence or "licence unknown", limit=60),
    ])  # fmt: skip
    facts: list[Content | str] = [
        name(repository.architecture, limit=40),
        f"{count(repository.parameters)} parameters" if repository.parameters else "",
        f"trained to {repository.context_length}" if repository.context_length else "",
        "importance matrix noted" if repository.imatrix else "",
    ]
    bases = ", ".join(repository.base_models[:2])
    base = name(f"made from {bases}", "$foreground-muted") if bases else Content()
    what = Content() if repository.gguf else Content.styled("no GGUF files: enter says what it is", "$text-warning")
    return [line.truncate(width, ellipsis=True) for line in (first, joined(facts), joined([what, base])) if str(line)]


def title_line(shelf_name: str, repository: Repository | None, progress: Content, width: int) -> Content:
    """Return whose variants are shown, and how far the reading has come."""
    left = Content(" ") + name(shelf_name, "bold", 120)
    if repository is not None:
        facts: list[Content | str] = [
            name(repository.architecture, limit=40),
            count(repository.parameters) if repository.parameters else "",
            name(repository.licence, limit=40),
            _access(repository.access),
        ]
        left += "  " + joined(facts, "  ").stylize("$foreground-muted")
    return between(left, progress + " ", width)


def progress_text(done: int, total: int, fetched: int, *, files: int, reading: bool, exact: bool) -> Content:
    """Return how far a repository has been read."""
    if reading and not total:
        return Content.styled(f"listing… {files} files" if files else "listing…", "$text-accent")
    if reading and done < total:
        return Content.styled(f"reading headers {done} of {total}, {size(fetched)}", "$text-accent")
    if reading and not exact:
        return Content.styled("asking llama.cpp…", "$text-accent")
    return Content.styled(
        f"{total} headers, {size(fetched)} fetched" if fetched else f"{total} headers", "$foreground-muted"
    )


def group_heading(title: str) -> Content:
    """Return the head row of what is no model by itself."""
    return Content.styled(title, "bold") + Content.styled(f"  {GROUPS.get(title, '')}", "$foreground-muted")


def remote_cells(
    row: RemoteVariant, weighing: Weighing | None, pace: Speed | None, download: Download | None = None,
    loss: Loss | None = None,
) -> Cells:  # fmt: skip
    """Return the cells of one variant of a repository."""
    variant = row.variant
    label = name(variant.quant if variant.role is Role.MODEL else row.files[0].path.rpartition("/")[2], limit=80)
    bpw = Content("?" if variant.bits_per_weight is None else f"{variant.bits_per_weight:.2f}")
    status = status_text(row, download)
    when, lost = Content(day(row.date)), loss_cell(loss)
    if variant.problem or not variant.complete or variant.role not in (Role.MODEL, Role.EMBEDDING):
        why = name(variant.problem or role_name(variant), "$text-error" if variant.problem else "$foreground-muted")
        return (label, Content(gib(row.size)), bpw, why, None, None, None, when, status)
    if not row.header_read:
        fit = name(row.problem, "$text-error") if row.problem else Content.styled("reading…", "$foreground-muted")
        unknown = Content.styled("?", "$foreground-muted")
        return (label, Content(gib(row.size)), bpw, unknown, fit, paced(None), lost, when, status)
    told = (needs(weighing), fit_word(weighing), paced(pace), lost)
    return (label, Content(gib(row.size)), bpw, *told, when, status)


def status_text(row: RemoteVariant, download: Download | None = None) -> Content:
    """Return how much of a variant is on this machine, or how its download goes."""
    if download is not None and download.state not in (State.DONE, State.FAILED):
        words = f"{100 * download.fraction:.0f} %"
        return Content.styled(words if download.active else f"{download.state.value} {words}", "$text-accent")
    if download is not None and download.state is State.FAILED:
        return Content.styled("failed", "$text-error")
    if row.status is Status.HERE:
        return (
            Content.styled("here", "$text-success")
            if not row.newer
            else Content.styled("here, newer on Hub", "$text-warning")
        )
    return Content.styled(row.status.value, "" if row.status is Status.PARTIAL else "$foreground-muted")


def choice_line(star: RemoteVariant | None, nearest: Nearest | None, context: int | None, *, settled: bool) -> Content:
    """Return which variant is the largest that fits, or what would fit instead."""
    if star is not None:
        return Content.assemble(("*", "bold"), " the largest that fits: ") + name(star.variant.quant, "bold", 40)
    if nearest is not None:
        return (
            Content(f"nothing here fits{f' at {context}' if context else ''}: ")
            + name(nearest.row.variant.quant, "bold", 40) + f" would at {nearest.context}  " + key("t", "take it")
        )  # fmt: skip
    return Content.styled("nothing here fits, at no context" if settled else "", "$text-warning")


def offer_line(row: RemoteVariant, offer: Offer | None, problem: str) -> Content:
    """Return what fetching a variant would take, and how to start it."""
    if problem:
        return name(f"{row.variant.quant}: {problem}", "$text-error", 300)
    if offer is None:
        return Content.styled("looking at the disk…", "$foreground-muted")
    if offer.lack is not None:
        return name(f"Get {row.variant.quant}: {offer.lack.message}", "$text-error", 300)
    where = offer.download.folder or "the HF cache"
    left = f", {brief(offer.left_after)} left after" if offer.left_after is not None else ""
    part = " more" if offer.to_fetch < offer.download.size else ""
    text = name(f"Get {row.variant.quant}: {gib(offer.to_fetch)} GiB{part} into {where}{left}.", "bold", 300)
    if offer.unlisted:
        text += name(f" Models will not show it: this run lists only {offer.unlisted}.", "$text-warning", 300)
    return text + " Enter again: start"


def kind_text(repository: Repository, kind: Kind) -> Content:
    """Return what a repository without GGUF files is; what stands below it are those of its model."""
    lines = [name(f"{repository.id}: {kind.format.value}", "bold"), name(kind.why, limit=600)]
    if kind.command:
        lines += [
            Content(""),
            Content("To convert it, with llama.cpp's own script:"),
            name(f"    {kind.command}", limit=600),
        ]
    lines.append(name(kind.advice, limit=600))
    return Content("\n").join(lines)


def flag_line(row: RemoteVariant) -> Content:
    """Return what one would not expect of a file, and what the Hub's scanners say."""
    parts = [name(flag, "$text-warning", 300) for flag in row.flags]
    if row.scan:
        parts.append(name(f"the Hub's scanners call it {clean_name(row.scan, 40)}", "$text-error"))
    if row.problem:
        parts.append(name(row.problem, "$text-error", 300))
    if row.projector is not None:
        parts.append(name(f"with {row.projector.path.rpartition('/')[2]}", "$foreground-muted"))
    return joined(parts)


def _access(access: Access) -> Content:
    return Content.styled(access.value, _ACCESS.get(access, ""))


def empty_text(endpoint: str) -> Content:
    """Return what stands in place of the results before anything was searched."""
    return Content("\n").join(
        [
            Content.styled("Find a model on the Hub.", "bold"),
            Content("Type a name and press enter; enter alone shows what is trending."),
            Content("A repository's name or address opens it: owner/name"),
            Content("Narrower: author:unsloth  arch:qwen3  params:7B-14B  licence:apache-2.0"),
            Content(""),
            name(f"Asked is {endpoint}, and nothing before you press enter.", "$foreground-muted"),
        ]
    )
