"""How long until the first frame: qtui against an empty Textual app: `python -m tests.benchmarks.first_paint`.

Both run as child processes in terminals of their own, in turn, with 2 000 variants on the disk whose headers qtui has
read before. Printed are the medians from the start of the process to the first frame (of qtui: with its top line), to
the first rows and to all of them, and the difference of the first frames, which has a goal. On a machine that does
other things too, the processor time until the first frame tells more than the clock.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.builders.gguf import tiny_model

GOAL_S = 0.15
VARIANTS = 2000
QUANTS = ("Q2_K", "Q3_K_M", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "Q8_0", "F16")
FRAME = b"\x1b[1;1H"
"""Where Textual begins to draw the whole screen."""
LIMIT_S = 60.0
EMPTY = ["-c", "from textual.app import App; App().run()"]


def write_models(folder: Path, count: int = VARIANTS) -> None:
    """Write so many small model files, eight quants of each model."""
    for number in range(count):
        name, quant = f"Model{number // len(QUANTS):03d}", QUANTS[number % len(QUANTS)]
        path = folder / name / f"{name}-{quant}.gguf"
        path.parent.mkdir(exist_ok=True)
        image = tiny_model(**{"general.name": name})
        path.write_bytes(image.header)
        os.truncate(path, image.size + 4096 * number)


def first_seen(
    arguments: Sequence[str], marks: Mapping[str, bytes], environment: Mapping[str, str]
) -> dict[str, float]:
    """Start a program in a terminal of 120 by 36 and return the seconds until each mark was drawn."""
    read, seen = bytearray(), dict[str, float]()
    begin = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, *arguments], dict(environment))
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        while not seen.keys() >= marks.keys():
            if time.perf_counter() - begin > LIMIT_S:
                raise TimeoutError(f"{arguments}: {bytes(read[-2000:])!r}")
            if not select.select([terminal], [], [], 0.5)[0]:
                continue
            read += os.read(terminal, 1 << 16)
            now = time.perf_counter() - begin
            seen |= {name: now for name, mark in marks.items() if name not in seen and mark in read}
            if "frame" in seen and "processor" not in seen:
                seen["processor"] = processor_time(pid)
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(terminal)
    return seen


def processor_time(pid: int) -> float:
    """Return the seconds that a process has computed so far, all its threads together (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(rounds: int, folder: Path) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Alternate both programs; the first of each is discarded."""
    home = folder / "home"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("QTUI", "XDG", "HF_"))},
        "TERM": "xterm-256color", "COLORTERM": "truecolor", "HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    home.mkdir()
    models = folder / "models"
    models.mkdir()
    write_models(models)
    listed = ["-m", "qtui", "ls", "--models-dir", str(models)]
    subprocess.run([sys.executable, *listed], env=environment, check=True, capture_output=True)
    marks = {"frame": b" Models ", "rows": b"Model000", "all": f"{VARIANTS} files".encode()}
    empty, ours = [], []
    for _ in range(rounds + 1):
        empty.append(first_seen(EMPTY, {"frame": FRAME}, environment))
        ours.append(first_seen(["-m", "qtui", "--models-dir", str(models)], marks, environment))
    return empty[1:], ours[1:]


def median(runs: Sequence[Mapping[str, float]], name: str) -> float:
    """Return the median of one mark."""
    return statistics.median(run[name] for run in runs)


def main() -> int:
    """Measure and print; the status tells whether the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        empty, ours = measure(rounds, Path(folder))
    difference = median(ours, "frame") - median(empty, "frame")
    paired = statistics.median(our["frame"] - one["frame"] for our, one in zip(ours, empty, strict=True))
    print(f"{rounds} rounds each, in turn, {VARIANTS} variants indexed; medians in seconds")
    for name, runs in (("empty Textual app", empty), ("qtui", ours)):
        print(f"{name:19} first frame {median(runs, 'frame'):.3f}   computed {median(runs, 'processor'):.2f}")
    print(f"{'':19} first rows {median(ours, 'rows'):.3f}   all rows {median(ours, 'all'):.3f}")
    print(f"difference          {difference:+.3f} (median of the pairs {paired:+.3f}; goal: at most {GOAL_S})")
    return 0 if difference <= GOAL_S else 1


if __name__ == "__main__":
    sys.exit(main())
