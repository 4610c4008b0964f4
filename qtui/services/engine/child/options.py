"""Options to be weighed, as tokens: what all begin with is the question, by the rule of llama-perplexity."""

from __future__ import annotations

from typing import Protocol

from qtui.core.commands import Score
from qtui.core.errors import UsageError
from qtui.services.engine.child.prompt import PromptError

MOST_OPTIONS = 26


class Tokenise(Protocol):
    """Turns a text into tokens."""

    def __call__(self, text: str) -> list[int]:
        """Return the tokens."""
        ...


def divided(command: Score, tokenise: Tokenise, room: int) -> tuple[list[list[int]], int]:
    """Return the tokens of prompt and option for each option, and how many of them all share.

    Raises:
        UsageError: fewer than two options, or more than 26; two that are the same text.
        PromptError: they do not fit the context, or an option adds no token to the prompt.
    """
    if not 2 <= len(command.options) <= MOST_OPTIONS or len(set(command.options)) < len(command.options):
        raise UsageError(f"2 to {MOST_OPTIONS} different options can be weighed, not {len(command.options)}")
    texts = [tokenise(command.prompt + option) for option in command.options]
    columns = enumerate(zip(*texts, strict=False))
    shared = next((place for place, tokens in columns if len(set(tokens)) > 1), min(map(len, texts)))
    if not shared or min(map(len, texts)) == shared:
        raise PromptError("the options cannot be told apart from their prompt", "give each its own words")
    if max(map(len, texts)) >= room:
        raise PromptError(
            f"prompt and option have {max(map(len, texts))} tokens and the context {room}",
            "load it with a larger --ctx-size",
        )
    return texts, shared
