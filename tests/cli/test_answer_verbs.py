"""`ask` and `duel` over the scripted engine."""

from __future__ import annotations

import asyncio
import io
import signal
import sys
from pathlib import Path

import pytest

from qtui.core.duel.conversation import DUEL_SAMPLING, Sampling
from qtui.core.errors import Failure, PlanRefusedError
from qtui.core.text import GIB
from tests.cli.world import BIG, SMALL, World
from tests.fakes import Reply

A, B = BIG.path.name, SMALL.path.name
DIED = Failure("the engine was killed (signal 9)", "another program may have needed the memory", "engine", ("bye",))
SIDE_KEYS = {
    "file", "quant", "text", "thinking", "finish_reason", "prompt_tokens", "generated_tokens", "load_time",
    "time_to_first_token", "prompt_rate", "generation_rate", "peak_rss", "estimated_total", "actual_total",
    "degeneration",
}  # fmt: skip


def test_ask_writes_the_answer_to_stdout_and_its_measurements_to_stderr(world: World) -> None:
    world.engine.enqueue(Reply("the sky is blue", thinking="hmm"))
    ran = world.run("ask", A, "Why?")
    assert ran.status == 0
    assert ran.out == "the sky is blue\n"
    assert "40.0 t/s" in ran.err
    assert "hmm" not in ran.err
    assert world.closed == 1


def test_ask_shows_thinking_when_asked(world: World) -> None:
    world.engine.enqueue(Reply("blue", thinking="hmm"))
    ran = world.run("ask", A, "Why?", "--show-thinking")
    assert ran.out == "blue\n"
    assert "hmm" in ran.err


def test_ask_as_json_is_one_object(world: World) -> None:
    world.engine.enqueue(Reply("the sky is blue", thinking="hmm"))
    ran = world.run("ask", A, "Why?", "--json", "--ctx-size", "512")
    body = ran.json
    assert SIDE_KEYS | {"prompt", "schema"} <= set(body)
    assert (body["text"], body["thinking"], body["prompt"]) == ("the sky is blue", "hmm", "Why?")
    assert body["plan"]["ctx_size"] == 512
    assert "error" not in body


def test_ask_passes_on_what_was_asked_for(world: World) -> None:
    world.run(
        "ask", A, "Why?", "--raw", "--system", "Be short.", "--temperature", "0.5", "--top-k", "7", "--top-p", "0.9",
        "--min-p", "0.1", "--repeat-penalty", "1.1", "--seed", "3", "--max-tokens", "9", "--stop", "X", "--stop", "Y",
    )  # fmt: skip
    request = world.engine.sessions[0].requests[0]
    assert request.raw == "Why?"
    assert request.messages[0].content == "Be short."
    assert request.sampling == Sampling(0.5, 7, 0.9, 0.1, 1.1, 3, 9, ("X", "Y"))


def test_sampling_defaults_are_llama_cpps_for_ask_and_greedy_for_duel(world: World) -> None:
    world.run("ask", A, "Why?")
    world.run("duel", A, B, "Why?")
    assert world.engine.sessions[0].requests[0].sampling == Sampling()
    assert world.engine.sessions[1].requests[0].sampling == DUEL_SAMPLING


def test_a_prompt_may_come_from_standard_input(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("Größe?\nTwo\n".encode())))
    assert world.run("ask", A, "-", "--json").json["prompt"] == "Größe?\nTwo"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_answer_and_keeps_what_came(world: World, number: signal.Signals) -> None:
    world.engine.signals = [number]
    world.engine.enqueue(Reply("first words never finished", hold=asyncio.Event(), hold_after=2))
    ran = world.run("ask", A, "Why?")
    assert ran.status == 130
    assert ran.out.startswith("first ")
    assert "interrupted" in ran.err
    assert world.closed == 1


def test_an_interrupted_answer_as_json_is_still_one_object(world: World) -> None:
    world.engine.signals = [signal.SIGINT]
    world.engine.enqueue(Reply("first words never finished", hold=asyncio.Event(), hold_after=2))
    ran = world.run("ask", A, "Why?", "--json")
    assert ran.status == 130
    assert ran.json["finish_reason"] == "cancelled"
    assert ran.json["text"].startswith("first ")
    assert ran.json["error"]["kind"] == "interrupted"


def test_a_second_signal_ends_a_verb_that_does_not_stop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from qtui.core.duel.run import Duel

    async def deaf(_: Duel) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Duel, "stop", deaf)
    world.engine.signals = [signal.SIGINT]
    world.engine.enqueue(Reply("first words never finished", hold=asyncio.Event(), hold_after=2))
    ran = world.run("ask", A, "Why?", "--json")
    assert ran.status == 130
    assert ran.json["error"]["kind"] == "interrupted"
    assert world.closed == 1


def test_an_engine_that_dies_leaves_what_it_said_and_its_last_words(world: World) -> None:
    world.engine.enqueue(Reply("half an", failure=DIED, fatal=True))
    ran = world.run("ask", A, "Why?")
    assert ran.status == 1
    assert ran.out == "half an\n"
    assert DIED.message in ran.err
    assert DIED.hint in ran.err
    assert "| bye" in ran.err


def test_the_guard_refuses_before_a_child_starts_and_force_loads(world: World) -> None:
    world.dry_run.totals[BIG.path] = 40 * GIB
    ran = world.run("ask", A, "Why?", "--load-mode", "none", "--json")
    assert ran.status == 1
    assert ran.json["error"]["kind"] == "memory"
    assert "--force" in ran.json["error"]["hint"]
    assert world.engine.sessions == []
    assert world.run("ask", A, "Why?", "--load-mode", "none", "--force").out == "a b c\n"


def test_a_plan_that_llama_cpp_refuses_is_its_sentence(world: World) -> None:
    world.dry_run.errors[BIG.path] = PlanRefusedError("the cache block does not divide the head size", "take f16")
    ran = world.run("ask", A, "Why?")
    assert ran.status == 1
    assert "does not divide" in ran.err
    assert "hint: take f16" in ran.err


def test_duel_shows_both_answers_their_numbers_and_the_method(world: World) -> None:
    world.engine.enqueue(Reply("23 + 45 = 68."), variant=BIG)
    world.engine.enqueue(Reply("23 + 45 = 67.", generation_rate=55.5), variant=SMALL)
    ran = world.run("duel", A, B, "What is 23 + 45?")
    assert ran.status == 0
    assert ran.out.index("A  Tiny Q8_0\n23 + 45 = 68.") < ran.out.index("B  Tiny Q2_K\n23 + 45 = 67.")
    assert [line.split() for line in ran.out.splitlines() if line.startswith("generated")] == [
        ["generated,", "t/s", "40.0", "55.5"]
    ]
    assert "the answers: differ from word 5 (token 5: “68.” or “67.”), share 80 % of words" in ran.out
    assert "alternating · seed 42 · temp 0 · ctx 4096 · empty cache" in ran.out


def test_duel_as_json_has_the_shape_that_programs_rely_on(world: World) -> None:
    body = world.run("duel", A, B, "Why?", "--json", "--mode", "together").json
    assert set(body) == {"schema", "prompt", "mode", "sides", "difference"}
    assert body["mode"] == "together"
    assert [side["quant"] for side in body["sides"]] == ["Q8_0", "Q2_K"]
    assert all(set(side) >= SIDE_KEYS for side in body["sides"])
    assert body["difference"]["identical"] is True


def test_duel_takes_turns_where_both_do_not_fit(world: World) -> None:
    world.dry_run.totals = {BIG.path: 10 * GIB, SMALL.path: 10 * GIB}
    ran = world.run("duel", A, B, "Why?", "--json")
    assert ran.json["mode"] == "in_turn"
    assert "do not fit" in ran.err


def test_a_side_that_dies_leaves_the_other_one_and_status_1(world: World) -> None:
    world.engine.enqueue(Reply("half an", failure=DIED, fatal=True), variant=BIG)
    ran = world.run("duel", A, B, "Why?", "--json")
    assert ran.status == 1
    first, second = ran.json["sides"]
    assert first["error"]["message"] == DIED.message
    assert second["text"] == "a b c"
    assert ran.json["error"]["kind"] == "engine"
    assert DIED.message in ran.err


def test_a_signal_stops_both_sides_and_the_rounds_that_follow(world: World, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("One?\nTwo?\n")
    world.engine.signals = [signal.SIGINT]
    world.engine.enqueue(Reply("first words never finished", hold=asyncio.Event(), hold_after=2), variant=BIG)
    ran = world.run("duel", A, B, "--prompts", str(prompts), "--json")
    assert ran.status == 130
    (only,) = ran.json["rounds"]
    assert only["sides"][0]["finish_reason"] == "cancelled"
    assert only["sides"][1]["text"] is None


def test_prompts_of_a_file_are_rounds_of_their_own(world: World, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_bytes("\ufeffOne?\r\n\n  Two?  \n".encode())
    body = world.run("duel", A, B, "--prompts", str(prompts), "--json").json
    assert set(body) == {"schema", "rounds"}
    assert [ended["prompt"] for ended in body["rounds"]] == ["One?", "Two?"]
    asked = world.engine.sessions[0].requests
    assert [[m.content for m in request.messages] for request in asked] == [["One?"], ["Two?"]]
    assert len(world.engine.sessions) == 2
    ran = world.run("duel", A, B, "--prompts", str(prompts))
    assert ran.out.index("> One?") < ran.out.index("> Two?")


def test_an_empty_file_of_prompts_is_said(world: World, tmp_path: Path) -> None:
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("\n \n")
    ran = world.run("duel", A, B, "--prompts", str(prompts))
    assert ran.status == 2
    assert "holds no prompt" in ran.err


def test_rounds_are_measured_and_their_numbers_printed(world: World) -> None:
    for variant, rate in ((BIG, 40.0), (SMALL, 60.0)):
        world.engine.enqueue(*(Reply(generation_rate=r) for r in (1.0, *[rate] * 6)), variant=variant)
    ran = world.run("duel", A, B, "Why?", "--rounds", "6")
    assert ran.status == 0
    assert [line.split() for line in ran.out.splitlines() if line.startswith("generated")][-1] == [
        "generated,", "t/s", "40.0", "±", "0.0", "60.0", "±", "0.0",
    ]  # fmt: skip
    assert "B generates 1.500 times as fast as A (1.500 to 1.500)" in ran.out
    assert ran.out.splitlines()[-1].startswith("6 rounds after one that is discarded; one side computes at a time")
    assert ran.err.count("round ") == 7


def test_rounds_as_json_hold_every_sample(world: World) -> None:
    body = world.run("duel", A, B, "Why?", "--rounds", "2", "--json").json
    assert len(body["rounds"]) == 2
    assert body["measured"]["sides"][0]["generation_rate"]["samples"] == [40.0, 40.0]
    assert body["measured"]["ratio"]["interval"] is None


def test_together_is_refused_where_both_do_not_fit(world: World) -> None:
    world.dry_run.totals = {BIG.path: 10 * GIB, SMALL.path: 10 * GIB}
    ran = world.run("duel", A, B, "Why?", "--mode", "together", "--json")
    assert ran.status == 1
    assert ran.json["error"]["kind"] == "memory"
    assert "GiB" in ran.json["error"]["message"]


def test_signs_of_degeneration_are_said_in_words(world: World) -> None:
    world.engine.enqueue(Reply("no " * 30, finish_reason="length"), variant=SMALL)
    ran = world.run("duel", A, B, "Why?")
    assert "B: it repeats “no” 30 times in a row to the end; it did not end by itself before the token limit" in ran.out
