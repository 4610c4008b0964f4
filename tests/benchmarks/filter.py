"""What a keystroke in the filter costs over 2 000 variants: `python -m tests.benchmarks.filter`.

Each keystroke of a typed filter is parsed and put to every row; rows are made once, as the app does when something
becomes known of them. The time of the slowest keystroke, of many rounds each the median, is compared with the goal.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from qtui.core.library.filter import LibraryRow, filter_rows
from qtui.core.library.filter_text import parse_filter
from qtui.core.library.grouping import group_models
from qtui.core.library.order import SortKey, sort_models
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.verdict import Fit, Verdict
from qtui.core.text import MIB
from tests.fakes import make_footprint, make_variant

GOAL_S = 0.005
COUNT = 2000
TYPED = "fits quant:q4 >4bpw <8GiB arch:qwen3 -embed model:qwen"
QUANTS = ("Q2_K", "Q3_K_M", "IQ4_XS", "Q4_K_M", "UD-Q4_K_XL", "Q5_K_M", "Q6_K", "Q8_0", "BF16", "F16")
ROUNDS = 15


def library(count: int = COUNT) -> list[LibraryRow]:
    """Return rows of models with ten quants each, as a large library has them."""
    return [row(made(number), number) for number in range(count)]


def made(number: int) -> Variant:
    """Return one variant."""
    model = f"{('Qwen3', 'Llama-3.3', 'gemma-3', 'Mistral')[number // 10 % 4]}-{number // 10}B-Instruct"
    folder = Path(f"/home/user/.cache/huggingface/hub/models--someone--{model}-GGUF/snapshots/0123456789abcdef")
    return make_variant(
        model, QUANTS[number % 10], folder=folder, size=(number % 10 + 1) * 900 * MIB,
        bits_per_weight=2.5 + number % 10 * 1.3, architecture=("qwen3", "llama", "gemma3", "mistral")[number // 10 % 4],
        repository=f"someone/{model}-GGUF",
    )  # fmt: skip


def row(variant: Variant, number: int) -> LibraryRow:
    """Return what is known of one."""
    return LibraryRow(variant, Verdict(tuple(Fit)[number % 6]), make_footprint(variant, LoadPlan()), number % 60 + 1.0)


def keystroke_times(rows: list[LibraryRow], typed: str = TYPED) -> list[float]:
    """Return the median seconds of each keystroke, first to last."""
    medians = []
    for end in range(1, len(typed) + 1):
        times = []
        for _ in range(ROUNDS):
            started = time.perf_counter()
            filter_rows(rows, parse_filter(typed[:end]).predicate)
            times.append(time.perf_counter() - started)
        medians.append(statistics.median(times))
    return medians


def main() -> int:
    """Measure and print; 1 when the goal is missed."""
    rows = library()
    times = keystroke_times(rows)
    shelves = group_models(row.variant for row in rows)
    by_path = {row.variant.path: row for row in rows}
    started = time.perf_counter()
    sort_models(shelves.models, SortKey.NEEDS, rows=by_path)
    sorting = time.perf_counter() - started
    started = time.perf_counter()
    library()
    making = time.perf_counter() - started
    print(f"{len(rows)} variants, {len(times)} keystrokes")
    print(f"keystroke: median {statistics.median(times) * 1e3:.2f} ms, slowest {max(times) * 1e3:.2f} ms (goal 5)")
    print(f"sorting by needs {sorting * 1e3:.1f} ms, making all rows {making * 1e3:.1f} ms")
    return 0 if max(times) < GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
