"""`duel --suite` over the scripted engine."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from qtui.core.errors import Failure
from tests.cli.world import BIG, SMALL, World
from tests.fakes import LoadScript, Reply

A, B = BIG.path.name, SMALL.path.name
DIED = Failure("the engine was killed (signal 9)", "another program may have needed the memory", "engine", ("bye",))
SUMS = "".join(
    f'[[task]]\nid = "t{n}"\nprompt = "What is {n} + 1?"\nnumber = {n + 1}\n' for n in range(8)
)  # fmt: skip


@pytest.fixture
def sums(tmp_path: Path) -> str:
    path = tmp_path / "sums.toml"
    path.write_text(SUMS)
    return str(path)


def answer(world: World, a: str, b: str) -> None:
    """Let both sides answer eight sums: + right, - wrong."""
    for variant, letters in ((BIG, a), (SMALL, b)):
        replies = [Reply(f"{n + 1 if letter == '+' else 99}") for n, letter in enumerate(letters)]
        world.engine.enqueue(*replies, variant=variant)


def test_scores_and_verdict_are_printed_and_the_status_is_0_whatever_they_say(world: World, sums: str) -> None:
    answer(world, "+" * 8, "-" * 8)
    ran = world.run("duel", A, B, "--suite", sums)
    assert ran.status == 0
    row = next(line for line in ran.out.splitlines() if line.startswith("sums"))
    assert row.split()[:6] == ["sums", "8", "10.0", "0.0", "8", "0"]
    assert row.endswith("A is better (p = 0.00781)")
    assert "t3: B is wrong: said 99, not 4" in ran.out
    assert "sums: 8 tasks for A and B" in ran.err


def test_the_same_answers_show_no_difference(world: World, sums: str) -> None:
    answer(world, "++++----", "++++----")
    ran = world.run("duel", A, B, "--suite", sums)
    assert ran.status == 0
    assert "no difference shown" in ran.out
    assert "they differ on" not in ran.out


def test_json_holds_every_answer_and_the_score(world: World, sums: str) -> None:
    answer(world, "++++++++", "+++++++-")
    body = world.run("duel", A, B, "--suite", sums, "--json").json
    assert set(body) == {"schema", "suite", "results", "score", "stopped"}
    assert len(body["results"]) == 16
    assert body["results"][0]["right"] is True
    assert body["score"]["groups"][0]["scores"] == [10.0, 8.75]
    assert body["suite"]["problems"] == []


def test_a_suite_with_errors_says_where_and_runs_the_rest(world: World, tmp_path: Path) -> None:
    path = tmp_path / "half.toml"
    path.write_text(SUMS + '[[task]]\nid = "bad"\nprompt = "x"\nnumber = "y"\n')
    ran = world.run("duel", A, B, "--suite", str(path), "--json")
    assert ran.status == 0
    assert ran.json["suite"]["problems"] == ["line 36: task bad: number: is not a number"]
    assert "half: line 36: task bad: number: is not a number; it is left out" in ran.err
    assert ran.json["suite"]["tasks"] == 8


def test_a_suite_that_is_not_there_names_those_that_are(world: World) -> None:
    ran = world.run("duel", A, B, "--suite", "nosuch")
    assert ran.status == 2
    assert "there is no suite nosuch" in ran.err
    assert "logic" in ran.err


def test_an_own_suite_takes_the_place_of_a_shipped_one(world: World, tmp_path: Path) -> None:
    (tmp_path / "logic.toml").write_text(SUMS)
    world.own_suites = tmp_path
    assert world.run("duel", A, B, "--suite", "logic", "--json").json["suite"]["tasks"] == 8


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("Why?",), "does not go with a prompt"),
        (("--rounds", "3"), "does not go with --rounds"),
        (("--mode", "together"), "does not go with --mode"),
    ],
)
def test_what_does_not_go_with_a_suite_is_refused(world: World, sums: str, more: tuple[str, ...], said: str) -> None:
    ran = world.run("duel", A, B, *more, "--suite", sums)
    assert ran.status == 2
    assert said in ran.err
    assert world.run("duel", A, B, "Why?", "--allow-exec").status == 2


def test_a_side_that_dies_is_loaded_again_and_the_rest_is_kept(world: World, sums: str) -> None:
    world.engine.enqueue(*[Reply("1")] * 3, Reply("x", failure=DIED, fatal=True), variant=SMALL)
    ran = world.run("duel", A, B, "--suite", sums, "--json")
    assert ran.status == 0
    assert "t3 again: B: the engine was killed" in ran.err
    assert len(ran.json["results"]) == 16


def test_what_a_model_without_a_template_cannot_be_asked_is_said(world: World) -> None:
    world.engine.loads[SMALL.path] = LoadScript(template="chatml")
    ran = world.run("duel", A, B, "--suite", "logic")
    assert ran.status == 0
    assert "14 not judged on B: the model has no chat template" in ran.out
    assert "nothing could be judged" in ran.out


def test_code_is_run_only_with_leave_and_that_is_said(world: World, tmp_path: Path) -> None:
    path = tmp_path / "code.toml"
    path.write_text(
        '[[task]]\nid = "f"\nprompt = "f"\n[task.code]\nfunction = "f"\ncases = [{ call = [1], gives = 2 }]\n'
    )
    world.engine.default = Reply("def f(x):\n    return x")
    parsed = world.run("duel", A, B, "--suite", str(path), "--json")
    assert [result["right"] for result in parsed.json["results"]] == [True, True]
    run = world.run("duel", A, B, "--suite", str(path), "--json", "--allow-exec")
    assert [result["reason"] for result in run.json["results"]] == ["f(1) gives 1, not 2"] * 2
    assert "code that the models write is run" in run.err


def test_a_signal_keeps_what_is_judged(world: World, sums: str) -> None:
    world.engine.signals = [signal.SIGINT]
    ran = world.run("duel", A, B, "--suite", sums, "--json")
    assert ran.status == 130
    assert ran.json["stopped"] is True
    assert len(ran.json["results"]) < 16
