"""Serve a test Hub in a process of its own: `python -m tests.hub [--root FOLDER] [--model] [--fault KIND:PATTERN:AT]`.

Prints `HF_ENDPOINT=…` once it can be asked, then one line for each request, and ends on Ctrl-C or when its standard
input is closed.
"""

from __future__ import annotations

import argparse
import sys
import threading
from pathlib import Path

from tests.hub.faults import Fault, Kind
from tests.hub.model_repository import Shape, model_repository
from tests.hub.server import LocalHub


def fault(text: str) -> Fault:
    """Read `KIND[:PATTERN[:AT[:TIMES]]]`."""
    kind, pattern, at, times = (*text.split(":"), "", "", "", "")[:4]
    return Fault(Kind(kind), pattern or "*", int(at or 0), int(times or 1))


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.hub", description="A Hub on loopback, for tests.")
    parser.add_argument("--root", type=Path, metavar="FOLDER", help="repositories, as FOLDER/owner/name/…")
    parser.add_argument("--model", action="store_true", help="add acme/Acme-8B-GGUF, twenty quants without data")
    parser.add_argument("--vocabulary", type=int, default=151_936, metavar="N", help="tokens of that model")
    parser.add_argument("--fault", type=fault, action="append", default=[], metavar="KIND[:PATTERN[:AT[:TIMES]]]")
    parser.add_argument("--quiet", action="store_true", help="do not print the requests")
    options = parser.parse_args()
    with LocalHub(options.root) as hub:
        if options.model:
            hub.add(model_repository(shape=Shape(vocabulary=options.vocabulary)).repository)
        if options.fault:
            hub.fault(*options.fault)
        print(f"HF_ENDPOINT={hub.endpoint}", flush=True)
        ended = threading.Event()
        threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
        shown = 0
        try:
            while not ended.wait(0.2):
                for record in hub.requests()[shown:] if not options.quiet else ():
                    print(record.port, record.method, record.target, record.range or "", record.status, flush=True)
                    shown += 1
        except KeyboardInterrupt:
            return


def _wait_for_end(ended: threading.Event) -> None:
    """Set the event once standard input is closed."""
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    main()
