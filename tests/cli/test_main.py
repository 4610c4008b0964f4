"""Exit statuses, error objects, interruptions and what reaches the terminal."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from qtui import __version__
from qtui.cli.main import main
from qtui.core.errors import BadFileError
from tests.cli.world import BIG, World
from tests.conftest import DEMO_F16

HEAVY = ("textual", "llama_cpp", "huggingface_hub")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "qtui.cli.main", *arguments]


def test_importing_the_command_loads_nothing_heavy() -> None:
    code = (
        "import sys, qtui.cli.main, qtui.cli.wiring, argparse; qtui.cli.wiring.local_services(argparse.Namespace());"
        f"print([m for m in sys.modules if m.partition('.')[0] in {HEAVY!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_version_and_help_end_with_0(world: World) -> None:
    assert world.run("--version").out == f"qtui {__version__}\n"
    for arguments in (["--help"], ["ask", "--help"]):
        ran = world.run(*arguments)
        assert ran.status == 0
        assert ran.out.startswith("usage: qtui")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", [("ls", "--models-dir", str(DEMO_F16.parent)), ("ls", "--json")])
def test_a_full_disk_under_the_output_is_said_as_such(arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command(*arguments), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "qtui: cannot write the output: No space left on device\nhint: free some space, or write it elsewhere\n"
    )


def test_without_any_output_it_does_its_work() -> None:
    code = "import os, sys\nos.close(1)\nos.execv(sys.argv[1], sys.argv[1:])"
    arguments = command("ls", "--models-dir", str(DEMO_F16.parent))
    done = subprocess.run([sys.executable, "-c", code, *arguments], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ask"],
        ["ask", BIG.path.name],
        ["ask", BIG.path.name, "hi", "--nonsense"],
        ["ask", BIG.path.name, "hi", "--preset", "long"],
        ["ask", BIG.path.name, "hi", "--ctx-size", "many"],
        ["ask", BIG.path.name, "hi", "--ctx", "12"],
        ["ask", BIG.path.name, "hi", "--temperature", "nan"],
        ["ask", BIG.path.name, "hi", "--cache-type-k", "q9"],
        ["ask", BIG.path.name, "hi", "--cache-type-v", "q4_0", "--flash-attn", "off"],
        ["ask", BIG.path.name, "hi", "--engine", "vllm"],
        ["ask", BIG.path.name, "hi", "--stop", ""],
        ["ask", BIG.path.name, " "],
        ["fit", BIG.path.name, "--ram", "lots"],
        ["fit", BIG.path.name, "--ladder", "--auto"],
        ["fit", BIG.path.name, "--vram", "8G"],
        ["duel", BIG.path.name, BIG.path.name],
        ["duel", BIG.path.name, BIG.path.name, "hi", "--prompts", "file"],
        ["duel", BIG.path.name, BIG.path.name, "hi", "--deaf"],
        ["bench", BIG.path.name, "--repeats", "0"],
        ["bench", BIG.path.name, "--generate", "1"],
        ["bench", BIG.path.name, "--ctx-size", "64"],
        ["monitor"],
        ["demo", "--json"],
        [],
    ],
)
def test_bad_usage_ends_with_2_a_sentence_and_an_object(world: World, arguments: list[str]) -> None:
    ran = world.run(*arguments)
    assert ran.status == 2
    assert ran.err.startswith("qtui: ")
    assert "Traceback" not in ran.err
    if arguments:
        ran = world.run(*arguments, "--json")
        assert ran.status == 2
        assert set(ran.json["error"]) == {"message", "hint", "kind"}
        assert ran.json["error"]["kind"] == "usage"
    assert not any(what == "load" for what, _ in world.engine.journal)


def test_a_failure_ends_with_1_message_then_hint(world: World) -> None:
    world.library.errors["gone.gguf"] = BadFileError("gone.gguf: no such file", "check the path")
    ran = world.run("ask", "gone.gguf", "hi")
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "qtui: gone.gguf: no such file\nhint: check the path\n"
    ran = world.run("ask", "gone.gguf", "hi", "--json")
    assert ran.json == {
        "schema": 1,
        "error": {"message": "gone.gguf: no such file", "hint": "check the path", "kind": "bad_file"},
    }


@pytest.mark.parametrize(
    "arguments",
    [
        ["duel", BIG.path.name, BIG.path.name, "--prompts", "/nowhere/at/all"],
        ["duel", BIG.path.name, BIG.path.name, "--suite", "/nowhere/x.toml"],
        ["bench", BIG.path.name, "--parallel", "2", "--prompts", "/nowhere/at/all"],
    ],
)
def test_a_text_that_cannot_be_read_is_a_failure(world: World, arguments: list[str]) -> None:
    ran = world.run(*arguments)
    assert ran.status == 1 and "cannot read" in ran.err and "hint: " in ran.err


def test_what_nobody_expected_is_one_line_and_a_log(world: World) -> None:
    secret = "what the prompt said"
    world.engine.engine_info = None  # type: ignore[assignment]
    ran = world.run("ask", BIG.path.name, secret)
    assert ran.status == 1
    assert "Traceback" not in ran.err + ran.out
    assert "AttributeError" in ran.err
    hint = ran.err.splitlines()[1]
    log = Path(hint.removeprefix("hint: please report it with "))
    text = log.read_text()
    assert "Traceback" in text
    assert secret not in text
    assert log.stat().st_mode & 0o077 == 0
    assert world.closed == 1


def test_a_reader_that_leaves_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            command("show", str(DEMO_F16)), stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(write)
    assert done.stderr == ""
    assert done.returncode == 1


def test_interrupting_while_the_prompt_is_read_ends_with_130(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: object) -> int:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(Interrupted())))
    assert world.run("ask", BIG.path.name, "-").status == 130


def test_the_app_asks_for_a_terminal(world: World) -> None:
    ran = world.run()
    assert ran.status == 2
    assert "terminal" in ran.err


def test_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "qtui", "nonsense", "--json"], capture_output=True, check=False)
    assert done.returncode == 2
    assert json.loads(done.stdout)["error"]["kind"] == "usage"


def test_ascii_terminals_get_question_marks_and_no_crash() -> None:
    done = subprocess.run(
        command("show", str(DEMO_F16)), capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )
    assert done.stdout.isascii()


def test_main_returns_what_a_shell_shall_see() -> None:
    assert main(["--version"]) == 0
