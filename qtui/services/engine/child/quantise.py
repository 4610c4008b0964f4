"""The child that makes a quant: `python -m qtui.services.engine.child.quantise`, one job on stdin, progress on stdout.

llama.cpp offers no way to stop a quantising run: the parent closes stdin, or kills the child.
"""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from qtui.core.errors import BadFileError, EngineError, Failure, QtuiError, UsageError
from qtui.core.quantise import Quantised, QuantiseFailed, QuantiseJob, QuantisePlanned, QuantiseProgressed
from qtui.core.text import MIB, clean_name, size
from qtui.core.wire import decode
from qtui.services.engine.child.memory import offer_to_oom_killer
from qtui.services.engine.child.native import WARN, Native, claim_stdout, harden, open_native
from qtui.services.engine.child.sender import Sender

BUFFER_BYTES = 1 << 30
"""Rows kept in memory at once; llama.cpp's own default is 8 GiB."""
HEADER_ROOM = 64 * MIB
"""Free space wanted beyond the tensors: names, metadata, a large vocabulary."""
_STEP = re.compile(r"\[ *(\d+)/ *(\d+)\] +(\S+)")
_SIZE = re.compile(r"quant size += +([\d.]+) MiB")
_REASON = re.compile(r"failed to quantize: (.*)")


class Run:
    """One quantising run in this process."""

    def __init__(self, job: QuantiseJob, native: Native, sender: Sender) -> None:
        self._job = job
        self._native = native
        self._sender = sender
        self._dry = True
        # Kept here: a collected callback is a segmentation fault.
        self._callback = native.api.llama_log_callback(self._heard)
        native.api.llama_log_set(self._callback, ctypes.c_void_p(0))

    def run(self) -> Quantised:
        """Ask for the size, check that there is room, and write.

        Raises:
            UsageError: llama.cpp has no such file type, or the type needs an importance matrix.
            BadFileError: llama.cpp cannot read the source.
            EngineError: it refuses, or the disk is full.
        """
        started = time.monotonic()
        parameters = self._parameters()
        planned = self._plan(parameters)
        self._sender.send(QuantisePlanned(planned))
        folder = Path(self._job.target).parent
        free = shutil.disk_usage(folder).free
        if free < planned + min(HEADER_ROOM, planned):
            raise EngineError(
                f"the result needs {size(planned)}, {clean_name(str(folder))} has {size(free)} free",
                "free some space, or write to another folder",
            )
        self._dry = parameters.dry_run = False
        self._call(parameters)
        return Quantised(Path(self._job.target).stat().st_size, time.monotonic() - started)

    def _parameters(self) -> Any:
        api = self._native.api
        kind = file_type(api, self._job.kind)
        if self._native.problem:
            raise EngineError(f"cannot quantise: {self._native.problem}", "install llama-cpp-python 0.3.36")
        parameters = api.llama_model_quantize_default_params()
        parameters.ftype = kind
        parameters.nthread = self._job.threads
        parameters.allow_requantize = self._job.requantise
        parameters.max_buf_size = BUFFER_BYTES
        return parameters

    def _plan(self, parameters: Any) -> int:
        """Run dry; returns the bytes of all tensors of the result."""
        parameters.dry_run = True
        self._call(parameters)
        log = "\n".join(self._native.log.since())
        if "will require an imatrix" in log:
            raise UsageError(
                f"{clean_name(self._job.kind)} needs an importance matrix", "choose a type of 3 bits or more"
            )
        found = _SIZE.search(log)
        return int(float(found[1]) * MIB) if found else 0

    def _call(self, parameters: Any) -> None:
        source, target = os.fsencode(self._job.source), os.fsencode(self._job.target)
        status = self._native.api.llama_model_quantize(source, target, ctypes.byref(parameters))
        self._native.log.flush()
        if status != 0:
            raise self._refusal()

    def _refusal(self) -> QtuiError:
        log = self._native.log
        text = "\n".join(log.since(level=WARN) or log.tail())
        found = _REASON.search(text)
        reason = found[1].strip() if found else "llama.cpp does not say why"
        name = clean_name(Path(self._job.source).name)
        if not self._dry and "iostream error" in reason:
            return EngineError(
                f"cannot write the result of {name}: the disk is full or the file grew too large",
                "free some space, or write to another folder",
            )
        if "requantizing" in reason:
            return UsageError(f"{name} is quantised already", "start from an F16, BF16 or F32 file")
        if self._dry:
            return BadFileError(f"llama.cpp cannot quantise {name}: {reason}", "see whether `qtui show` can read it")
        return EngineError(f"quantising {name} failed: {reason}")

    def _heard(self, level: int, text: bytes, _data: Any) -> None:
        piece = text.decode("utf-8", "replace")
        step = None if self._dry else _STEP.match(piece)
        if step:
            self._sender.send(QuantiseProgressed(int(step[1]) - 1, int(step[2]), clean_name(step[3])))
        self._native.log.add(level, piece)


def file_type(api: Any, name: str) -> int:
    """Return llama.cpp's number of a file type.

    Raises:
        UsageError: there is none of this name.
    """
    known = {
        constant.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_").removeprefix("ALL_"): value
        for constant, value in vars(api).items()
        if constant.startswith(("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_"))
    }
    if name not in known:
        raise UsageError(f"llama.cpp has no file type {clean_name(name)}", f"one of {', '.join(known)}")
    return int(known[name])


def end_with_parent(job: QuantiseJob, complete: threading.Event) -> None:
    """End when stdin closes: the parent cancelled or is gone. What is not complete is removed."""
    while sys.stdin.buffer.read(4096):
        pass
    if not complete.is_set():
        Path(job.target).unlink(missing_ok=True)
    os._exit(0 if complete.is_set() else 130)


def main() -> int:
    """Read the job, run it, and say how it ended."""
    harden()
    offer_to_oom_killer()
    sender = Sender(claim_stdout())
    job = decode(sys.stdin.buffer.readline(), (QuantiseJob,))
    if not isinstance(job, QuantiseJob):
        sender.send(QuantiseFailed(Failure.of(EngineError("the quantising process was given no job"))))
        return 2
    try:
        complete = threading.Event()
        threading.Thread(target=end_with_parent, args=(job, complete), daemon=True).start()
        made = Run(job, open_native(echo=sys.stderr), sender).run()
        # The parent closes stdin as soon as it knows.
        complete.set()
        sender.send(made)
    except QtuiError as error:
        Path(job.target).unlink(missing_ok=True)
        sender.send(QuantiseFailed(Failure.of(error)))
        return 1
    return 0


if __name__ == "__main__":
    # Not sys.exit: the daemon thread still reads stdin, and interpreter shutdown would wait for its buffer's lock.
    os._exit(main())
