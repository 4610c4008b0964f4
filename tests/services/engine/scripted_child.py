"""A child that plays a script: what it does for each command is given as JSON on its command line.

Run as a program. It knows nothing of qtui, so that the protocol is checked from outside: one JSON object a line.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

LAST: dict[str, Any] = {}
"""The command that is played."""


def read() -> dict[str, Any]:
    """Return the next command; the end of the input ends the process."""
    line = sys.stdin.readline()
    if not line:
        raise SystemExit(0)
    command: dict[str, Any] = json.loads(line)
    assert command["v"] == 1
    return command


def raw(text: str, times: int = 1) -> None:
    """Print a line as it is."""
    print(text * times, flush=True)


def say(event: dict[str, Any]) -> None:
    """Print an event."""
    raw(json.dumps({"v": 1, **event}))


def count(numbers: int) -> None:
    """Print many pieces of an answer, as fast as it goes."""
    for number in range(numbers):
        say({"type": "TextArrived", "text": f"{number:04d}"})


def echo() -> None:
    """Print the command as a piece of an answer."""
    say({"type": "TextArrived", "text": json.dumps(LAST)})


def log(text: str) -> None:
    """Print a line to the log."""
    print(text, file=sys.stderr, flush=True)


def wait(kind: str) -> None:
    """Read commands until one of this kind comes."""
    while read()["type"] != kind:
        pass


def die(number: int) -> NoReturn:
    """End by a signal."""
    os.kill(os.getpid(), number)
    hang()


def hang() -> NoReturn:
    """Be deaf to everything but SIGKILL."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        signal.pause()


def shut() -> None:
    """Close the output and live on."""
    os.close(1)


WORDS: dict[str, Callable[..., None]] = {
    word.__name__: word for word in (raw, say, count, echo, log, wait, die, hang, shut)
} | {"exit": os._exit}


def play(actions: list[list[Any]]) -> None:
    """Do what the script says: each action is a word and its arguments."""
    for word, *arguments in actions:
        WORDS[word](*arguments)


if __name__ == "__main__":
    script: dict[str, list[list[Any]]] = json.loads(sys.argv[1])
    play(script.get("Start", []))
    while True:
        LAST.clear()
        LAST.update(read())
        if LAST["type"] == "Close":
            raise SystemExit(0)
        play(script.get(LAST["type"], []))
