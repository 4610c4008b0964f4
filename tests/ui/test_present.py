from __future__ import annotations

from dataclasses import replace

import pytest
from textual.content import Content

from qtui.core.advice.loss import Loss
from qtui.core.duel.conversation import DUEL_SAMPLING, Answer, Sampling
from qtui.core.duel.run import DuelMode, ModeChosen
from qtui.core.duel.sampling import Choice
from qtui.core.errors import BadFileError, Failure
from qtui.core.gguf.facts import Experts, MixRow
from qtui.core.hardware import EngineInfo, Gpu, MemorySample, ProcessMemory
from qtui.core.library.order import SortKey
from qtui.core.library.variant import Role, Variant
from qtui.core.memory.guard import Weighing
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.suggestion import Suggestion
from qtui.core.memory.verdict import Fit, Headroom, Verdict, judge
from qtui.core.origin import Origin
from qtui.core.text import GIB, MIB
from qtui.ui.present import arena, detail, models, plan, top_line
from qtui.ui.present.detail import mix_line
from qtui.ui.present.table import Column, lay_out, widths
from qtui.ui.present.words import bar, between, gib, name, prose
from qtui.ui.side import Phase, Side
from qtui.ui.vitals import Vitals
from tests.fakes import CPU_ONLY, ONE_CARD, make_facts, make_footprint, make_variant
from tests.ui.stage import BROKEN, LARGE, PROJECTOR, SMALL

SAMPLE = MemorySample(0.0, int(23.5 * GIB), int(12.3 * GIB), 8 * GIB, 0)
CARD = Gpu(0, "A card", 12 * GIB, 8 * GIB)
ROOM = Headroom(8 * GIB, margin_ram=GIB)
ANSWER = Answer(
    "The sky is blue", "", "stop", 10, 0, 212, 0.31, 900.0, 41.2, 42, ProcessMemory(peak=int(6.14 * GIB))
)  # fmt: skip


def weighed(variant: Variant, room: Headroom = ROOM) -> Weighing:
    footprint = make_footprint(variant, LoadPlan(ctx_size=4096))
    return Weighing(footprint.plan, footprint, room, judge(footprint, room))


def test_sizes_keep_three_digits_when_they_are_small() -> None:
    assert [gib(size) for size in (None, 0, 1, 4 * MIB, int(4.68 * GIB))] == ["?", "0.00", "<.001", "0.004", "4.68"]


def test_foreign_text_is_never_markup_and_never_control() -> None:
    assert name("model[/foo]\x1b[31m\n.gguf").plain == "model[/foo]\ufffd[31m\ufffd.gguf"
    assert name("[red]x[/red]").spans == []
    assert "\x9b" not in prose("a\x9bb\nc").plain
    assert prose("a\nb").plain == "a\nb"


@pytest.mark.parametrize(
    ("fraction", "cells"), [(0.0, "    "), (0.5, "██  "), (1.0, "████"), (7.0, "████"), (-1, "    ")]
)
def test_bar(fraction: float, cells: str) -> None:
    assert bar(fraction, 4) == cells


def test_between_gives_way_on_the_left_and_never_overflows() -> None:
    assert between(Content("left"), Content("right"), 12).plain == "left   right"
    for width in range(1, 30):
        assert between(Content("a long left side"), Content("right"), width).cell_length <= width
        assert between(Content("漢字漢字漢字"), Content("right"), width).cell_length <= width


def test_columns_are_dropped_by_priority_and_the_rest_is_shared() -> None:
    columns = (Column("A", 4, grows=1), Column("B", 4, drop=1), Column("C", 4, drop=2))
    assert widths(columns, 16) == (4, 4, 4)
    assert widths(columns, 20) == (8, 4, 4)
    assert widths(columns, 12) == (6, 4, 0)
    assert widths(columns, 5) == (5, 0, 0)


def test_a_cell_covers_those_after_it() -> None:
    columns = (Column("A", 3), Column("B", 3, right=True), Column("C", 3))
    cells = (Content("a"), Content("spans both"), None)
    assert lay_out(columns, (3, 3, 3), cells).plain == "a    spans b…"
    assert lay_out(columns, (3, 3, 3), (Content("a"), Content("1"), Content("漢字"))).plain == "a      1  漢…"


def test_a_row_says_what_is_known_and_no_more() -> None:
    unknown = models.variant_cells(SMALL, None, models.Standing())
    assert [str(cell) for cell in unknown] == [
        "Q4_K_M",
        "1.00",
        "4.90",
        "?",
        "asking…",
        "?",
        "?",
        "?",
        "4096",
        "/models",
    ]
    standing = models.Standing({"A": SMALL, "B": SMALL}, frozenset({"B"}), {SMALL.path: 41.23})
    told = Loss(Origin.PUBLISHED, 0.033, words="Other-8B")
    known = models.variant_cells(SMALL, weighed(SMALL), standing, loss=told)
    assert [str(cell) for cell in known] == [
        "Q4_K_M",
        "1.00",
        "4.90",
        "1.06",
        "loaded",
        "41.2",
        "°0.033",
        "5.94",
        "4096",
        "/models",
    ]
    assert standing.mark(SMALL.path) == "AB"


def test_what_a_variant_loses_is_said_with_where_it_was_measured() -> None:
    here, elsewhere = Loss(Origin.MEASURED, 0.0021), Loss(Origin.PUBLISHED, 0.2)
    assert mix_line(SMALL, None, here).plain.startswith("KLD 0.0021: no measurable difference · ")
    assert mix_line(SMALL, None, elsewhere).plain.startswith("KLD °0.200: strong loss (another model's) · ")
    assert "KLD" not in mix_line(SMALL, None, Loss()).plain
    assert str(models.loss_cell(Loss())) == "?"


def test_needs_carry_the_sign_of_their_origin() -> None:
    weighing = weighed(SMALL)
    assert weighing.footprint
    computed = replace(weighing, footprint=replace(weighing.footprint, origin=Origin.COMPUTED))
    assert models.needs(computed).plain == "~1.06"


@pytest.mark.parametrize(
    ("verdict", "word"),
    [
        (Verdict(Fit.FITS), "fits"), (Verdict(Fit.TIGHT), "tight"), (Verdict(Fit.FROM_DISK), "from disk"),
        (Verdict(Fit.PARTIAL), "partial"), (Verdict(Fit.TOO_BIG, "ram", int(1.9 * GIB)), "over 1.90"),
        (Verdict(Fit.UNKNOWN), "?"),
    ],
)  # fmt: skip
def test_verdicts_are_words(verdict: Verdict, word: str) -> None:
    assert models.verdict_word(verdict).plain == word


def test_a_problem_takes_the_place_of_the_verdict() -> None:
    row = models.variant_cells(BROKEN, None, models.Standing())
    assert [str(cell) for cell in row if cell is not None][3:] == ["2 of 3 shards here", "/models"]
    assert "projector" in [str(cell) for cell in models.variant_cells(PROJECTOR, None, models.Standing())]


def test_an_embedding_model_has_its_verdict_and_its_role() -> None:
    embedding = replace(SMALL, role=Role.EMBEDDING)
    row = models.variant_cells(embedding, weighed(SMALL), models.Standing())
    assert [str(cell) for cell in row if cell is not None][3:5] == ["1.06", "fits · embedding"]


def test_a_preset_of_its_own_stands_beside_the_name() -> None:
    assert str(models.variant_cells(SMALL, None, models.Standing(), "long\x1b")[0]) == "Q4_K_M  preset: long\ufffd"


def test_the_sorted_column_is_marked() -> None:
    heads = [column.title for column in models.sorted_columns(SortKey.SIZE)]
    assert heads[:3] == ["VARIANT", "SIZE v", "BPW"]
    assert [column.lead for column in models.sorted_columns(SortKey.RATE)].count(True) == 1


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, ["VARIANT", "SIZE GiB", "NEEDS", "FIT", "T/S"]),
        (80, ["VARIANT", "SIZE GiB", "BPW", "NEEDS", "FIT", "T/S", "WHERE"]),
        (88, ["VARIANT", "SIZE GiB", "BPW", "NEEDS", "FIT", "T/S", "KLD", "WHERE"]),
        (100, ["VARIANT", "SIZE GiB", "BPW", "NEEDS", "FIT", "T/S", "KLD", "TRAINED", "WHERE"]),
        (120, ["VARIANT", "SIZE GiB", "BPW", "NEEDS", "FIT", "T/S", "KLD", "SPARE", "TRAINED", "WHERE"]),
    ],
)
def test_wider_screens_show_more_columns(width: int, shown: list[str]) -> None:
    room = width - models.MARK_WIDTH - 2  # the cursor's margin and the scrollbar
    sizes = widths(models.COLUMNS, room, width)
    assert [column.title for column, size in zip(models.COLUMNS, sizes, strict=True) if size] == shown
    assert sum(sizes) + 2 * (len(shown) - 1) <= room


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, ["VARIANT", "SIZE v", "NEEDS", "FIT", "T/S"]),
        (70, ["VARIANT", "SIZE v", "NEEDS", "FIT", "T/S", "KLD"]),
        (80, ["VARIANT", "SIZE v", "BPW", "NEEDS", "FIT", "T/S", "KLD"]),
        (120, ["VARIANT", "SIZE v", "BPW", "NEEDS", "FIT", "T/S", "KLD", "SPARE", "TRAINED", "WHERE"]),
    ],
)
def test_what_was_measured_is_shown_on_narrow_screens_too(width: int, shown: list[str]) -> None:
    columns = models.sorted_columns(SortKey.SIZE, measured=True)
    sizes = widths(columns, width - models.MARK_WIDTH - 2, width)
    assert [column.title for column, size in zip(columns, sizes, strict=True) if size] == shown


def test_empty_state_says_where_was_looked_and_how_to_go_on() -> None:
    text = models.empty_text([("HF cache", LARGE.path.parent)], scanning=False, problem="").plain
    for part in ("No models here yet", "/models  (HF cache)", "qtui demo", "qtui --models-dir DIR"):
        assert part in text


def test_detail_adds_up_the_parts() -> None:
    lines = [line.plain for line in detail.detail_lines(SMALL, weighed(SMALL), 78)]
    assert lines[0].startswith("Q4_K_M of Alpha · dry run · RAM needs 1.06, free 8.00, keep free 1.00 GiB")
    assert lines[1].startswith("weights 1.00 ██")
    for part in ("context 0.031 █", "compute 0.016 █", "extra 0.016 █"):
        assert part in lines[1]
    assert lines[2].startswith("fits: needs 1.06 GiB of 7.00 GiB in RAM")
    assert lines[3:] == ["trained to 4096 · 12 layers", "/models/Alpha-Q4_K_M.gguf"]


def test_detail_shows_the_mix_once_the_header_was_read() -> None:
    facts = make_facts(SMALL, experts=Experts(8, 2), imatrix={"chunks_count": 3})
    line = detail.mix_line(SMALL, facts).plain
    assert line.startswith("mix Q8_0 99 %  F32 1 % · 8 experts, 2 used · imatrix noted · trained to 4096")
    many = tuple(MixRow(index, f"T{index}", 1, 100 - index, 1) for index in range(6))
    assert [part.plain for part in detail.mix_parts(many)][-1] == "+2"
    assert [part.plain for part in detail.mix_parts((MixRow(1, "T", 1, None, 1),))] == ["T ?"]


def test_a_suggestion_stands_beside_the_verdict() -> None:
    smaller = weighed(SMALL)
    line = detail.verdict_line(smaller, Suggestion(smaller, plan=LoadPlan(ctx_size=4096), words="ctx 4096"), 100)
    assert line.plain.endswith("fits with ctx 4096, 1.06 GiB  t take it")
    assert line.cell_length == 100
    other = detail.suggested(Suggestion(smaller, variant=SMALL)).plain
    assert other == "fits: Q4_K_M, 1.06 GiB  t take it"


def test_what_is_loaded_under_another_plan_says_so() -> None:
    kept = plan.kept_text("loaded with", LoadPlan(ctx_size=4096), LoadPlan(ctx_size=8192))
    assert kept.plain == "loaded with context 4096"
    assert detail.detail_lines(SMALL, weighed(SMALL), 78, kept=kept)[2] == kept
    assert not plan.kept_text("loaded with", LoadPlan(preset="x"), LoadPlan())


@pytest.mark.parametrize("width", range(1, 130, 7))
def test_the_bar_never_overflows(width: int) -> None:
    weighing = weighed(SMALL)
    assert weighing.footprint
    assert detail.footprint_bar(weighing.footprint, width).cell_length <= width


def test_detail_shows_why_there_is_no_footprint() -> None:
    error = BadFileError("tensor 3 lies outside of the file", "fetch it again")
    weighing = Weighing(LoadPlan(), None, ROOM, Verdict(Fit.UNKNOWN), error)
    lines = [line.plain for line in detail.detail_lines(SMALL, weighing, 78)]
    assert lines[1:3] == ["tensor 3 lies outside of the file", "fetch it again"]
    assert detail.detail_lines(None, None, 78) == []
    assert detail.detail_lines(BROKEN, None, 78)[1].plain == "2 of 3 shards here"


def test_top_line_says_what_is_free_and_what_is_unused() -> None:
    vitals = Vitals(replace(SAMPLE, gpus=(CARD,)), CPU_ONLY)
    first, second = (line.plain for line in top_line.top_lines("models", vitals, 120, compact=False))
    assert first.startswith(" 1 Models ")
    assert "llama.cpp 0.5.0 (abcdef0) CPU" in first
    assert "RAM 12.3 of 23.5 GiB free" in second
    assert "GPU0 8.0 of 12.0, unused: this llama.cpp is CPU-only (?)" in second
    assert "swap 0" in second
    assert any("CPU only" in line for line in top_line.advice(vitals))


def test_top_line_shows_the_unknown_as_unknown() -> None:
    assert "reading memory" in top_line.top_lines("models", Vitals(), 80, compact=True)[0].plain
    blind = Vitals(MemorySample(0.0, None, None, None, None, gpus=(Gpu(0, "x", None, None),)), ONE_CARD)
    line = top_line.top_lines("models", blind, 100, compact=False)[1].plain
    assert "RAM ? of ? GiB free" in line
    assert "GPU0 ? of ?" in line
    assert "swap ?" in line
    assert "unused" not in line


def test_top_line_says_why_there_is_no_engine() -> None:
    engine = EngineInfo("built-in", problem="libllama.so: undefined symbol", usable=False)
    assert "no engine: libllama.so" in top_line.engine_name(engine).plain
    assert any("undefined symbol" in line for line in top_line.advice(Vitals(SAMPLE, engine)))


@pytest.mark.parametrize("compact", [True, False])
def test_top_line_never_overflows(compact: bool) -> None:
    for cards in range(4):
        vitals = Vitals(replace(SAMPLE, gpus=tuple(replace(CARD, index=i) for i in range(cards))), CPU_ONLY)
        for width in (60, 80, 100, 120, 200):
            for line in top_line.top_lines("arena", vitals, width, compact=compact):
                assert line.cell_length <= width


SIDE = Side("A", SMALL, Phase.ANSWERED, weighed(SMALL), answer=ANSWER)


def test_numbers_fit_a_pane_of_38_columns() -> None:
    assert arena.numbers(ANSWER, 38).plain == "41.2 t/s  0.31 s  212 tok  peak 6.14"
    assert arena.numbers(ANSWER, 62).plain == "41.2 t/s   first token 0.31 s   212 tokens   peak 6.14 GiB"
    nothing = replace(ANSWER, generation_rate=None, time_to_first_token=None, memory=ProcessMemory())
    assert arena.numbers(nothing, 38).plain == "? t/s  ?  212 tok  peak ?"


@pytest.mark.parametrize("width", [10, 20, 38, 59, 119])
def test_head_keeps_the_quant(width: int) -> None:
    side = replace(SIDE, variant=make_variant("A-model-with-a-name-that-is-longer-than-its-pane", "Q4_0"))
    line = arena.head(side, width)
    assert line.cell_length <= width
    assert width < 20 or "Q4_0" in line.plain
    assert ("needs" in line.plain) == (width >= 38)


@pytest.mark.parametrize(
    ("side", "words"),
    [
        (Side("A"), ""), (replace(SIDE, phase=Phase.LOADING, fraction=0.43), "loading 43 %"),
        (replace(SIDE, phase=Phase.READING, done=512, total=2048), "reading the prompt 512/2048"),
        (replace(SIDE, phase=Phase.ANSWERING, done=17), "answering, 17 tok"),
        (replace(SIDE, phase=Phase.THINKING, done=3), "thinking, 3 tok"),
        (replace(SIDE, phase=Phase.WAITING, waits_for="B"), "waits for B"),
        (replace(SIDE, phase=Phase.DIED, failure=Failure("x", kind="engine")), "died: r restarts it"),
        (replace(SIDE, phase=Phase.DIED, failure=Failure("x", kind="memory")), "refused: too big"),
        (replace(SIDE, phase=Phase.FAILED, failure=Failure("x")), "not answered"),
        (replace(SIDE, phase=Phase.STOPPED, answer=None), "stopped"), (SIDE, "41.2 t/s"),
    ],
)  # fmt: skip
def test_status_of_each_phase(side: Side, words: str) -> None:
    assert words in arena.status(side, 38).plain
    assert arena.status(side, 38).cell_length <= 38


def test_the_line_for_both_tells_how_far_they_differ() -> None:
    other = replace(SIDE, label="B", answer=replace(ANSWER, text="The sky looks blue"))
    asked = arena.Round(
        ModeChosen(DuelMode.IN_TURN, "both do not fit at once: needs more"), DUEL_SAMPLING, DUEL_SAMPLING
    )
    line = arena.both_line([SIDE, other], asked, LoadPlan(), 160).plain
    begin = " differ from word 3, share 75 % of words · in turn (both do not fit at once) · seed 42 · temp 0"
    assert line == f"{begin} (duel defaults) · ctx 4096 · empty cache"
    narrow = arena.both_line([SIDE, other], asked, LoadPlan(), len(line) - 1).plain
    assert narrow == f"{begin} (duel) · ctx 4096 · empty cache"


def test_the_line_for_a_chat_tells_what_will_hold_next() -> None:
    sides = [SIDE, Side("B")]
    alone = arena.both_line(sides, arena.Round(next=Sampling()), LoadPlan(), 120).plain
    assert alone == " seed 42 · temp 0.8 (chat defaults) · ctx 4096 · cache kept"
    choice = Choice({"temperature": 0.2, "top_k": 5, "seed": 7}, "Be short.")
    asked = arena.Round(None, Sampling(), choice.sampling(1), choice)
    line = arena.both_line(sides, asked, LoadPlan(), 140).plain
    assert line == (
        " seed 42 · temp 0.8 · next: seed 7 · temp 0.2 · top-k 5 (yours) · system prompt · ctx 4096 · cache kept"
    )
    reused = replace(SIDE, answer=replace(ANSWER, cached_tokens=120))
    assert arena.both_line([reused], asked, LoadPlan(), 140).plain.endswith("cached 120 tok")
    assert "editing the last prompt" in arena.both_line(sides, replace(asked, editing=True), LoadPlan(), 80).plain


def test_a_failure_is_message_hint_and_log() -> None:
    text = arena.failure_text(Failure("it died", "try again", "engine", ("one\x1b[2J", "two"))).plain
    assert text.split("\n") == ["it died", "try again", "one\ufffd[2J", "two"]
