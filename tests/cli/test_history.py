"""`fit --history`, and what the verbs leave in it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from qtui.cli.services import Services
from qtui.core.memory.actual import Actual
from qtui.core.text import MIB
from qtui.services.history import HistoryFile
from tests.cli.world import BIG, SMALL, World

NEEDS = BIG.size + 64 * MIB  # what the fake dry run says
LONG = "word " * 600


@dataclass
class HistoryWorld(World):
    """The command with a real history, and sessions that hold what a test says."""

    held: Actual = field(default_factory=lambda: Actual(44 * MIB, BIG.size, 20 * MIB, 0, 0))
    store: HistoryFile = field(default_factory=HistoryFile)

    def wire(self, options: Namespace) -> Services:
        return replace(super().wire(options), history=self.store, actuals=self)

    async def actual(self, pid: int, files: Sequence[Path]) -> Actual:
        return self.held


@pytest.fixture
def world(capsys: pytest.CaptureFixture[str]) -> HistoryWorld:
    return HistoryWorld(capsys)


def test_a_history_that_never_was(world: HistoryWorld) -> None:
    ran = world.run("fit", "--history")
    assert (ran.status, ran.out) == (0, "no runs yet: ask, duel, bench and the Arena record theirs\n")
    assert world.run("fit", "--history", "--json").json == {"schema": 1, "runs": [], "unaccounted": {}}
    assert not world.store.path.exists()


def test_what_ask_and_duel_did_is_there_with_its_difference(world: HistoryWorld) -> None:
    asked = world.run("ask", str(BIG.path), LONG)
    assert f"est {NEEDS / (1 << 30):.4f} · actual {NEEDS / (1 << 30):.4f} (+0.0 %) GiB" in asked.err
    world.held = replace(world.held, anonymous=80 * MIB)
    duel = world.run("duel", str(BIG.path), str(SMALL.path), LONG, "--json").json
    assert [side["differences"][-1]["percent"] for side in duel["sides"]] == [pytest.approx(9.89, abs=0.01)] * 2
    assert [side["actual_total"] for side in duel["sides"]] == [BIG.size + 100 * MIB] * 2
    world.run("ask", str(SMALL.path), "short")
    runs = world.run("fit", "--history", "--json").json["runs"]
    assert [(run["quant"], run["full_prompt"]) for run in runs] == [
        ("Q2_K", False), ("Q2_K", True), ("Q8_0", True), ("Q8_0", True),
    ]  # fmt: skip
    assert [run["differences"][-1]["percent"] for run in runs[2:]] == [pytest.approx(9.89, abs=0.01), 0.0]
    assert runs[3]["generation_rate"] is None  # three tokens are too few for a rate
    lines = world.run("fit", "--history").out.splitlines()
    assert [line.split()[-4] for line in lines[1:5]] == ["%*", "%", "%", "%"] or "+9.9 %*" in lines[1]
    only = world.run("fit", "--history", str(BIG.path), "--json").json["runs"]
    assert [run["quant"] for run in only] == ["Q8_0", "Q8_0"]


def test_bench_records_every_file_once(world: HistoryWorld) -> None:
    world.engine.default = replace(world.engine.default, text="a " * 16)
    world.run("bench", str(BIG.path), "--generate", "16", "--prompt-tokens", "0", "--repeats", "2")
    (run,) = world.run("fit", "--history", "--json").json["runs"]
    assert (run["answers"], run["generation_rate"]) == (3, 40.0)


def test_a_damaged_history_stops_no_run_and_is_a_sentence(world: HistoryWorld) -> None:
    world.store = HistoryFile()
    world.store.path.parent.mkdir(parents=True, exist_ok=True)
    world.store.path.write_bytes(b"no database" * 500)
    asked = world.run("ask", str(BIG.path), "hi")
    assert asked.status == 0
    assert asked.out == "a b c\n"
    assert "note: this run is not recorded: the history" in asked.err and "Traceback" not in asked.err
    shown = world.run("fit", "--history", "--json")
    assert shown.status == 1 and "is damaged" in shown.json["error"]["message"]


def test_fit_without_a_variant_says_what_to_do(world: HistoryWorld) -> None:
    ran = world.run("fit")
    assert ran.status == 2 and "--history" in ran.err
