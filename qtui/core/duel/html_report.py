"""A report as one HTML file with charts, which needs nothing else: no script, no font, no picture from elsewhere.

Everything foreign is escaped. Charts are SVG in the page, with their numbers as text beside them; colour never carries
a meaning alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from qtui.core.duel.charts import Bar, Dot, bars, dots, intervals
from qtui.core.duel.export import MEASURED_HEADS, NOT_KEPT, Report, measured_cells, numbers, when
from qtui.core.duel.hunks import HunkKind, hunks
from qtui.core.duel.measured import Measured
from qtui.core.duel.records import RoundRecord, SideRecord, SuiteRecord
from qtui.core.measure.records import MeasureRecord
from qtui.core.text import rate

MOST_ROUNDS = 500
MOST_CHARACTERS = 100_000
"""Of one answer."""
STYLE = """
:root { color-scheme: light dark; --a: #1f6feb; --b: #b35900; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1rem; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font: 14px/1.45 ui-monospace, monospace; }
.wide { overflow-x: auto; } table { border-collapse: collapse; }
td, th { padding: .2rem .7rem; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
td:first-child, th:first-child, td:last-child, th:last-child { text-align: left; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; } .sides > div { min-width: 0; }
h1, h2, h3, p { overflow-wrap: anywhere; }
@media (max-width: 44rem) { .sides { grid-template-columns: 1fr; } svg { font-size: 15px !important; } }
.prompt { border-left: 3px solid var(--line); padding-left: .7rem; } .quiet { opacity: .75; font-size: 14px; }
mark { background: #f5c54266; color: inherit; text-decoration: underline; text-underline-offset: 3px; }
svg { max-width: 100%; height: auto; font: 13px system-ui, sans-serif; } svg text { fill: currentColor; }
.a { fill: var(--a); } .b { fill: var(--b); } .whisker { stroke: currentColor; stroke-width: 1.5; }
.axis { stroke: var(--line); stroke-width: 1; }
"""


def html_report(report: Report) -> str:
    """Return a report as a whole HTML document."""
    parts = [f"<h1>{escape(report.title)}</h1>"]
    if report.standings:
        parts.append("<h2>Standings</h2>")
        for standing in report.standings:
            names = f"{standing.first.title} against {standing.second.title}"
            parts.append(f"<p><b>{escape(names)}</b>: {escape(standing.sentence)}</p>")
    if report.measured and report.measured.sides:
        parts += _measured(report.measured)
    if report.measurements:
        parts += ["<h2>Measurements</h2>", _measurements(report.measurements)]
    for suite in report.suites:
        parts += _suite(suite)
    if len(report.rounds) > 1:
        parts += _rates(report.rounds)
    for record in report.rounds[:MOST_ROUNDS]:
        parts += _round(record)
    if len(report.rounds) > MOST_ROUNDS:
        parts.append(f"<p>{len(report.rounds) - MOST_ROUNDS} older rounds are not shown.</p>")
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{escape(report.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _measured(told: Measured) -> list[str]:
    parts = ["<h2>Measured</h2>"]
    rows = []
    for side in told.sides:
        spread = side.generation_rate
        if spread.median is not None:
            label = f"{side.side} {side.variant.title}"
            rows.append(Bar(label, spread.median, spread.stdev, f"{rate(spread.median)} ± {rate(spread.stdev)} t/s"))
    parts.append(bars("Tokens generated per second: median, and one standard deviation", rows))
    if told.ratio and told.ratio.interval:
        interval = told.ratio.interval
        parts.append(
            intervals(
                "Rate of B over A: median and 95 % interval",
                [("B / A", told.ratio.median, interval.low, interval.high, f"{told.ratio.median:.3f}")],
                middle=1.0,
            )
        )
    lines = [*told.outliers, *([told.ratio.sentence] if told.ratio else []), told.method]
    return [*parts, *(f"<p>{escape(text)}</p>" for text in lines)]


def _measurements(records: Sequence[MeasureRecord]) -> str:
    heads = "".join(f"<th>{escape(head)}</th>" for head in MEASURED_HEADS)
    rows = ["".join(f"<td>{escape(cell)}</td>" for cell in measured_cells(record)) for record in records]
    return f"<table><tr>{heads}</tr>{''.join(f'<tr>{row}</tr>' for row in rows)}</table>"


def _suite(suite: SuiteRecord) -> list[str]:
    told = suite.score
    groups = [*told.groups, *([told.total] if len(told.groups) > 1 else [])]
    sides = ", ".join(f"{party.side}: {party.title}" for party in suite.parties)
    state = "" if suite.complete else " · not complete"
    about = f"{sides} · {when(suite.time)} · {suite.engine} {suite.build}{state}"
    scored = [(group, group.scores) for group in groups if group.scores]
    rows = [
        Bar(f"{group.group} {side}", value, None, f"{value:.1f}")
        for group, scores in scored
        for side, value in zip("AB", scores, strict=True)
    ]
    apart = [
        (group.group, 10 * (group.pairs.first - group.pairs.second) / group.pairs.total, 10 * group.interval.low,
         10 * group.interval.high, group.sentence)
        for group, _ in scored
    ]  # fmt: skip
    body = "".join(
        f"<tr><td>{escape(group.group)}</td><td>{group.pairs.total}</td><td>{scores[0]:.1f}</td><td>{scores[1]:.1f}</td>"
        f"<td>{group.pairs.only_first}</td><td>{group.pairs.only_second}</td><td>{group.interval_text}</td>"
        f"<td>{escape(group.sentence)}</td></tr>"
        for group, scores in scored
    )
    titles = ("group", "tasks", "A", "B", "only A", "only B", "95 % of A - B", "verdict")
    head = "".join(f"<th>{title}</th>" for title in titles)
    return [
        f"<h2>Suite {escape(suite.suite)}</h2>",
        f'<p class="quiet">{escape(about)}</p>',
        bars("Scores out of 10", rows, top=10.0),
        intervals("Score of A less that of B, with its 95 % interval", apart, middle=0.0),
        f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>', f'<p class="quiet">{escape(told.note)}</p>',
    ]  # fmt: skip


def _rates(rounds: Sequence[RoundRecord]) -> list[str]:
    """Return the chart of generation rates over rounds, the oldest first."""
    series: dict[str, list[Dot]] = {}
    for place, record in enumerate(reversed(rounds[:MOST_ROUNDS])):
        for side in record.sides:
            if side.generation_rate is not None:
                name = f"{side.party.side} {side.party.title}"
                series.setdefault(name, []).append(Dot(place, side.generation_rate))
    if not series or len(series) > 8:
        return []
    return ["<h2>Rates</h2>", dots("Tokens generated per second, round by round", series)]


def _round(record: RoundRecord) -> list[str]:
    about = [when(record.time), record.mode.replace("_", " "), f"{record.engine} {record.build}"]
    about += ["blind"] if record.blind else []
    about += [f"vote: {record.vote.value.replace('_', ' ')}"] if record.vote else []
    prompt = NOT_KEPT if record.prompt is None else record.prompt
    return [
        "<h2>Round</h2>", f'<p class="quiet">{escape(" · ".join(about))}</p>',
        f'<div class="prompt"><pre>{escape(prompt)}</pre></div>',
        *([f"<p>The answers: {escape(record.apart)}</p>"] if record.apart else []),
        f'<div class="sides">{"".join(_sides(record.sides))}</div>',
    ]  # fmt: skip


def _sides(sides: Sequence[SideRecord]) -> list[str]:
    texts = [side.text if side.text is None else side.text[:MOST_CHARACTERS] for side in sides]
    shown = [NOT_KEPT if text is None else escape(text) for text in texts]
    if len(texts) == 2 and texts[0] is not None and texts[1] is not None:
        shown = _apart(texts[0], texts[1])
    parts = []
    for side, text in zip(sides, shown, strict=True):
        digest = side.party.hash or "hash not known"
        remark = f"<p>{escape(side.remark)}</p>" if side.remark else ""
        parts.append(
            f"<div><h3>{escape(side.party.side)}: {escape(side.party.title)}</h3><pre>{text}</pre>"
            f'<p class="quiet">{escape(numbers(side))}<br>{escape(digest)}</p>{remark}</div>'
        )
    return parts


def _apart(first: str, second: str) -> list[str]:
    """Return both texts, with what differs marked."""
    one, two = "", ""
    for hunk in hunks(first, second):
        same = hunk.kind is HunkKind.SAME
        one += escape(hunk.first) if same or not hunk.first else f"<mark>{escape(hunk.first)}</mark>"
        two += escape(hunk.second) if same or not hunk.second else f"<mark>{escape(hunk.second)}</mark>"
    return [one, two]
