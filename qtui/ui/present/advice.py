"""Advice as rows and lines: wishes, the ranking, what is said of one variant."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.advice.candidate import Candidate
from qtui.core.advice.ranking import Advice, Advised
from qtui.core.advice.wishes import Prefer, Use, Wishes
from qtui.core.memory.verdict import Fit
from qtui.core.text import rate, size
from qtui.ui.present.models import loss_cell
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import gib, joined, key, name

MARK_WIDTH = 5
COLUMNS = (
    Column("VARIANT", 11, grows=1),
    Column("NEEDS", 6, right=True),
    Column("FIT", 9),
    Column("KLD", 7, right=True),
    Column("T/S", 6, right=True, drop=2),
    Column("COUNTS AS", 24, drop=3),
)
STYLES = {Fit.FITS: "$text-success", Fit.TOO_BIG: "$text-error", Fit.UNKNOWN: "$foreground-muted"}
USES = {
    Use.CHAT: "chat", Use.CODE: "code", Use.MATHS: "maths", Use.TOOLS: "tools", Use.LONG: "long documents",
}  # fmt: skip
PREFERS = {Prefer.QUALITY: "quality first", Prefer.SPEED: "speed first"}


def wish_lines(wishes: Wishes, ctx_size: int | None) -> list[Content]:
    """Return the four fields, each with the key that changes it."""
    context = f"{wishes.ctx_size}" if wishes.ctx_size else f"{ctx_size or '?'} (the plan's)"
    free = "as the settings say" if wishes.keep_free is None else size(wishes.keep_free)
    return [
        joined([key("u", f"for {USES[wishes.use]}"), key("f", PREFERS[wishes.prefer])], "   "),
        joined([key("left right", f"context {context}"), key("m", f"leave free: {free}")], "   "),
    ]


def verdict_line(advice: Advice | None, progress: str) -> Content:
    """Return the answer, or how far it is."""
    if advice is None:
        return Content.styled(progress or "weighing…", "$foreground-muted")
    style = "bold $text-success" if advice.best is not None else "bold $text-warning"
    tail = Content.styled(f"  ({progress})", "$foreground-muted") if progress else Content()
    simulated = " (simulated)" if advice.simulated else ""
    return name(advice.verdict.replace("vram", "GPU") + simulated, style, 600) + tail


def advice_rows(advice: Advice | None) -> tuple[Row, ...]:
    """Return the ranking, then what is left, with a head between."""
    if advice is None:
        return ()
    rows = [_row(each, f"{number}") for number, each in enumerate(advice.ranking, 1)]
    if advice.left:
        rows.append(Row("left", heading=Content.styled("does not fit, or is not known", "$foreground-muted")))
        rows += [_row(each, "") for each in advice.left]
    return tuple(rows)


def advised(advice: Advice | None, path: str | None) -> Advised | None:
    """Return what is said of the variant of a row."""
    every = (*advice.ranking, *advice.left) if advice is not None else ()
    return next((each for each in every if str(each.candidate.variant.path) == path), None)


def advised_text(each: Advised | None) -> Content:
    """Return the sentence about a variant, what rules say of it, and where its figures stand."""
    if each is None:
        return Content()
    lines = [name(each.candidate.variant.title, "bold", 120) + ": " + name(each.reason, limit=1200)]
    lines += [
        Content.assemble(("· ", "$foreground-muted"), name(rule.said(each.candidate), limit=400), " ",
                         (f"[{rule.source}]", "$foreground-muted"))
        for rule in each.rules
    ]  # fmt: skip
    return Content("\n").join([*lines, *source_lines([each.candidate])])


def source_lines(candidates: Sequence[Candidate]) -> list[Content]:
    """Return on what figures were measured and where they stand, each source once."""
    texts: list[str] = []
    for candidate in candidates:
        loss = candidate.quality
        if loss.source is not None:
            texts.append(f"° {loss.words}: {loss.source.line}")
        texts += [f"{figure.setting.words}: {figure.source.line}" for figure in loss.cited]
    return [name(text, "$foreground-muted", 600) for text in dict.fromkeys(texts)]


def fit_cell(candidate: Candidate) -> Content:
    """Return the verdict."""
    fit = candidate.fit
    words = f"over {gib(candidate.short_by)}" if fit is Fit.TOO_BIG else fit.value.replace("_", " ")
    return Content.styled(words, STYLES.get(fit, "$text-warning"))


def needs_cell(candidate: Candidate) -> Content:
    """Return what it needs in GiB, with the sign of its origin."""
    footprint = candidate.weighing.footprint
    return Content("?" if footprint is None else f"{footprint.origin.sign}{gib(footprint.total)}")


def rate_cell(candidate: Candidate) -> Content:
    """Return how fast it is."""
    speed = candidate.speed
    return Content("?" if speed.rate is None else f"{speed.origin.sign}{rate(speed.rate)}")


def _row(each: Advised, mark: str) -> Row:
    candidate = each.candidate
    counts = each.band.value if each.band is not None else "?"
    beside = Content.styled(f"beside {each.beside}", "$foreground-muted") if each.beside else Content(counts)
    return Row(
        str(candidate.variant.path),
        (
            name(candidate.variant.quant, limit=40), needs_cell(candidate), fit_cell(candidate),
            loss_cell(candidate.quality), rate_cell(candidate), beside,
        ),
        mark=mark[:2],
    )  # fmt: skip
