"""`duel --blind`: nothing tells the sides apart before the vote; votes reach the right side."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from qtui.core.duel.ballot import Vote
from qtui.core.duel.blind import Blinding
from tests.cli.world import BIG, SMALL, World
from tests.fakes import Reply

A, B = BIG.path.name, SMALL.path.name


def says(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def shuffle(monkeypatch: pytest.MonkeyPatch, *swapped: bool) -> None:
    drawn = iter(swapped)
    monkeypatch.setattr(Blinding, "draw", staticmethod(lambda: Blinding(next(drawn))))


def answers(world: World, rounds: int) -> None:
    for number in range(rounds):
        world.engine.enqueue(Reply(f"from the big one {number}", generation_rate=11.5), variant=BIG)
        world.engine.enqueue(Reply(f"from the small one {number}", generation_rate=99.5), variant=SMALL)


@pytest.mark.parametrize(("swapped", "said", "vote"), [
    (False, "1\n", "a"), (True, "1\n", "b"), (False, "2\n", "b"), (True, "2\n", "a"),
    (True, "=\n", "tie"), (False, "X\n", "both_bad"), (False, "what\n\n2\n", "b"),
])  # fmt: skip
def test_a_vote_for_a_place_is_one_for_the_side_that_stands_there(
    world: World, monkeypatch: pytest.MonkeyPatch, swapped: bool, said: str, vote: str
) -> None:
    shuffle(monkeypatch, swapped)
    says(monkeypatch, said)
    answers(world, 1)
    body = world.run("duel", A, B, "Why?", "--blind", "--json").json
    assert body["rounds"][0]["vote"] == vote


@pytest.mark.parametrize("swapped", [False, True])
def test_before_the_vote_nothing_tells_the_sides_apart(
    world: World, monkeypatch: pytest.MonkeyPatch, swapped: bool
) -> None:
    shuffle(monkeypatch, swapped)
    answers(world, 1)
    seen: dict[str, str] = {}

    class Asked:
        def readline(self, size: int = -1) -> str:
            seen["out"], seen["err"] = world.capsys.readouterr()
            return "1\n"

    monkeypatch.setattr(sys, "stdin", Asked())
    ran = world.run("duel", A, B, "Why?", "--blind")
    first, second = ("small", "big") if swapped else ("big", "small")
    assert seen["out"] == f"> Why?\n\n1\nfrom the {first} one 0\n\n2\nfrom the {second} one 0\n\n"
    for word in ("Q8_0", "Q2_K", "Tiny", "GiB", "t/s", "11.5", "99.5", "A:", "B:", ".gguf"):
        assert word not in seen["out"] + seen["err"], word
    assert "A  Tiny Q8_0" in ran.out
    assert "99.5" in ran.out


def test_identical_answers_ask_for_no_vote(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "")
    ran = world.run("duel", A, B, "Why?", "--blind", "--json")
    assert ran.json["rounds"][0]["vote"] == "identical"
    assert "better:" not in ran.err


def test_ballots_are_kept_and_add_up_over_runs(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    world.kept = tmp_path / "history.sqlite3"
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("".join(f"Question {number}?\n" for number in range(10)))
    swaps = [True, False] * 5
    shuffle(monkeypatch, *swaps)
    says(monkeypatch, "".join("2\n" if swapped else "1\n" for swapped in swaps[:9]) + "2\n")
    answers(world, 10)
    ran = world.run("duel", A, B, "--prompts", str(prompts), "--blind")
    assert ran.status == 0
    assert ran.out.splitlines()[-1].startswith("9 of 10 for A Tiny Q8_0: better, as far as these votes go (p = 0.021")
    standing = world.run("history", "--standings").out
    assert standing.startswith("Tiny Q8_0 / Tiny Q2_K: 10 rounds; 9 of 10 for Tiny Q8_0: better")
    assert all(record["blind"] for record in world.run("history", "--json").json["rounds"])


def test_when_nobody_votes_any_more_it_ends_with_what_there_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "")
    answers(world, 1)
    ran = world.run("duel", A, B, "Why?", "--blind", "--json")
    assert ran.status == 0
    assert ran.json["rounds"][0]["vote"] is None
    assert ran.json["ballot"]["sentence"] == "no votes for either side yet"


def test_what_does_not_go_with_blind_is_refused(world: World) -> None:
    for more in (("--rounds", "2"), ("--mode", "together")):
        assert world.run("duel", A, B, "Why?", "--blind", *more).status == 2


def test_both_shuffles_are_drawn() -> None:
    assert {Blinding.draw().swapped for _ in range(200)} == {False, True}
    assert Blinding(True).vote("nonsense") is None
    assert Blinding(True).vote(" 1 ") is Vote.B


def test_a_signal_at_the_vote_ends_the_wait_and_shows_what_was_voted(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shuffle(monkeypatch, False, False, False)
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("One?\nTwo?\nThree?\n")
    answers(world, 3)
    rest = threading.Event()

    class Asked:
        said = 0

        def readline(self, size: int = -1) -> str:
            self.said += 1
            if self.said == 1:
                return "1\n"
            os.kill(os.getpid(), signal.SIGINT)
            rest.wait(60)
            return ""

    monkeypatch.setattr(sys, "stdin", Asked())
    try:
        ran = world.run("duel", A, B, "--prompts", str(prompts), "--blind", "--json")
    finally:
        rest.set()
    assert ran.status == 130
    assert ran.json["error"]["kind"] == "interrupted"
    assert [one["vote"] for one in ran.json["rounds"]] == ["a", None]
    assert ran.json["ballot"]["a"] == 1
