"""Commands read beside the work: what a cancel reaches, and what the end of input does."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator

import pytest

from qtui.core.commands import Ask, Cancel, Close, Load
from qtui.core.duel.conversation import Request
from qtui.core.wire import encode
from qtui.services.engine.child import stdin as stdin_module
from qtui.services.engine.child.interrupt import Interrupt
from qtui.services.engine.child.stdin import Stdin


class Pipe:
    """A Stdin on a pipe of our own, which notes when it would leave the process."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.left = threading.Event()
        self.interrupt = Interrupt()
        self.stdin = Stdin(self.interrupt, self.read_end, lambda _: self.left.set())
        self.stdin.start()

    def write(self, *commands: object) -> None:
        """Write commands in one piece."""
        os.write(self.write_end, "".join(encode(c) for c in commands).encode())

    def close(self) -> None:
        """End the input."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    """A pipe whose grace is short."""
    monkeypatch.setattr(stdin_module, "GRACE_S", 0.01)
    made = Pipe()
    yield made
    made.close()
    assert made.left.wait(10)
    os.close(made.read_end)


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    limit = threading.Event()
    for _ in range(1000):
        if condition():
            return
        limit.wait(0.01)
    raise AssertionError("did not come")


def test_commands_come_in_order_even_when_cut(pipe: Pipe) -> None:
    line = encode(Load("/m", {"ctx_size": 5})).encode()
    os.write(pipe.write_end, line[:10])
    os.write(pipe.write_end, line[10:] + b"no json\n" + encode(Ask(Request(raw="x"))).encode())
    assert pipe.stdin.take() == Load("/m", {"ctx_size": 5})
    assert pipe.stdin.take() == Ask(Request(raw="x"))


def test_a_cancel_reaches_the_command_that_runs_and_not_the_next(pipe: Pipe) -> None:
    pipe.write(Ask(Request(raw="1")))
    pipe.stdin.take()
    assert not pipe.interrupt.is_set()
    pipe.write(Cancel())
    wait_for(pipe.interrupt.is_set)
    pipe.stdin.done()
    pipe.write(Ask(Request(raw="2")))
    pipe.stdin.take()
    assert not pipe.interrupt.is_set()


def test_a_cancel_between_commands_is_for_those_before_it(pipe: Pipe) -> None:
    pipe.write(Ask(Request(raw="1")), Cancel(), Ask(Request(raw="2")), Close())
    pipe.left.wait(10)  # everything is read before the first is taken; the end interrupts what runs
    assert pipe.stdin.take() == Ask(Request(raw="1"))
    assert pipe.interrupt.is_set()


def test_the_end_of_input_interrupts_and_then_leaves(pipe: Pipe) -> None:
    pipe.write(Ask(Request(raw="1")))
    pipe.stdin.take()
    pipe.close()
    wait_for(pipe.interrupt.is_set)
    assert pipe.left.wait(10)
    assert pipe.stdin.take() is None


def test_close_is_an_end_too(pipe: Pipe) -> None:
    pipe.write(Close(), Ask(Request(raw="never")))
    assert pipe.stdin.take() is None
