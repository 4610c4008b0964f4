"""What a llama-server allocated, read from its log: `load_tensors:  CPU model buffer size = 569.78 MiB`."""

from __future__ import annotations

import re

from qtui.core.text import MIB, clean_name

MOST_ROWS = 64
MOST_MIB = 1 << 26
_LINE = re.compile(
    r"\b(?P<device>\S{1,120}) +(?P<kind>model|LoRA|KV|RS|compute|output) buffer size = +(?P<mib>\d+\.\d\d) MiB"
)
_ATTENTION = re.compile(r"Flash Attention (?:was )?(enabled|disabled)|set to (enabled|disabled)")
_PARTS = {"model": 0, "LoRA": 0, "KV": 1, "RS": 1, "compute": 2, "output": 3}
_RESERVING = "sched_reserve: reserving"


class Buffers:
    """Adds up buffers by the name of their device, as llama.cpp prints them, with two decimals of a MiB."""

    def __init__(self) -> None:
        self._rows: dict[str, list[int]] = {}
        self.flash_attention: bool | None = None
        """As it was resolved; None: not told."""

    def read(self, line: str) -> None:
        """Take a line of the log."""
        found = _LINE.search(line)
        if found:
            name, size = clean_name(found["device"], 120), float(found["mib"])
            if size <= MOST_MIB and (name in self._rows or len(self._rows) < MOST_ROWS):
                self._rows.setdefault(name, [0, 0, 0, 0])[_PARTS[found["kind"]]] += round(size * MIB)
        elif _RESERVING in line:  # anew, where what was reserved before turned out not to do
            for row in self._rows.values():
                row[2] = 0
        elif attention := _ATTENTION.search(line):
            self.flash_attention = "enabled" in attention.groups()

    def rows(self) -> tuple[tuple[str, int, int, int], ...]:
        """Return (buffer type, weights, context, compute) bytes, in the order in which they came."""
        return tuple(
            (name, weights, context, compute + output)
            for name, (weights, context, compute, output) in self._rows.items()
        )
