"""Our header reader against PyPI's: `python -m tests.benchmarks.header`.

Runs of both alternate in one process on the same files, which the page cache holds; medians and their ratio are
printed. Ours reads the header with all its checks; theirs is `gguf.GGUFReader(path)`, which does no more than read.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gguf

from qtui.core.gguf.reader import ValueType, read_header
from qtui.services.library.source import FileSource
from tests.builders.gguf import Scalar, Tensor, Typed, array, build, strings
from tests.conftest import SHARED

GOAL = 100
TOKENS = 262_144


def write_vocabulary(path: Path) -> Path:
    """Write a file with a vocabulary of 262 144 tokens and 514 906 merges, of the lengths that large models have."""
    syllables = ["an", "the", "ing", "\u2581", "tion", "er", "\u4e2d", "Schl", "0", "  ", "pre", "ization", "\u00e9"]
    size = len(syllables)
    tokens = [
        syllables[n % size] + syllables[n // size % size] * (n % 3 > 0) + (str(n) if n % 7 == 0 else "") + str(n % 97)
        for n in range(TOKENS)
    ]
    merges = [f"{tokens[n % TOKENS]} {tokens[7 * n % TOKENS]}" for n in range(514_906)]
    metadata: dict[str, Typed | Scalar] = {
        "general.architecture": "gemma3", "gemma3.block_count": 62, "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": strings(tokens),
        "tokenizer.ggml.scores": array(ValueType.FLOAT32, [-float(n) for n in range(TOKENS)]),
        "tokenizer.ggml.token_type": array(ValueType.INT32, [1] * TOKENS),
        "tokenizer.ggml.merges": strings(merges),
        "tokenizer.chat_template": "{{ messages }}" * 500,
    }  # fmt: skip
    tensors = [Tensor(f"blk.{n // 13}.tensor_{n % 13}.weight", (256, 16), 12) for n in range(808)]
    return build(metadata, tensors).write(path)


def ours(path: Path) -> None:
    with FileSource(path) as source:
        read_header(source)


def theirs(path: Path) -> None:
    gguf.GGUFReader(path)


def seconds(read: Callable[[Path], None], path: Path) -> float:
    gc.collect()
    begin = time.perf_counter()
    read(path)
    return time.perf_counter() - begin


def compare(path: Path, rounds: int) -> float:
    """Alternate both readers on a file, print what they took, and return how many times faster ours is."""
    mine, other = [], []
    for _ in range(rounds):
        other.append(seconds(theirs, path))
        mine += [seconds(ours, path) for _ in range(3)]
    ratio = statistics.median(other) / statistics.median(mine)
    print(
        f"{path.name} ({path.stat().st_size / 1e6:.1f} MB): ours {statistics.median(mine) * 1000:.1f} ms "
        f"({min(mine) * 1000:.1f} to {max(mine) * 1000:.1f}), gguf.GGUFReader {statistics.median(other):.2f} s "
        f"({min(other):.2f} to {max(other):.2f}), {rounds} rounds: {ratio:.0f} times faster",
        flush=True,
    )
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    ratios = []
    real = SHARED / "headers" / "ggml-vocab-qwen2.gguf"
    if real.is_file():
        ratios.append(compare(real, options.rounds))
    else:
        print(f"{real.name} is not in the shared folder: left out")
    with tempfile.TemporaryDirectory() as folder:
        ratios.append(compare(write_vocabulary(Path(folder) / "vocabulary-262144.gguf"), options.rounds))
    print(f"goal: {GOAL} times faster: {'reached' if min(ratios) >= GOAL else 'MISSED'}")
    return 0 if min(ratios) >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
