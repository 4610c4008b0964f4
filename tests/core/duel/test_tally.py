"""Votes as they are counted for Compare: by what is in the files, whichever side they were on, over a real history."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qtui.core.compare import compare, compare_report
from qtui.core.compare_rows import compare_notes, compare_rows
from qtui.core.duel.ballot import Ballot, Vote
from qtui.core.duel.records import Party, RoundRecord, SideRecord, new_id
from qtui.core.duel.tally import ELSEWHERE, ITSELF, NO_HISTORY, NO_VOTE, Votes
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.services.history import HistoryFile
from qtui.services.rounds import RoundsFile
from tests.core.memory.fit.test_propose import guarded
from tests.core.memory.fit.test_propose import variant as shipped
from tests.fakes import FakeHashes, FakeLibrary, make_variant

BIG, SMALL, THIRD = (make_variant(quant=quant) for quant in ("Q8_0", "Q2_K", "Q4_0"))


class CountingHashes(FakeHashes):
    """Tells which files were hashed."""

    def __init__(self) -> None:
        self.asked: list[Variant] = []

    async def hash(self, variant: Variant) -> str:
        self.asked.append(variant)
        return await super().hash(variant)


async def keep(rounds: RoundsFile, a: Variant, b: Variant, vote: Vote | None) -> None:
    """Keep a round of two files, which lay elsewhere then."""
    sides = [
        SideRecord(Party.of(side, replace(one, path=Path("/was/here.gguf")), f"sha256:{one.path.name}"), "text")
        for side, one in (("A", a), ("B", b))
    ]
    await rounds.keep_round(
        RoundRecord(new_id(), 1.0, "Hi", "alternating", {}, None, "e", "1", tuple(sides), vote=vote)
    )


async def test_votes_are_counted_by_what_is_in_the_files(tmp_path: Path) -> None:
    rounds = RoundsFile(HistoryFile(tmp_path / "h.sqlite3"))
    for vote in (Vote.A, Vote.A, Vote.TIE, Vote.BOTH_BAD, None):
        await keep(rounds, BIG, SMALL, vote)
    await keep(rounds, SMALL, BIG, Vote.A)
    await keep(rounds, SMALL, BIG, Vote.B)
    remote = replace(make_variant(quant="Q5_0"), address="org/repo/x.gguf")
    tallies = await Votes(rounds, FakeHashes()).of([BIG, SMALL, THIRD, remote])
    assert tallies[BIG.path].against(SMALL.path) == Ballot(a=3, b=1, ties=1, both_bad=1)
    assert tallies[SMALL.path].against(BIG.path) == Ballot(a=1, b=3, ties=1, both_bad=1)
    assert tallies[THIRD.path].against(BIG.path) is None and tallies[THIRD.path].missing == NO_VOTE
    assert tallies[remote.path].missing == ELSEWHERE
    body = tallies[SMALL.path].as_json(BIG.path)
    assert body["value"] == {"won": 1, "lost": 3, "ties": 1, "both_bad": 1, "identical": 0}
    assert "3 of 4 for the first" in body["reason"]


async def test_files_that_were_never_voted_on_are_not_hashed(tmp_path: Path) -> None:
    rounds = RoundsFile(HistoryFile(tmp_path / "h.sqlite3"))
    hashes = CountingHashes()
    assert (await Votes(rounds, hashes).of([BIG, SMALL]))[BIG.path].missing == NO_VOTE
    assert not (tmp_path / "h.sqlite3").exists()
    await keep(rounds, BIG, replace(SMALL, size=7), Vote.A)
    await Votes(rounds, hashes).of([BIG, replace(THIRD, size=9)])
    assert hashes.asked == [BIG]


async def test_without_a_history_or_with_a_broken_one_the_reason_is_told(tmp_path: Path) -> None:
    assert (await Votes(None, FakeHashes()).of([BIG]))[BIG.path].as_json(SMALL.path) == {
        "value": None, "reason": NO_HISTORY,
    }  # fmt: skip
    broken = tmp_path / "h.sqlite3"
    broken.write_bytes(b"not a database" * 100)
    told = (await Votes(RoundsFile(HistoryFile(broken)), FakeHashes()).of([BIG]))[BIG.path].missing
    assert "is damaged" in told


async def test_compare_shows_the_votes_against_the_first(tmp_path: Path) -> None:
    guard, _ = guarded(ram=12)
    first, other = replace(shipped("llama3.1-8b"), size=400), replace(shipped("gemma3-27b"), size=600)
    third = shipped("qwen3-30b-a3b")
    rounds = RoundsFile(HistoryFile(tmp_path / "h.sqlite3"))
    for vote in (Vote.B, Vote.B, Vote.A, Vote.TIE):
        await keep(rounds, first, other, vote)
    columns = await compare(
        guard, FakeLibrary(first, other, third), [first, other, third], lambda _: LoadPlan(),
        votes=Votes(rounds, FakeHashes()),
    )  # fmt: skip
    (row,) = [row for row in compare_rows(columns) if row.label.startswith("votes")]
    assert row.cells == ("–", "2/1, 1 tie", "?")
    notes = "\n".join(compare_notes(columns))
    assert "2 of 3 for" in notes and f"votes: {NO_VOTE}" in notes
    a, b, c = [one["votes"] for one in compare_report(columns)["variants"]]
    assert a == {"value": None, "reason": ITSELF} and c == {"value": None, "reason": NO_VOTE}
    assert b["value"]["won"] == 2 and b["value"]["lost"] == 1 and b["value"]["ties"] == 1
    (turned,) = [row for row in compare_rows(columns[1::-1]) if row.label.startswith("votes")]
    assert turned.cells == ("–", "1/2, 1 tie")
