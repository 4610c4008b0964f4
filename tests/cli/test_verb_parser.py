"""Where options may stand among the arguments of a verb."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser

import pytest

from qtui.cli.parser import build_parser
from qtui.core.errors import UsageError


def verbs() -> dict[str, ArgumentParser]:
    actions = build_parser()._actions
    return dict(next(one for one in actions if isinstance(one, argparse._SubParsersAction)).choices)


def arguments_of(verb: ArgumentParser) -> list[str]:
    """Return as many arguments as a verb takes, two for one that takes any number."""
    words: list[str] = []
    for action in verb._actions:
        if not action.option_strings:
            choice = [str(one) for one in action.choices or ()][:1]
            words += choice or [f"word{len(words)}", f"word{len(words) + 1}"][: 2 if action.nargs in ("*", "+") else 1]
    return words


@pytest.mark.parametrize("name", sorted(verbs()))
def test_every_verb_takes_arguments_after_options(name: str) -> None:
    verb = verbs()[name]
    words = arguments_of(verb)
    needed = ["--text", "file"] if name == "imatrix" else []
    options = ["--json", *needed]
    wanted = build_parser().parse_args([name, *words, *options])
    for place in range(len(words) + 1):
        assert build_parser().parse_args([name, *words[:place], *options, *words[place:]]) == wanted
    if words:
        assert build_parser().parse_args([name, *options, "--", *words]) == wanted


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("duel A B --seed 3 hi", {"a": "A", "b": "B", "seed": 3, "prompt": "hi"}),
        ("duel A --seed=3 B hi --blind", {"a": "A", "b": "B", "seed": 3, "prompt": "hi", "blind": True}),
        ("duel --seed 3 A B -", {"a": "A", "b": "B", "prompt": "-"}),
        ("duel A --blind B -- --hi", {"a": "A", "b": "B", "prompt": "--hi", "blind": True}),
        ("bench A --repeats 2 B", {"variants": ["A", "B"], "repeats": 2}),
        ("measure A --reference R B --chunks 2", {"variants": ["A", "B"], "reference": "R", "chunks": 2}),
        ("compare A --ctx-size 512 B", {"variants": ["A", "B"], "ctx_size": 512}),
        ("fit A --ladder B", {"variant": "A", "more": ["B"], "ladder": True}),
        ("fit --history", {"variant": None, "more": []}),
        ("quantize F16 --dry-run out.gguf Q4_K_M", {"source": "F16", "type": "Q4_K_M", "dry_run": True}),
        ("preset save --ctx-size 4096 long", {"action": "save", "name": "long", "ctx_size": 4096}),
        ("preset export f.ini --for V long", {"names": ["long"], "variants": ["V"]}),
        ("imatrix IN OUT --text f --tool", {"source": "IN", "tool": "llama-imatrix"}),
        ("ask A -5", {"prompt": "-5"}),
    ],
)
def test_options_between_arguments(command: str, found: dict[str, object]) -> None:
    options = vars(build_parser().parse_args(command.split()))
    assert {key: options[key] for key in found} == found


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("duel A --blnd B", "unrecognized arguments: --blnd"),
        ("duel A B --seed", "argument --seed: expected one argument"),
        ("duel A --seed --blind B", "argument --seed: expected one argument"),
        ("duel A --seed x B", "argument --seed: not a whole number: x"),
        ("duel --blind A", "the following arguments are required: B"),
        ("duel A B hi --blind more", "unrecognized arguments: more"),
        ("preset --about x never", "invalid choice: 'never'"),
    ],
)
def test_what_is_wrong_is_said_in_the_same_words(command: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build_parser().parse_args(command.split())
    assert message in caught.value.message
