"""Ctrl-C while Python still imports what a verb needs: status 130 and not a word, wherever it strikes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

STAGES = ("argparse", "qtui.core.errors", "qtui.cli.parser", "asyncio", "qtui.cli.wiring")
"""Modules that are imported one after the other; the interrupt follows the import of one of them at once."""


@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupt_while_it_starts_ends_it_without_a_traceback(stage: str, tmp_path: Path) -> None:
    folders = {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("CONFIG", "DATA", "CACHE", "STATE")}
    environment = {**os.environ, "HOME": str(tmp_path), **folders}
    command = [sys.executable, "-X", "importtime", "-m", "qtui", "ls"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None and process.stderr is not None
    begun, seen = False, []
    for line in process.stderr:
        seen.append(line)
        name = line.rpartition("|")[2].strip()
        begun = begun or name == "qtui.entry"
        if begun and name == stage:
            process.send_signal(signal.SIGINT)
            break
    else:
        raise AssertionError(f"{stage} is not imported after qtui.entry: {''.join(seen[-5:])}")
    out, err = process.communicate(timeout=60)
    said = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, out, said) == (130, "", [])
