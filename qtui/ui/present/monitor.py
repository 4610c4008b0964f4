"""What the Monitor shows of sessions: rows, the strip about one of them, the question before one is stopped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from textual.content import Content

from qtui.core.hardware import Foreign, Gpu
from qtui.core.memory.plan import ALL_LAYERS, AUTO, LoadPlan
from qtui.core.monitor.session_row import gib, percent, session_row
from qtui.core.sessions import SessionSeen, SessionState, apart, measured_total
from qtui.core.text import clean_name, duration
from qtui.ui.present.table import Column, Row
from qtui.ui.present.words import bar, between, joined, name

MARK_WIDTH = 4
COLUMNS = (
    Column("SESSION", 16, grows=1),
    Column("ENGINE", 12, drop=3),
    Column("STATE", 12),
    Column("RAM", 5, right=True),
    Column("VRAM", 5, right=True, drop=2),
    Column("NEEDS", 5, right=True, drop=4),
    Column("EST", 8, right=True),
    Column("T/S", 5, right=True),
    Column("CTX", 5, right=True, drop=1),
    Column("OWNER", 14, drop=5),
)
BAR_WIDTH, NARROWEST_BAR = 20, 6
EMPTY = """No model is loaded, by this qtui or another.

    1 Models, then enter    chat with one: its session stands here"""


def rows(
    sessions: Sequence[SessionSeen], cards: Sequence[Gpu], labels: Mapping[str, str], stopping: frozenset[str]
) -> tuple[Row, ...]:
    """Return a row for each session; `labels` are its sides in the Arena, `stopping` the ids of those that end."""
    result = []
    for seen in sessions:
        row = session_row(seen, cards)
        state = "stopping…" if row.id in stopping else row.state
        shown = Content.styled(state, "$text-error") if seen.record.crashed else Content(state)
        cells = (
            name(row.title), name(_short(row.engine)), shown, Content(row.ram), Content(row.vram), Content(row.needs),
            Content(row.apart), Content(row.rate), Content(row.context), Content(_owner(seen)),
        )  # fmt: skip
        result.append(Row(row.id, cells, mark=labels.get(row.id, "")[:2]))
    return tuple(result)


def foreign_rows(others: Sequence[Foreign], cards: Sequence[Gpu]) -> tuple[Row, ...]:
    """Return a row for each process that is not qtui's and takes memory that models need."""
    unknown, result = Content("?"), []
    for one in others:
        what = f"{one.name}: {PurePath(one.file).name}" if one.file else one.name
        vram = Content(gib(one.vram) if cards else "–")
        cells = (
            name(what), Content("not ours"), Content(f"pid {one.pid}"), Content(gib(one.resident)), vram, unknown,
            unknown, unknown, unknown, Content("–"),
        )  # fmt: skip
        result.append(Row(foreign_key(one), cells, mark="-"))
    return tuple(result)


def foreign_key(one: Foreign) -> str:
    """Return the key of its row; no session has such an id."""
    return f"pid {one.pid}"


def foreign_lines(one: Foreign, cards: Sequence[Gpu], width: int) -> list[Content]:
    """Return who a process is that is not qtui's, what it holds, and why there is nothing to be done about it here."""
    vram = f"   VRAM {gib(one.vram)} GiB" if cards else ""
    holds = Content(f"RAM {gib(one.resident)} GiB{vram}")
    maps = name(f"maps {one.file}", "$foreground-muted", 1000) if one.file else Content()
    return [
        between(joined([name(one.name, "bold"), f"pid {one.pid}"]), Content("not ours"), width),
        between(holds, maps, width),
        Content.styled("no session of a qtui: what started it can end it", "$foreground-muted"),
    ]


def detail_lines(seen: SessionSeen, cards: Sequence[Gpu], now: float, width: int) -> list[Content]:
    """Return who a session is, how it was loaded, and what it holds against what was estimated."""
    record = seen.record
    if record.crashed:
        return _crash_lines(seen, now, width)
    age = f"for {duration(max(0.0, now - record.since))}" if record.since else "for ?"
    who = joined([name(record.title, "bold"), f"id {clean_name(record.id, 64)}", f"pid {record.pid}", age])
    return [
        between(who, Content(_whose(seen, width - len(who.plain))), width),
        between(Content(plan_words(record.plan)), name(record.path, "$foreground-muted", 1000), width),
        _memory_line(seen, cards, width),
    ]


def _crash_lines(seen: SessionSeen, now: float, width: int) -> list[Content]:
    """Return which session has crashed, why, and what can be done about it."""
    record = seen.record
    ago = Content(f"crashed {duration(max(0.0, now - record.crashed))} ago")
    who = joined([name(record.title, "bold"), f"id {clean_name(record.id, 64)}", f"pid {record.pid}"])
    keys = Content.assemble(
        ("enter", "bold $text-accent"), " its log   ", ("s", "bold $text-accent"), " take it off the list"
    )
    whose = Content("in the Arena, r loads it again" if seen.own else f"of {_owner(seen)}")
    return [
        between(who, ago, width),
        name(record.reason, "$text-error", max(20, width)),
        between(keys, Content.styled(whose.plain, "$foreground-muted"), width),
    ]


def _short(engine: str) -> str:
    """Return an engine for a narrow column: a program by its name, an address by its host."""
    return engine.partition("://")[2] or engine.rpartition("/")[2] or engine


def question_lines(seen: SessionSeen) -> list[Content]:
    """Return the question before a session is stopped, and its keys; the first line is enough by itself."""
    whose = "" if seen.own else f" of another qtui (pid {seen.record.parent_pid})"
    cut = " Its answer is cut off." if seen.record.state is SessionState.ANSWERING else ""
    return [
        Content.styled(f" Stop {clean_name(seen.record.title, 40)}{whose}?{cut} ", "reverse"),
        Content.assemble(" ", ("s", "bold $text-accent"), " stop it   ", ("esc", "bold $text-accent"), " leave it"),
    ]


def plan_words(plan: Mapping[str, object]) -> str:
    """Return a plan as a record tells it, in short; `?` where it cannot be read."""
    try:
        known = LoadPlan.from_json(dict(plan))
        layers = {ALL_LAYERS: "all", AUTO: "auto"}.get(known.n_gpu_layers, known.n_gpu_layers)
        types = dict.fromkeys((known.cache_type_k, known.cache_type_v))
        cache = "/".join(str(kind) for kind in types).upper()
        text = f"ctx {known.ctx_size or '?'}  KV {cache}  GPU layers {layers}  load {known.load_mode.value}"
    except (TypeError, ValueError):
        return "plan ?"
    return clean_name(text, 120)


def _whose(seen: SessionSeen, room: int) -> str:
    """Return where other programs are answered, if they are, and whose it is if there is room for both."""
    endpoint, owner = seen.record.endpoint, f"of {_owner(seen)}"
    both = "  ".join(filter(None, (endpoint, owner)))
    return both if len(both) + 2 < room else endpoint or owner


def _owner(seen: SessionSeen) -> str:
    return "this qtui" if seen.own else f"qtui {seen.record.parent_pid}"


def _memory_line(seen: SessionSeen, cards: Sequence[Gpu], width: int) -> Content:
    memory, expected = seen.memory, seen.record.expected
    held = measured_total(seen, cards)
    parts = [f"file pages {gib(memory.file_backed)}", f"anonymous {gib(memory.anonymous)}"]
    parts += [f"locked {gib(memory.locked)}"] if memory.locked else []
    parts += [f"swapped {gib(memory.swapped)}"] if memory.swapped else []
    words = Content.styled("   ".join(parts), "$foreground-muted")
    said = Content(f"est {gib(expected)} · actual {gib(held)} GiB")
    if held is None or not expected:
        return between(said, words, width)
    share = apart(seen, cards)
    said += Content(" (no full prompt yet)  " if share is None else f" ({percent(share)})  ")
    room = min(BAR_WIDTH, width - said.cell_length - words.cell_length - 2)
    if room >= NARROWEST_BAR:
        said += Content.styled(bar(held / max(held, expected), room), "$text-accent on $foreground 15%")
    return between(said, words, width)
