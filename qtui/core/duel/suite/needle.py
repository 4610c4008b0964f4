"""Long documents with one fact in them: filler that is made, not quoted, and the same for every model.

The sentences are put together from a few lists by a counter, so that no two are the same and none of them can be
mistaken for the fact. How many fill the context is known once a model has counted the tokens of some.
"""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.duel.suite.task import Task

SAMPLES = (40, 8)
"""Sentences whose tokens are counted; the next count where the context does not take the first."""
RESERVE = 160
"""Tokens for question and template, beside those of the answer."""
_WHO = ("the keeper", "a clerk", "the night porter", "a visitor", "the gardener", "an apprentice", "the archivist")
_DID = ("counted", "moved", "repaired", "described", "painted", "borrowed", "returned", "listed", "cleaned", "measured")
_WHAT = ("lamps", "chairs", "ledgers", "maps", "clocks", "windows", "boxes", "ladders", "letters", "keys", "benches")
_WHERE = ("in the east wing", "by the river gate", "under the stairs", "in the reading room", "behind the chapel",
          "on the upper floor", "beside the old well", "in the long corridor", "at the foot of the tower")  # fmt: skip
_WHEN = ("before noon", "after the rain", "at dusk", "in the early hours", "late in the week")


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a model's tokenizer makes of the filler, and how much it may read."""

    tokens_per_sentence: float
    context: int
    """Tokens."""


def sentence(number: int) -> str:
    """Return a sentence of the filler; no two of the first 600 000 are the same."""
    parts = (_WHO, _DID, _WHAT, _WHERE, _WHEN)
    who, did, what, where, when = (words[number % len(words)] for words in parts)
    # The lists are 7, 10, 11, 9 and 5 long, so that their words come together anew 6930 times; 97 is prime.
    return f"{who.capitalize()} {did} {number % 97 + 2} {what} {where} {when}."


def sample_text(sentences: int) -> str:
    """Return a text whose tokens are counted."""
    return " ".join(map(sentence, range(sentences)))


def document(task: Task, yardstick: Yardstick) -> str:
    """Return the prompt of a needle task: a document of `fill` of the context, the fact at `depth` of it, the question.

    Where fill, question and answer would not fit together, the document is as long as fits.
    """
    assert task.needle is not None
    room = yardstick.context - RESERVE - task.max_tokens
    tokens = min(task.needle.fill * yardstick.context, room)
    count = max(2, int(tokens / yardstick.tokens_per_sentence))
    before = round(count * task.needle.depth)
    sentences = [*map(sentence, range(before)), task.needle.fact, *map(sentence, range(before, count))]
    body = " ".join(sentences)
    return f"Read this report. A question follows.\n\n{body}\n\n{task.prompt}"
