"""Exact matches of the model in PyTorch: every token of the answer is the likeliest one, given those before it."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from model import Model
from packing import ANSWER, Encoder
from tasks import Turn

TOKENS_AT_ONCE = 8192


@dataclass(frozen=True)
class Prompt:
    """A prompt with its answer as tokens."""

    kind: str
    tokens: list[int]
    start: int
    """Where the answer starts; it lasts to the end of the tokens."""


def read_prompts(path: Path, encoder: Encoder, most: int) -> dict[str, list[Prompt]]:
    """Return the prompts of a set by group, `most` of each; stories are left out, as many are right."""
    found: dict[str, list[Prompt]] = {}
    for line in path.read_text().splitlines():
        entry = json.loads(line)
        prompts = found.setdefault(entry["group"], [])
        if entry["group"] == "story" or len(prompts) >= most:
            continue
        turn = Turn(entry["group"], entry["kind"], entry["prompt"], entry["answer"])
        tokens, marks = encoder.conversation([turn], random.Random(0))
        start = marks.index(ANSWER)
        prompts.append(Prompt(entry["kind"], tokens[:-1], start))
    return {group: prompts for group, prompts in found.items() if prompts}


@torch.no_grad()
def exact_matches(model: Model, prompts: Sequence[Prompt]) -> list[bool]:
    """Return for each prompt whether the whole answer comes out."""
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number].tokens))
    hits = [False] * len(prompts)
    while order:
        longest = len(prompts[order[-1]].tokens)
        lot, order = order[-max(1, TOKENS_AT_ONCE // longest) :], order[: -max(1, TOKENS_AT_ONCE // longest)]
        batch = torch.zeros(len(lot), longest, dtype=torch.long)
        for row, number in enumerate(lot):
            batch[row, : len(prompts[number].tokens)] = torch.tensor(prompts[number].tokens)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = model.hidden(batch)
        for row, number in enumerate(lot):
            prompt = prompts[number]
            guess = model.logits(hidden[row, prompt.start - 1 : len(prompt.tokens) - 1].float()).argmax(-1)
            hits[number] = bool((guess == batch[row, prompt.start : len(prompt.tokens)]).all())
    return hits
