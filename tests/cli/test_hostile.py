"""No control character of a name, a header, an answer or an error may reach the terminal."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from qtui.core.errors import BadFileError, Failure
from qtui.core.hardware import Device, DeviceKind, EngineInfo
from tests.cli.world import BIG, SMALL, World
from tests.fakes import Reply

HOSTILE = (
    "\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\x9b31m", "a\rb", "bell\x07", "del\x7f", "\u202egnp.exe",
    "\u2066x\u2069", "\u200bzero", "wide 漢字", "[/foo] [bold]", "10 000 " + "x" * 10_000, "line\nline",
    "\udc80 lone", "\U000e0041",
)  # fmt: skip
UNSAFE = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\U000e0000-\U000e007f]"
)


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def hostile(request: pytest.FixtureRequest) -> str:
    text: str = request.param
    return text


def prepared(world: World, hostile: str) -> World:
    path = Path("/models") / hostile.replace("\x00", "")
    bad = replace(BIG, path=path, model=hostile, quant=hostile, architecture=hostile, source=hostile, problem="")
    world.library.variants = [bad, SMALL]
    world.engine.default = Reply(hostile, thinking=hostile, warnings=(hostile,))
    device = Device(hostile, hostile, DeviceKind.CPU)
    world.engine.engine_info = EngineInfo(hostile, hostile, hostile, (device,), (hostile,), problem=hostile)
    return world


@pytest.mark.parametrize(
    "arguments",
    [
        ["ls"], ["show", "NAME"], ["fit", "NAME"], ["ask", "NAME", "hi", "--show-thinking"],
        ["advise", "NAME", "B"], ["duel", "NAME", "B", "hi"], ["bench", "NAME", "--repeats", "1"], ["doctor"],
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
@pytest.mark.parametrize("json", [False, True])
def test_nothing_hostile_reaches_the_terminal(world: World, hostile: str, arguments: list[str], json: bool) -> None:
    prepared(world, hostile)
    names = {"NAME": str(world.library.variants[0].path), "B": SMALL.path.name}
    ran = world.run(*(names.get(word, word) for word in arguments), *(["--json"] if json else []))
    assert ran.status in (0, 1)
    assert not UNSAFE.search(ran.out)
    assert not UNSAFE.search(ran.err)
    if json:
        assert ran.json["schema"] == 1


def test_nothing_hostile_of_an_error_reaches_the_terminal(world: World, hostile: str) -> None:
    world.library.errors["x"] = BadFileError(hostile, hostile)
    world.engine.default = Reply("", failure=Failure(hostile, hostile, log=(hostile,)), fatal=True)
    for arguments in (["ask", "x", "hi"], ["ask", BIG.path.name, "hi"], ["ask", hostile, "hi"], [hostile]):
        for more in ([], ["--json"]):
            ran = world.run(*arguments, *more)
            assert ran.status in (1, 2)
            assert not UNSAFE.search(ran.out)
            assert not UNSAFE.search(ran.err)
