"""Rounds, votes and suites in the history's file, and what is told of them later."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.duel.ballot import Vote
from qtui.core.duel.difference import DifferentToken
from qtui.core.duel.records import Party, RoundRecord, SideRecord, SuiteRecord, new_id, without_text
from qtui.core.duel.standing import standings
from qtui.core.duel.suite.checks import Mark
from qtui.core.duel.suite.score import Result
from qtui.core.errors import QtuiError
from qtui.services.file_hashes import FileHashes
from qtui.services.history import MIGRATIONS, HistoryFile
from qtui.services.rounds import RoundsFile
from tests.fakes import make_variant

BIG = Party("A", "/m/big.gguf", "Tiny", "Q8_0", 300, "sha256:aa", {"ctx_size": 4096})
SMALL = Party("B", "/m/small.gguf", "Tiny", "Q2_K", 100, "sha256:bb")


def round_of(
    prompt: str = "Why is the sky blue?", time: float = 1.0, *, swap: bool = False, **fields: object
) -> RoundRecord:
    first, second = (replace(SMALL, side="A"), replace(BIG, side="B")) if swap else (BIG, SMALL)
    sides = (
        SideRecord(first, "Because air scatters it.", "hm", "stop", "", 5, 6, 0.5, 0.2, 900.0, 40.0, 1000),
        SideRecord(second, "Because it is.", "", "length", "it did not end", 5, 4, 0.4, 0.1, 950.0, None, None, "late"),
    )
    plain = RoundRecord(new_id(), time, prompt, "alternating", {"seed": 42}, "Be short.", "built-in", "0.5.0", sides)
    return replace(plain, **fields)  # type: ignore[arg-type]


def suite_of(**fields: object) -> SuiteRecord:
    plain = SuiteRecord(new_id(), 1.0, "logic", "d1", 2, {"seed": 42}, "built-in", "0.5.0", (BIG, SMALL))
    return replace(plain, **fields)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> RoundsFile:
    return RoundsFile(HistoryFile(tmp_path / "history.sqlite3"))


async def test_a_round_comes_back_as_it_was_kept(store: RoundsFile) -> None:
    record = round_of(blind=True, vote=Vote.B, token=DifferentToken(7, " air", ""))
    await store.keep_round(record)
    assert list(await store.rounds()) == [record]
    await store.keep_vote(record.id, Vote.TIE)
    await store.keep_vote("gone", Vote.A)
    assert (await store.rounds())[0].vote is Vote.TIE
    await store.keep_round(replace(record, prompt="Other"))
    assert [kept.prompt for kept in await store.rounds()] == ["Other"]


async def test_looking_makes_no_file(store: RoundsFile, tmp_path: Path) -> None:
    assert await store.empty()
    assert await store.rounds() == []
    assert await store.suites() == []
    assert await store.delete() == 0
    assert list(tmp_path.iterdir()) == []


async def test_rounds_are_found_by_all_words_in_prompt_answer_or_name(store: RoundsFile) -> None:
    await store.keep_round(round_of("Why is the sky blue?", 1.0))
    await store.keep_round(round_of("Почему НЕБО голубое?", 2.0))
    await store.keep_round(round_of("100 % sure_ly\\?", 3.0))

    async def found(search: str) -> list[float]:
        return [record.time for record in await store.rounds(search=search)]

    assert await found("SKY blue") == [1.0]
    assert await found("sky green") == []
    assert await found("небо") == [2.0]
    assert await found("scatters") == [3.0, 2.0, 1.0]
    assert await found("q2_k") == [3.0, 2.0, 1.0]
    assert await found("%") == [3.0]
    assert await found("e_l") == [3.0]
    assert await found("\\") == [3.0]
    assert [record.time for record in await store.rounds(limit=2)] == [3.0, 2.0]


async def test_numbers_alone_hold_no_text(store: RoundsFile) -> None:
    await store.keep_round(without_text(round_of("A secret question", token=DifferentToken(7, " secret", ""))))
    (kept,) = await store.rounds()
    assert (kept.prompt, kept.system, kept.sides[0].text, kept.sides[0].thinking) == (None, None, None, None)
    assert kept.sides[0].generation_rate == 40.0
    assert kept.apart == "differ from token 7"
    path = Path(store.place)
    held = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"secret" not in held
    assert b"scatters" not in held


async def test_a_run_is_open_until_it_is_complete(store: RoundsFile) -> None:
    run = suite_of()
    await store.begin_suite(run)
    right, unjudged = Result("t", "logic", "A", Mark(True), "4"), Result("u", "logic", "B", Mark(None, "died"))
    await store.keep_result(run.id, right, text=True)
    await store.keep_result(run.id, unjudged, text=False)
    (found,) = await store.open_suite(run.key)
    assert (found.id, found.results) == (run.id, (right, replace(unjudged, mark=Mark(None, ""))))
    for other in (suite_of(digest="d2"), suite_of(build="0.6"), suite_of(sampling={"seed": 1}),
                  suite_of(parties=(replace(BIG, hash="sha256:cc"), SMALL))):  # fmt: skip
        assert await store.open_suite(other.key) == []
    await store.end_suite(run.id)
    assert await store.open_suite(run.key) == []
    assert [suite.complete for suite in await store.suites()] == [True]


async def test_what_the_user_deletes_is_gone(store: RoundsFile) -> None:
    first, second, run = round_of(time=1.0), round_of(time=2.0), suite_of()
    for record in (first, second):
        await store.keep_round(record)
    await store.begin_suite(run)
    await store.keep_result(run.id, Result("t", "g", "A", Mark(True), "4"), text=True)
    assert await store.delete([first.id, "gone"]) == 1
    assert [record.id for record in await store.rounds()] == [second.id]
    assert await store.delete() == 2
    database = sqlite3.connect(store.place)
    for table in ("rounds", "round_sides", "suite_runs", "suite_results"):
        assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    database.close()


async def test_the_standing_of_a_pair_counts_votes_whichever_side_each_was_on(store: RoundsFile) -> None:
    for number in range(6):
        vote = Vote.B if number % 2 else Vote.A
        await store.keep_round(round_of(time=float(number), swap=bool(number % 2), vote=vote))
    await store.keep_round(round_of(time=9.0, vote=Vote.IDENTICAL))
    await store.keep_round(round_of(time=8.0))
    (standing,) = standings(await store.rounds())
    assert (standing.ballot.a, standing.ballot.b, standing.ballot.identical, standing.rounds) == (6, 0, 1, 8)
    assert standing.sentence.startswith("6 of 6 for Tiny Q8_0: better")


async def test_a_history_of_before_gets_the_new_tables(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite3"
    database = sqlite3.connect(path)
    database.executescript(MIGRATIONS[0] + "PRAGMA user_version = 1;")
    database.close()
    store = RoundsFile(HistoryFile(path))
    assert await store.empty()
    await store.keep_round(round_of())
    assert len(await store.rounds()) == 1


async def test_a_damaged_round_is_a_sentence(store: RoundsFile) -> None:
    await store.keep_round(round_of())
    database = sqlite3.connect(store.place)
    database.execute("UPDATE rounds SET sampling = '{'")
    database.commit()
    database.close()
    with pytest.raises(QtuiError, match="cannot be read"):
        await store.rounds()


async def test_a_hash_is_the_files_or_says_that_it_is_partial(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"x" * 5000)
    variant = make_variant(folder=tmp_path)
    variant = replace(variant, path=path, paths=(path,))
    whole = await FileHashes().hash(variant)
    assert whole == f"sha256:{hashlib.sha256(b'x' * 5000).hexdigest()}"
    partial = await FileHashes(whole_bytes=100).hash(variant)
    assert partial.startswith("partial:")
    path.write_bytes(b"x" * 4999 + b"y")
    assert await FileHashes(whole_bytes=100).hash(variant) != partial
    assert await FileHashes().hash(replace(variant, path=tmp_path / "gone")) == ""


async def test_a_file_of_the_cache_is_named_by_its_hash(tmp_path: Path) -> None:
    blobs = tmp_path / "models--x" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / ("ab" * 32)).write_bytes(b"x")
    link = tmp_path / "model.gguf"
    link.symlink_to(blobs / ("ab" * 32))
    assert await FileHashes().hash(replace(make_variant(), path=link)) == f"sha256:{'ab' * 32}"
