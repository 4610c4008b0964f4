"""Graphics cards from files in `tests/data/gpu`. `made_*` are written from documentation, not recorded of a card."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from qtui.services.machine.nvml import NvmlError
from tests.services.machine.test_nvml import FakeCards

FOLDER = Path(__file__).parents[2] / "data" / "gpu"


def nvml_cards(name: str) -> FakeCards:
    """Return a reader that answers what a file holds: a value, or an error."""
    body: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return FakeCards([{key: _answer(key, value) for key, value in card.items()} for card in body["cards"]])


def put_files(name: str, root: Path) -> None:
    """Lay out the files of a driver below a root."""
    body: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    contents = {path: text.encode() for path, text in body["files"].items()}
    contents |= {path: bytes.fromhex(text) for path, text in body.get("hex", {}).items()}
    for path, content in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


def _answer(key: str, value: Any) -> object:
    if isinstance(value, dict):
        return NvmlError(value["error"], unsupported=value["unsupported"])
    if key == "processes":
        return [(pid, size) for pid, size in value]
    return tuple(value) if key == "memory" else value
