"""Write the dev set and the test set: facts that training never sees, balanced by kind.

python make_sets.py tokenizer.json
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

from facts import plain
from packing import Encoder
from tasks import KINDS, Maker

HERE = Path(__file__).parent
SIZES = {"dev": (100, 60), "test": (200, 120)}
"""Prompts in each of the five groups, and in each of `world` and `other`."""
SEEDS = {"dev": 501, "test": 777}
LONGEST = 800
"""Tokens of a prompt with its answer, at most."""


def write(side: str, encoder: Encoder) -> None:
    """Write one of the sets."""
    maker = Maker(SEEDS[side], side)
    many, few = SIZES[side]
    lines = []
    for group, kinds in KINDS.items():
        seen: set[str] = set()
        count = few if group in ("world", "other") else many
        while len(seen) < count:
            turn = maker.one(group, kinds[len(seen) % len(kinds)])
            length = len(encoder.conversation([turn], random.Random(0))[0])
            if turn.prompt in seen or length > LONGEST:
                continue
            seen.add(turn.prompt)
            entry = {
                "group": group,
                "kind": turn.kind,
                "prompt": turn.prompt,
                "answer": plain(turn.answer),
                **turn.about,
            }
            lines.append(json.dumps(entry))
    (HERE / f"{side}.jsonl").write_text("\n".join(lines) + "\n")


def main() -> None:
    encoder = Encoder(Path(sys.argv[1]))
    for side in SIZES:
        write(side, encoder)


if __name__ == "__main__":
    main()
