"""What the screen says while names and numbers are hidden: words that fit either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.content import Content

from qtui.ui.command import Command
from qtui.ui.present.words import between
from qtui.ui.running import Running

PLACES = ("left", "right")
ANSWERING = "names are hidden: both answers are shown once both are complete"
VOTING = "names are hidden until you vote: a left is better, b right, = tie, x both bad"
WAITING = "names are hidden: ask both sides"
COMING = "names are hidden from the next prompt on, which begins a new conversation"
HIDDEN = "sizes, rates and names are hidden until the vote"
HIDDEN_SHORT = "names are hidden"
NOT_BOTH = "There are not two whole answers to choose from: r asks again, n shows names and what happened."
MONITOR = """Names, sizes and rates are hidden while a blind round is open.

    3 Arena, then
    a b = x  vote
    n        show names without a vote"""
_SHOWING = {"arena.names": "show names"}
_PLACED = {**_SHOWING, "arena.vote_a": "left better", "arena.vote_b": "right better"}
_HELP = {
    "arena.vote_a": "the last answer on the left is the better one",
    "arena.vote_b": "the last answer on the right is the better one",
    "arena.names": "show names and numbers, without a vote",
}


def covered_head(place: str, width: int) -> Content:
    """Return the head of a side whose name is hidden."""
    left = Content.assemble(" ", (place, "bold $text-accent"))
    return between(left, Content.styled("name hidden ", "$foreground-muted"), width)


def covered_line(text: str, width: int) -> Content:
    """Return the line for both sides, while it says nothing of either."""
    return Content.styled(f" {text}", "bold").truncate(width, ellipsis=True)


def covered_running(asked: bool) -> tuple[Running, ...]:
    """Return what quitting cuts off, whoever it is."""
    return (Running("A blind round is being answered", "it has no vote"),) if asked else ()


def covered_commands(commands: Sequence[Command]) -> list[Command]:
    """Return commands in the words that hold while names are hidden."""
    return [replace(command, help=_HELP.get(command.id, command.help)) for command in _labelled(commands, _PLACED)]


def uncovering_commands(commands: Sequence[Command]) -> list[Command]:
    """Return commands in the words that hold while names will be hidden from the next prompt on."""
    return _labelled(commands, _SHOWING)


def _labelled(commands: Sequence[Command], labels: Mapping[str, str]) -> list[Command]:
    return [replace(command, label=labels.get(command.id, command.label)) for command in commands]
