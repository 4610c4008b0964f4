"""Write the text that quants of the demo model are measured on: its own kinds of sentence, facts it never saw.

python make_text.py ../../qtui/data/texts/demo.txt
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from facts import plain
from tasks import KINDS, Maker

SEED = 4242
BYTES = 48_000
SHARES = {"story": 5, "text": 4, "recall": 3, "format": 2, "arithmetic": 2, "world": 1}
"""How often each group is drawn."""


def main() -> None:
    rng, maker = random.Random(SEED), Maker(SEED, "test")
    groups, shares = list(SHARES), list(SHARES.values())
    parts: list[str] = []
    seen: set[str] = set()
    while sum(len(part) + 2 for part in parts) < BYTES:
        group = rng.choices(groups, shares)[0]
        turn = maker.one(group, rng.choice(KINDS[group]))
        if turn.prompt not in seen:
            seen.add(turn.prompt)
            parts.append(f"{turn.prompt}\n{plain(turn.answer)}")
    Path(sys.argv[1]).write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
