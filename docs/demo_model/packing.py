"""Conversations as tokens with loss weights, packed into rows of one length."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from facts import VALUE_END, VALUE_START, plain
from tasks import Maker, Turn
from tokenizers import Tokenizer

SYSTEM = ("You are a helpful assistant.", "You are qtui-demo, a small helpful assistant.")
SHORT_MIX = {
    "arithmetic": 0.18, "text": 0.34, "recall": 0.10, "format": 0.28, "story": 0.02, "world": 0.05, "other": 0.03,
}  # fmt: skip
"""Shares of the short stream, by conversation."""
NOTHING, PROMPT, ANSWER, VALUE = range(4)
"""What a token is to the loss. Of the prompts' tokens one in `PROMPT_EVERY` counts."""
PROMPT_EVERY = 8
WEIGHTS = (0.0, 0.8, 1.0, 5.0)
RECALL_SIZES = {256: (1, 9), 512: (10, 36), 1024: (28, 80)}
"""How many sentences nobody asks about lie around the planted facts, by the length of a row."""
_PIECES = re.compile(r"'(?:[sdmt]|ll|ve|re)| ?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+|\s+(?!\S)|\s+")


class Encoder:
    """Turns conversations into tokens."""

    def __init__(self, path: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(path))
        self.end_of_text, self.start, self.end = (
            self.tokenizer.token_to_id(name) for name in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
        )
        self._cache: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        """Return a text's tokens; words once seen are remembered."""
        if not text.isascii():
            return self.whole(text)
        found: list[int] = []
        for piece in _PIECES.findall(text):
            ids = self._cache.get(piece)
            if ids is None:
                ids = self._cache[piece] = self.whole(piece)
            found += ids
        return found

    def whole(self, text: str) -> list[int]:
        """Return a text's tokens as the tokenizer itself gives them."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def conversation(self, turns: Sequence[Turn], rng: random.Random, system: str = "") -> tuple[list[int], list[int]]:
        """Return the tokens of a conversation, and what each is to the loss."""
        ids: list[int] = []
        marks: list[int] = []

        def add(new: list[int], mark: int) -> None:
            ids.extend(new)
            marks.extend([mark] * len(new))

        if system:
            add([self.start, *self.encode(f"system\n{system}"), self.end, *self.encode("\n")], NOTHING)
        for turn in turns:
            add([self.start, *self.encode("user\n")], NOTHING)
            for token in self.encode(turn.prompt):
                add([token], PROMPT if rng.randrange(PROMPT_EVERY) == 0 else NOTHING)
            add([self.end, *self.encode("\n"), self.start, *self.encode("assistant\n")], NOTHING)
            for part in re.split(f"({VALUE_START}[^{VALUE_END}]*{VALUE_END})", turn.answer):
                if part:
                    add(self.encode(plain(part)), VALUE if part[0] == VALUE_START else ANSWER)
            add([self.end], ANSWER)
            add(self.encode("\n"), NOTHING)
        return ids, marks


@dataclass(frozen=True)
class Rows:
    """Packed rows: tokens (one more than the length), what each is to the loss, and its document."""

    tokens: np.ndarray
    marks: np.ndarray
    documents: np.ndarray


def short_conversation(maker: Maker) -> list[Turn]:
    """Return a conversation of the short stream; one in six goes on with something else."""
    groups, shares = list(SHORT_MIX), list(SHORT_MIX.values())
    turns = maker.turns(maker.rng.choices(groups, shares)[0])
    while maker.rng.random() < 0.15:
        turns += maker.turns(maker.rng.choices(groups, shares)[0])
    return turns


def recall_conversation(maker: Maker, length: int) -> list[Turn]:
    """Return a conversation about planted facts that about fits a row."""
    questions = maker.rng.randint(3, {256: 5, 512: 9, 1024: 12}[length])
    return maker.recall(maker.rng.randint(*RECALL_SIZES[length]), maker.recall_kinds(questions))


def pack(encoder: Encoder, stream: str, length: int, rows: int, seed: int) -> Rows:
    """Make `rows` rows of a stream (`short` or `recall`) of new conversations."""
    maker = Maker(seed)
    rng = maker.rng
    tokens = np.full((rows, length + 1), encoder.end_of_text, np.int16)
    marks = np.zeros((rows, length + 1), np.uint8)
    documents = np.zeros((rows, length + 1), np.uint8)
    pool: list[tuple[list[int], list[int]]] = []
    for row in range(rows):
        at, document = 0, 1
        while True:
            while len(pool) < (40 if stream == "short" else 12):
                turns = short_conversation(maker) if stream == "short" else recall_conversation(maker, length)
                made = encoder.conversation(turns, rng, rng.choice(SYSTEM) if rng.random() < 0.04 else "")
                if len(made[0]) <= length:
                    pool.append(made)
            fit = [number for number, (ids, _) in enumerate(pool) if len(ids) <= length + 1 - at]
            if not fit:
                break
            longest = max(fit, key=lambda number: len(pool[number][0]))
            ids, kinds = pool.pop(fit[0] if at < 0.6 * length else longest)
            end = at + len(ids)
            tokens[row, at:end], marks[row, at:end], documents[row, at:end] = ids, kinds, document
            at, document = end, document + 1
    return Rows(tokens, marks, documents)
