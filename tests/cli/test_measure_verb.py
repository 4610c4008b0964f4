"""`measure` over a scripted measurer: the table, the object of --json, and every way in which it ends."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from qtui.core.errors import EngineError
from qtui.core.measure.messages import ChunkMeasured, MeasureEvent, MeasureJob
from qtui.core.measure.ports import MeasureParts
from qtui.services.history import HistoryFile
from qtui.services.measure_files import MeasureFolder
from qtui.services.measurements import MeasurementsFile
from qtui.services.texts import TextFiles
from tests.cli.world import World
from tests.core.measure.scripted import BIG, SMALL, TINY, ScriptedMeasurer
from tests.fakes import FakeLibrary

F16, Q4, Q2 = (variant.path.name for variant in (BIG, SMALL, TINY))


class Interrupting(ScriptedMeasurer):
    """Sends this process a Ctrl-C after a chunk, as a user who has to leave does."""

    at = -1

    async def run(self, job: MeasureJob) -> AsyncGenerator[MeasureEvent, None]:
        async for event in super().run(job):
            yield event
            if isinstance(event, ChunkMeasured) and event.index == self.at:
                self.at = -1
                os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def measurer() -> Interrupting:
    return Interrupting()


@pytest.fixture
def measuring(world: World, measurer: Interrupting, tmp_path: Path) -> World:
    world.library = FakeLibrary(BIG, SMALL, TINY)
    world.kept = tmp_path / "history.sqlite3"
    store = MeasurementsFile(HistoryFile(world.kept))
    world.measures = MeasureParts(measurer, MeasureFolder(tmp_path / "measure"), TextFiles(), store)
    return world


def test_one_table_with_everything_and_how_it_was_measured(measuring: World) -> None:
    ran = measuring.run("measure", Q4, Q2, "--reference", F16)
    assert ran.status == 0
    head, reference, first, second, method, bands, warning = ran.out.splitlines()
    assert head.split() == [
        "VARIANT", "SIZE", "GiB", "%", "OF", "F16", "BPW", "PPL", "±", "KLD", "±", "SAME", "TOP", "%", "T/S", "PEAK",
        "GiB", "WHICH", "IS",
    ]  # fmt: skip
    assert reference.startswith("Tiny F16") and reference.endswith("the reference") and "–" in reference
    assert "no measurable" not in first and first.endswith("good") and " 49.8 " in first
    assert second.endswith("only if nothing else fits")
    assert "against F16, text mixed, 10 x 512 tokens, 2550 of them scored" in method
    assert "below 0.015 no measurable difference" in bands and "not comparable" in warning
    assert "take 538 KiB of" in ran.err and "kept in the cache" in ran.err


def test_the_object_is_what_the_design_says(measuring: World) -> None:
    body = measuring.run("measure", Q4, Q2, "--reference", F16, "--chunks", "6", "--json").json
    assert {"reference", "text", "n_ctx", "chunks", "results"} <= set(body)
    assert body["reference"] == str(BIG.path) and (body["n_ctx"], body["chunks"]) == (512, 6)
    assert set(body["text"]) == {"name", "sha256", "tokens"}
    first = body["results"][0]
    assert first["file"] == str(SMALL.path)
    assert set(first["perplexity"]) == set(first["reference_perplexity"]) == {"value", "stderr"}
    assert {"mean", "stderr", "median", "p99", "max"} <= set(first["kl_divergence"])
    assert 0 < first["same_top_token"]["value"] < 1 and first["band"] == "good"
    assert body["complete"] is True and "error" not in body
    kept = measuring.run("history", "--json").json["measurements"]
    assert [record["file"] for record in kept] == [str(TINY.path), str(SMALL.path)]
    assert kept[0]["hash"] == f"sha256:{Q2}" and kept[0]["text"]["name"] == "mixed" and kept[0]["build"]


def test_the_history_lists_exports_and_deletes_measurements(measuring: World, tmp_path: Path) -> None:
    measuring.run("measure", Q4, Q2, "--reference", F16)
    listed = measuring.run("history").out
    assert "Tiny Q4_K_M" in listed and "against F16, text mixed" in listed
    assert "Q2_K" not in measuring.run("history", "q4_k").out
    for kind in ("md", "html", "json"):
        out = tmp_path / f"report.{kind}"
        assert "2 measurements" in measuring.run("history", "--export", str(out)).out
        assert all(word in out.read_text() for word in ("Q4\\_K\\_M" if kind == "md" else "Q4_K_M", "mixed", Q2[:4]))
    identity = measuring.run("history", "--json").json["measurements"][0]["id"]
    assert measuring.run("history", "--delete", identity[:8], "--json").json["deleted"] == 1
    assert len(measuring.run("history", "--json").json["measurements"]) == 1
    assert measuring.run("history", "--delete-all", "--yes", "--json").json["deleted"] == 1


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(measuring: World, measurer: Interrupting) -> None:
    measurer.at = 3
    stopped = measuring.run("measure", Q4, "--reference", F16, "--json")
    assert stopped.status == 130 and stopped.json["error"]["kind"] == "interrupted"
    assert stopped.json["results"] == [] and stopped.json["complete"] is False
    assert "the same command goes on" in stopped.err
    measurer.journal.clear()
    assert measuring.run("measure", Q4, "--reference", F16).status == 0
    done = {task: before for task, _, before in measurer.journal}
    assert 4 <= done["reference"] < 10 and done["compare"] == 0
    measurer.at = 5
    partly = measuring.run("measure", Q2, "--reference", F16)
    assert partly.status == 130 and "stopped at chunk" in partly.out
    assert json.loads(json.dumps(measuring.run("measure", Q2, "--reference", F16, "--json").json))["complete"]


def test_one_that_fails_leaves_the_others(measuring: World, measurer: Interrupting) -> None:
    measurer.failing[SMALL.path] = EngineError("the model computes no numbers (NaN)", "check the file's hash")
    ran = measuring.run("measure", Q4, Q2, "--reference", F16, "--json")
    assert ran.status == 1 and ran.json["error"]["message"] == "the model computes no numbers (NaN)"
    assert [result["file"] for result in ran.json["results"]] == [str(TINY.path), str(SMALL.path)]
    assert "kl_divergence" in ran.json["results"][0] and "error" in ran.json["results"][1]
    assert "hint: check the file's hash" in ran.err


def test_what_is_asked_for_wrongly(measuring: World, measurer: Interrupting) -> None:
    wrong: list[tuple[tuple[str, ...], str]] = [
        (("measure",), "at least one VARIANT"),
        (("measure", Q4), "--reference"),
        (("measure", Q4, "--reference", F16, "--logits", "x"), "not allowed with"),
        (("measure", Q4, "--logits", "x", "--text", "y"), "hold their own tokens"),
        (("measure", Q4, "--reference", F16, "--ctx-size", "8"), "out of range"),
    ]
    for arguments, said in wrong:
        ran = measuring.run(*arguments)
        assert ran.status == 2 and said in ran.err
    missing: list[tuple[tuple[str, ...], str]] = [
        (("measure", Q4, "--logits", "/nowhere/x.kld"), "cannot read"),
        (("measure", Q4, "--reference", F16, "--text", "/nowhere/text"), "cannot read the text"),
    ]
    for arguments, said in missing:
        ran = measuring.run(*arguments)
        assert ran.status == 1 and said in ran.err
    measurer.vocabulary[SMALL.path] = 99
    ran = measuring.run("measure", Q4, "--reference", F16)
    assert ran.status == 2 and "vocabulary of 99 tokens, Tiny F16 one of 100" in ran.err


def test_logits_are_saved_and_used_and_the_cache_is_cleaned(measuring: World, tmp_path: Path) -> None:
    file = str(tmp_path / "base.kld")
    assert "base.kld" in measuring.run("measure", Q4, "--reference", F16, "--save-logits", file).err
    ran = measuring.run("measure", Q2, "--logits", file, "--json")
    assert ran.json["reference"] == file and ran.json["reference_is"] == "stored logits"
    assert len(ran.json["results"]) == 1 and ran.json["results"][0]["share_of_reference"] is None
    measuring.run("measure", Q4, "--reference", F16)
    assert measuring.run("measure", "--clean", "--json").json["freed"] > 100_000
    assert Path(file).exists()
    assert measuring.run("measure", "--clean").out == "0 B freed\n"


def test_nothing_is_kept_where_the_user_wants_nothing_kept(measuring: World, tmp_path: Path) -> None:
    measuring.config = tmp_path
    (tmp_path / "settings.toml").write_text('[history]\nkeep = "nothing"\n')
    assert measuring.run("measure", Q4, "--reference", F16).status == 0
    assert measuring.run("history", "--json").json["measurements"] == []


def test_without_a_measurer_it_says_so(world: World) -> None:
    ran = world.run("measure", "a", "--reference", "b")
    assert ran.status == 1 and "nothing can be measured" in ran.err
