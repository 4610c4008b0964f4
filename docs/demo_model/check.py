"""Check a file against what it was made of: llama.cpp's tokens and greedy texts are those of the tokenizer and of PyTorch.

    python check.py checkpoint.pt tokenizer.json qtui-demo-F16.gguf

Needs llama-cpp-python beside PyTorch; exits with 1 when anything differs.
"""

from __future__ import annotations

import ctypes
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import llama_cpp
import torch
from facts import plain
from model import Model, Shape
from packing import Encoder
from tasks import KINDS, Maker

TEXTS = 4000
ANSWERS = 70
LONGEST_ANSWER = 90
QUIET = llama_cpp.llama_log_callback(lambda *_: None)


def some_texts(rng: random.Random) -> Iterator[str]:
    """Yield texts of the corpus, and others with signs of all sorts."""
    maker = Maker(11, "dev")
    groups = [group for group in KINDS if group != "recall"]
    signs = " \t\n\r0123456789abcXYZ'\"!?.,:;-_+*/=()[]{}<>|\\@#$%^&~`äöüßéèñçøżłğ–—…“”€£¥日本語中文한국어русскийالعربيةעברית😀🦙👍🏽\u200d\u00a0"
    for _ in range(TEXTS):
        if rng.random() < 0.5:
            turn = maker.turns(rng.choice(groups))[0]
            yield rng.choice((turn.prompt, plain(turn.answer)))
        else:
            yield "".join(rng.choice(signs) for _ in range(rng.randint(1, 60)))


def greedy_in_torch(model: Model, tokens: list[int], end: int) -> list[int]:
    """Return the likeliest tokens after those given, up to the end of the answer."""
    found: list[int] = []
    with torch.no_grad():
        while len(found) < LONGEST_ANSWER:
            hidden = model.hidden(torch.tensor([tokens + found]))
            best = int(model.logits(hidden[0, -1]).argmax())
            if best == end:
                break
            found.append(best)
    return found


def greedy_in_llama(llama: llama_cpp.Llama, tokens: list[int], end: int) -> list[int]:
    """Return the same from llama.cpp."""
    found: list[int] = []
    for token in llama.generate(tokens, temp=0.0, repeat_penalty=1.0, reset=True):
        if token == end or len(found) == LONGEST_ANSWER:
            break
        found.append(token)
    return found


def main() -> int:
    checkpoint, tokenizer, file = map(Path, sys.argv[1:4])
    encoder = Encoder(tokenizer)
    kept = torch.load(checkpoint, map_location="cpu")
    model = Model(Shape(**kept["shape"]))
    model.load_state_dict(kept["model"])
    llama_cpp.llama_log_set(QUIET, ctypes.c_void_p(0))
    llama = llama_cpp.Llama(str(file), n_ctx=1024, n_threads=1, verbose=False)

    texts = list(some_texts(random.Random(5)))
    same_tokens = sum(
        encoder.whole(text) == llama.tokenize(text.encode(), add_bos=False, special=False) for text in texts
    )
    print(f"the same tokens for {same_tokens} of {len(texts)} texts")

    maker, same_texts = Maker(12, "dev"), 0
    for number in range(ANSWERS):
        group = list(KINDS)[number % len(KINDS)]
        kind = maker.rng.choice(KINDS[group])
        prompt = f"user\n{maker.one(group, kind).prompt}"
        tokens = [encoder.start, *encoder.encode(prompt), encoder.end, *encoder.encode("\n"), encoder.start]
        tokens += encoder.encode("assistant\n")
        same_texts += greedy_in_torch(model, tokens, encoder.end) == greedy_in_llama(llama, tokens, encoder.end)
    llama.close()
    print(f"the same greedy text for {same_texts} of {ANSWERS} prompts")
    return int(same_tokens < len(texts) or same_texts < ANSWERS)


if __name__ == "__main__":
    sys.exit(main())
