"""`history`, and what `ask` and `duel` keep for it."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import Failure
from tests.cli.test_suite_verb import SUMS, answer
from tests.cli.world import BIG, SMALL, World
from tests.fakes import Reply

A, B = BIG.path.name, SMALL.path.name


@pytest.fixture
def keeping(world: World, tmp_path: Path) -> World:
    world.kept = tmp_path / "history.sqlite3"
    world.config = tmp_path
    return world


def choose(world: World, keep: str) -> None:
    assert world.config is not None
    (world.config / "settings.toml").write_text(f'[history]\nkeep = "{keep}"\n')


def test_duel_and_ask_keep_their_rounds_and_say_so_the_first_time(keeping: World) -> None:
    keeping.engine.enqueue(Reply("blue because of air"), variant=BIG)
    first = keeping.run("duel", A, B, "Why is the sky blue?")
    assert "prompts, answers and numbers are kept in" in first.err
    assert "history.keep = all, numbers or nothing" in first.err
    second = keeping.run("ask", A, "What is tea?", "--system", "Be short.")
    assert "are kept in" not in second.err
    body = keeping.run("history", "--json").json
    assert [record["prompt"] for record in body["rounds"]] == ["What is tea?", "Why is the sky blue?"]
    newest, oldest = body["rounds"]
    assert newest["system"] == "Be short."
    assert [side["hash"] for side in oldest["sides"]] == [f"sha256:{A}", f"sha256:{B}"]
    assert oldest["sides"][0]["text"] == "blue because of air"
    assert oldest["sides"][0]["plan"]["ctx_size"] == 4096
    assert oldest["build"] == "0.5.0 (abcdef0)"
    ran = keeping.run("history")
    assert "Tiny Q8_0 / Tiny Q2_K" in ran.out
    assert "40.0 / 40.0" in ran.out


def test_numbers_hold_no_text_and_nothing_keeps_nothing(keeping: World) -> None:
    choose(keeping, "numbers")
    told = keeping.run("duel", A, B, "A secret")
    assert "numbers, without any text, are kept" in told.err
    assert keeping.run("history", "--json").json["rounds"][0]["prompt"] is None
    assert "(not kept)" in keeping.run("history").out
    choose(keeping, "nothing")
    keeping.run("duel", A, B, "Another")
    assert len(keeping.run("history", "--json").json["rounds"]) == 1


def test_it_is_searched(keeping: World) -> None:
    keeping.run("ask", A, "What is tea?")
    keeping.run("ask", A, "What is milk?")
    body = keeping.run("history", "TEA", "--json").json
    assert [record["prompt"] for record in body["rounds"]] == ["What is tea?"]
    assert "nothing found" in keeping.run("history", "coffee").out


def test_rounds_are_deleted_by_the_beginning_of_their_id(keeping: World) -> None:
    keeping.run("ask", A, "What is tea?")
    keeping.run("ask", A, "What is milk?")
    newest, oldest = (record["id"] for record in keeping.run("history", "--json").json["rounds"])
    assert keeping.run("history", "--delete", oldest[:8], "--json").json["deleted"] == 1
    assert [record["id"] for record in keeping.run("history", "--json").json["rounds"]] == [newest]
    assert keeping.run("history", "--delete", "zz").status == 2
    assert keeping.run("history", "--delete", "").status == 2
    assert keeping.run("history", "--delete-all").status == 2
    assert keeping.run("history", "--delete-all", "--yes").out == "1 deleted\n"
    assert "nothing kept yet" in keeping.run("history").out


def test_measured_rounds_are_kept_each(keeping: World) -> None:
    keeping.run("duel", A, B, "Why?", "--rounds", "3")
    assert len(keeping.run("history", "--json").json["rounds"]) == 3


def test_a_suite_is_kept_and_taken_up_where_it_was_left(keeping: World, tmp_path: Path) -> None:
    path = tmp_path / "sums.toml"
    path.write_text(SUMS)
    keeping.engine.signals = [signal.SIGINT]
    answer(keeping, "+" * 8, "-" * 8)
    first = keeping.run("duel", A, B, "--suite", str(path), "--json")
    assert first.status == 130
    known = len(first.json["results"])
    keeping.engine.signals = []
    keeping.engine.default = Reply("0")
    second = keeping.run("duel", A, B, "--suite", str(path), "--json")
    assert second.status == 0
    assert len(second.json["results"]) == 16
    if known:
        assert f"{known} results are there already" in second.err
    body = keeping.run("history", "--json").json
    assert [(run["suite"], run["complete"], len(run["results"])) for run in body["suites"]] == [("sums", True, 16)]
    third = keeping.run("duel", A, B, "--suite", str(path), "--json")
    assert "there already" not in third.err
    assert len(keeping.run("history", "--json").json["suites"]) == 2


def test_a_history_that_cannot_be_written_stops_no_duel_and_is_said_once(world: World, tmp_path: Path) -> None:
    world.kept = tmp_path / "nowhere" / "history.sqlite3"
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("One?\nTwo?\n")
    ran = world.run("duel", A, B, "--prompts", str(prompts))
    assert ran.status == 0
    assert ran.err.count("this is not kept") == 1
    assert "a b c" in ran.out


@pytest.mark.parametrize("kind", [".html", ".md", ".json"])
def test_it_is_exported_whole(keeping: World, tmp_path: Path, kind: str) -> None:
    keeping.engine.enqueue(Reply("<script>alert(1)</script> ``` &"), variant=BIG)
    keeping.run("duel", A, B, "Why?")
    out = tmp_path / f"all{kind}"
    ran = keeping.run("history", "--export", str(out))
    assert "1 rounds, 0 suite runs and 0 measurements are in" in ran.out
    text = out.read_text()
    assert "Tiny" in text
    if kind == ".html":
        assert "<script" not in text
        assert "&lt;script&gt;" in text
    elif kind == ".md":
        assert "````\n<script>alert(1)</script> ``` &\n````" in text
    else:
        assert json.loads(text)["rounds"][0]["sides"][0]["text"] == "<script>alert(1)</script> ``` &"
    assert keeping.run("history", "--export", str(tmp_path / "all.txt")).status == 2


def test_a_report_of_this_run_is_written_whatever_the_history_keeps(keeping: World, tmp_path: Path) -> None:
    choose(keeping, "nothing")
    out = tmp_path / "report.html"
    ran = keeping.run("duel", A, B, "Why is it so?", "--rounds", "6", "--out", str(out))
    assert ran.status == 0
    text = out.read_text()
    assert "Why is it so?" in text
    assert text.count("<svg") == 3
    assert "one side computes at a time" in text
    assert keeping.run("duel", A, B, "Why?", "--out", "report.pdf").status == 2
    opened = len(keeping.engine.sessions)
    nowhere = keeping.run("duel", A, B, "Why?", "--out", str(tmp_path / "none" / "x.html"))
    assert nowhere.status == 1 and "its folder is not there" in nowhere.err
    assert len(keeping.engine.sessions) == opened, "nothing is computed for a report that cannot be written"
    assert "its folder is not there" in keeping.run("history", "--export", str(tmp_path / "none" / "x.md")).err


def test_a_suite_has_a_report_with_its_scores(keeping: World, tmp_path: Path) -> None:
    path, out = tmp_path / "sums.toml", tmp_path / "report.html"
    path.write_text(SUMS)
    answer(keeping, "+" * 8, "-" * 8)
    keeping.run("duel", A, B, "--suite", str(path), "--out", str(out))
    text = out.read_text()
    assert "A is better (p = 0.00781)" in text
    assert text.count("<svg") == 2
    assert "http" not in text.replace("http-equiv", "")


def test_a_failed_round_is_not_kept(keeping: World) -> None:
    keeping.dry_run.totals[BIG.path] = 1 << 50
    keeping.run("ask", A, "Why?", "--load-mode", "none")
    assert keeping.run("history", "--json").json["rounds"] == []


def test_names_that_a_terminal_acts_on_stay_words(keeping: World) -> None:
    evil = replace(BIG, model="\x1b[31mTiny\u202e<b>|")
    keeping.library.variants[0] = evil
    keeping.engine.enqueue(Reply("x", failure=Failure("\x1b]0;bad\x07")))
    keeping.run("duel", str(evil.path), B, "Why \x1b[2J?")
    ran = keeping.run("history")
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
