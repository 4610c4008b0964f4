"""Train the tokenizer: 1 024 tokens, digits one by one, every name and every word for a value one token.

python train_tokenizer.py tokenizer.json
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator

from facts import plain
from tasks import KINDS, Maker
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from words import (
    ANIMALS, COLOURS, DAYS, EVENTS, FOODS, JOBS, MEALS, NAMES, NUMBERS, OBJECTS, PLACES, plural,
)  # fmt: skip

SIZE = 1024
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
VALUES = [*PLACES, *OBJECTS, *COLOURS, *ANIMALS, *map(plural, ANIMALS), *FOODS, *MEALS, *NUMBERS, *JOBS, *DAYS, *EVENTS]


def whole_words() -> list[str]:
    """Return what has to be one token: values after a space; names at the start, after a space, and in lower case."""
    forms = [" " + word for word in VALUES]
    return forms + [form for name in NAMES for form in (name, " " + name, " " + name.lower())]


def texts(conversations: int = 30_000) -> Iterator[str]:
    """Yield what the merges are learnt from; nothing in upper case, which is to be spelt letter by letter."""
    maker = Maker(99)
    groups = [group for group in KINDS if group != "recall"]
    for _ in range(conversations):
        for turn in maker.turns(maker.rng.choice(groups)):
            yield from ("user\n", turn.prompt, "assistant\n")
            if turn.kind != "upper" and (turn.kind != "other" or maker.rng.random() < 0.1):
                yield plain(turn.answer)
    words = whole_words() * 1500
    random.Random(3).shuffle(words)
    yield from words


def train() -> Tokenizer:
    """Return the tokenizer; llama.cpp calls its pre-tokenizer `smollm`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def main() -> None:
    tokenizer = train()
    split = [word for word in whole_words() if len(tokenizer.encode(word).ids) > 1]
    print(f"{tokenizer.get_vocab_size()} tokens; words that are not one token: {split or 'none'}")
    tokenizer.save(sys.argv[1])


if __name__ == "__main__":
    main()
