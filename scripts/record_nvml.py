"""Record what this machine's NVIDIA driver answers, for tests: `python scripts/record_nvml.py > FILE`.

The file has the shape of `tests/data/gpu/made_nvml_*.json`: for each card the answer of every call of `NvmlReader`, or
the error that it gave. Ids of cards are replaced, and processes keep their memory only: nothing that names a machine or
a user is written.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from qtui.services.machine.nvml import DriverReader, NvmlError

FIRST_PID = 4242


def answer(ask: Callable[[int], Any], index: int) -> Any:
    """Return what a call gave, or its error in the shape of the test data."""
    try:
        return ask(index)
    except NvmlError as error:
        return {"error": str(error), "unsupported": error.unsupported}


def card(reader: DriverReader, index: int) -> dict[str, Any]:
    """Return one card."""
    processes = answer(reader.processes, index)
    if isinstance(processes, list):
        processes = [[FIRST_PID + number, size] for number, (_, size) in enumerate(processes)]
    memory = answer(reader.memory, index)
    return {
        "name": answer(reader.name, index), "uuid": f"GPU-00000000-0000-4000-8000-{index:012}",
        "memory": list(memory) if isinstance(memory, tuple) else memory, "processes": processes,
        "busy": answer(reader.busy, index), "temperature": answer(reader.temperature, index),
        "power": answer(reader.power, index), "reasons": answer(reader.reasons, index),
        "divided": answer(reader.divided, index),
    }  # fmt: skip


def main() -> int:
    """Print the recording; 1 where there is no driver."""
    reader = DriverReader()
    try:
        count = reader.count()
    except NvmlError as error:
        print(f"nothing to record: {error}", file=sys.stderr)
        return 1
    cards = [card(reader, index) for index in range(count)]
    print(json.dumps({"recorded_of": "this driver, by scripts/record_nvml.py", "cards": cards}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
