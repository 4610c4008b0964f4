"""Reads damaged headers: `python -m tests.benchmarks.mutate_headers --count 100000 --seed 1`.

Of every one the header is read, with all that `qtui show` prints of it and its arrays. Nothing but BadFileError may be
raised, none may take more than 1 s of processor time (the clock's is printed too) or 200 MB. Memory is the high-water
mark that the kernel keeps of the process (`VmHWM`, reset before the first header) over what was resident then: no
single header can have taken more than that.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from qtui.core.errors import BadFileError
from qtui.core.gguf.facts import facts_of
from qtui.core.gguf.reader import ArrayRef, ValueType, read_array, read_header
from tests.builders.gguf import MemorySource, Tensor, array, build, strings, tiny_model
from tests.builders.mutations import Base, base, mutate
from tests.conftest import DEMO_F16, HEADER_NAMES, HEADER_SIZES, HEADERS

MAX_SECONDS = 1.0
MAX_BYTES = 200_000_000


@dataclass(slots=True)
class Report:
    """What happened to the headers of one run."""

    seed: int
    count: int
    read: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    slowest: int = -1
    longest_s: float = 0.0
    """By the clock on the wall, other programs' work included."""
    total_s: float = 0.0
    memory_bytes: int = 0
    crashes: list[str] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def passed(self) -> bool:
        return not self.crashes and self.slowest_s <= MAX_SECONDS and self.memory_bytes <= MAX_BYTES

    def lines(self) -> list[str]:
        return [
            f"{self.count} damaged headers from seed {self.seed}: {self.read} read, {self.refused} refused, "
            f"{len(self.crashes)} other exceptions",
            f"slowest {self.slowest_s * 1000:.0f} ms of processor time (number {self.slowest}), "
            f"mean {self.total_s / max(1, self.count) * 1000:.2f} ms; "
            f"longest by the clock {self.longest_s * 1000:.0f} ms",
            f"memory: at most {self.memory_bytes / 1e6:.0f} MB more than before the first one",
            *(f"{count:8} {reason}" for reason, count in self.reasons.most_common(12)),
            *self.crashes[:20],
            "passed" if self.passed else "FAILED",
        ]


def bases() -> list[Base]:
    """Return the sound headers: small ones with everything in them, the demo model's, and those of real shapes."""
    small = tiny_model()
    found = [base("tiny", small.header, small.size)] * 8
    for version, big_endian in ((2, False), (3, True)):
        image = build(
            {"general.architecture": "llama", "llama.block_count": 2, "tokens": strings(["ab", "c" * 140] * 200),
             "llama.attention.head_count_kv": array(ValueType.UINT32, [2, 2]), "llama.expert_used_count": 2},
            [Tensor(f"blk.{n}.ffn_up_exps.weight", (256, 2, 4), 12) for n in range(4)],
            version=version, big_endian=big_endian, alignment=64,
        )  # fmt: skip
        found += [base(f"v{version}", image.header, image.size, big_endian)] * 4
    with DEMO_F16.open("rb") as file:
        found.append(base("demo", file.read(31_360), DEMO_F16.stat().st_size))
    for name in HEADER_NAMES:
        found.append(base(name, (HEADERS / f"{name}.header").read_bytes(), HEADER_SIZES[name]))
    return found


def try_one(sound: list[Base], seed: int, number: int) -> str:
    """Damage a header and read it; returns why it was refused, empty when it was not."""
    rng = random.Random(f"{seed}:{number}")
    source = mutate(sound, rng)
    try:
        header = read_header(source, check_data=rng.random() < 0.5, first_read=rng.choice((16, 4096, 1 << 18)))
        json.dumps(facts_of(header, source).as_json("damaged.gguf"), allow_nan=False)
        for value in header.metadata.values():
            if isinstance(value, ArrayRef):
                read_array(source, header, value, limit=1000)
    except BadFileError as error:
        return error.message
    return ""


def run(count: int, seed: int) -> Report:
    """Try `count` headers; number N of a seed is always the same one."""
    sound = bases()
    for one in sound:
        assert read_header(mutate_nothing(one)).tensors
    report = Report(seed, count)
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    before = _status("VmRSS")
    for number in range(count):
        begin, clock = time.thread_time(), time.perf_counter()
        try:
            reason = try_one(sound, seed, number)
        except Exception as error:
            report.crashes.append(f"number {number}: {type(error).__name__}: {error}")
            continue
        finally:
            took = time.thread_time() - begin
            report.longest_s = max(report.longest_s, time.perf_counter() - clock)
            report.total_s += took
            if took > report.slowest_s:
                report.slowest_s, report.slowest = took, number
        if reason:
            report.refused += 1
            report.reasons[_kind(reason)] += 1
        else:
            report.read += 1
    report.memory_bytes = _status("VmHWM") - before
    return report


def mutate_nothing(one: Base) -> MemorySource:
    return MemorySource(one.content, one.size)


def _kind(reason: str) -> str:
    """Return a reason without what is particular to one file."""
    words = ("truncated", "can hold", "are allowed", "twice", "value type", "outside", "blocks", "larger", "GGUF",
             "power of two", "array of arrays", "longer than", "empty")  # fmt: skip
    return next((word for word in words if word in reason), reason)


def _status(line: str) -> int:
    """Return a number of /proc/self/status in bytes."""
    text = Path("/proc/self/status").read_text()
    return 1024 * int(text.split(f"{line}:")[1].split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", type=int, help="read this one alone and let what it raises through")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    if options.only is not None:
        print(try_one(bases(), options.seed, options.only) or "read")
        return 0
    report = run(options.count, options.seed)
    print("\n".join(report.lines()))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
