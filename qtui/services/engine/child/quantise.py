"""The child that makes a quant: `python -m qtui.services.engine.child.quantise`, one job on stdin, progress on stdout.

llama.cpp offers no way to stop a quantising run: the parent closes stdin, or kills the child.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtui.core.errors import EngineError, Failure, QtuiError, UsageError
from qtui.core.gguf.types import nbytes
from qtui.core.quantise.messages import (
    PredictJob,
    Quantised,
    QuantiseFailed,
    QuantiseJob,
    QuantisePlanned,
    QuantiseProgressed,
    TypeShare,
)
from qtui.core.quantise.obstacles import no_room, obstacle
from qtui.core.quantise.recipe import Recipe, checked
from qtui.core.quantise.types import PLAIN, type_id, wants_matrix
from qtui.core.text import clean_name
from qtui.core.wire import decode
from qtui.services.engine.child.memory import offer_to_oom_killer
from qtui.services.engine.child.native import WARN, Native, claim_stdout, harden, open_native
from qtui.services.engine.child.quantise_log import STEP, DryLog, refusal
from qtui.services.engine.child.quantise_matrix import ModelMatrix
from qtui.services.engine.child.quantise_source import Extra, ResultSizes, Source, read_source
from qtui.services.engine.child.sender import Sender

BUFFER_BYTES = 1 << 30
"""Rows kept in memory at once; llama.cpp's own default is 8 GiB."""
REQUANTISED = "qtui.requantized_from"
"""The key under which a result says which quantised types it was made of."""
_NO_TYPE = 43
"""GGML_TYPE_COUNT (ggml.h): the type is left to llama.cpp."""


class Run:
    """Quantising of one source in this process."""

    def __init__(self, source: Path, native: Native, sender: Sender) -> None:
        if native.problem:
            raise EngineError(f"cannot quantise: {native.problem}", "install llama-cpp-python 0.3.36")
        self._native = native
        self._sender = sender
        self._source: Source = read_source(source)
        self._name = clean_name(source.name)
        self._sizes = ResultSizes(native, self._source)
        self._matrices: dict[str, ModelMatrix] = {}
        self._dry: DryLog | None = None
        self._read = 0
        self._kept: list[Any] = []
        # Kept here: a collected callback is a segmentation fault.
        self._callback = native.api.llama_log_callback(self._heard)
        native.api.llama_log_set(self._callback, ctypes.c_void_p(0))

    def plan(self, recipe: Recipe) -> QuantisePlanned:
        """Return what llama.cpp would make, to the byte.

        Raises:
            UsageError: there is no such type, or an override is no regular expression.
            BadFileError: llama.cpp cannot quantise the source, or the matrix is none.
        """
        recipe = checked(recipe)
        matrix = self._matrix(recipe)
        self._dry = DryLog()
        try:
            self._call("", self._parameters(recipe, matrix, dry=True), dry=True)
            dry = self._dry
        finally:
            self._dry = None
        tensors = self._source.tensors
        if dry.types.keys() != tensors.keys():
            raise EngineError(f"llama.cpp's log does not tell the types of all tensors of {self._name}")
        requantised = tuple(
            sorted(
                {tensors[name].type_name for name, kind in dry.types.items() if kind != tensors[name].type_name}
                - set(PLAIN)
            )
        )
        lacking = matrix is not None and any(
            matrix.lacks(name) and kind != tensors[name].type_name and wants_matrix(name, kind, recipe.kind)
            for name, kind in dry.types.items()
        )
        counts, sizes = Counter(dry.types.values()), Counter[str]()
        for name, kind in dry.types.items():
            sizes[kind] += nbytes(type_id(kind), tensors[name].shape) or 0
        extras = self._extras(requantised, matrix)
        return QuantisePlanned(
            recipe,
            sizes=self._sizes.of(dry.types, extras, split=recipe.keep_split),
            tensors=len(tensors),
            source_size=sum(tensor.size_bytes or 0 for tensor in tensors.values()),
            weights=sum(tensor.elements for tensor in tensors.values()),
            mix=tuple(TypeShare(kind, counts[kind], size) for kind, size in sizes.most_common()),
            fallbacks=dry.fallbacks,
            needs_matrix=lacking or (matrix is None and dry.needs_matrix),
            changed=sum(kind != tensors[name].type_name for name, kind in dry.types.items()),
            requantised=requantised,
            matrix=None if matrix is None else matrix.fit(tensors, dry.types),
        )

    def make(self, job: QuantiseJob) -> Quantised:
        """Tell what will be made, check that nothing is in the way, and write.

        Raises:
            QtuiError: as `plan`; what stands against it; no room; the disk fills up.
        """
        started = time.monotonic()
        planned = self.plan(job.recipe)
        self._sender.send(planned)
        target = Path(job.target)
        folder = target.parent
        for failure in (obstacle(planned), no_room(planned.size, shutil.disk_usage(folder).free, str(folder))):
            if failure is not None:
                raise failure.as_error()
        recipe = planned.recipe
        matrix = self._matrix(recipe)
        extras = self._extras(planned.requantised, matrix)
        parameters = self._parameters(recipe, matrix, extras, job.threads)
        self._read = 0
        self._call(str(target / job.stem) if recipe.keep_split else str(target), parameters, dry=False)
        files = sorted(target.iterdir()) if recipe.keep_split else [target]
        size = sum(path.stat().st_size for path in files)
        return Quantised(size, time.monotonic() - started, tuple(map(str, files)))

    def _extras(self, requantised: Sequence[str], matrix: ModelMatrix | None) -> tuple[Extra, ...]:
        found = [*self._source.extras, *(matrix.extras if matrix is not None else ())]
        if requantised:
            found.append(Extra(REQUANTISED, ", ".join(requantised)))
        return tuple(found)

    def _matrix(self, recipe: Recipe) -> ModelMatrix | None:
        if recipe.imatrix and recipe.imatrix not in self._matrices:
            self._matrices[recipe.imatrix] = ModelMatrix(recipe.imatrix, self._native.api)
        return self._matrices.get(recipe.imatrix)

    def _parameters(
        self,
        recipe: Recipe,
        matrix: ModelMatrix | None,
        extras: Sequence[Extra] = (),
        threads: int = 0,
        *,
        dry: bool = False,
    ) -> Any:
        api = self._native.api
        value = api.llama_model_quantize_default_params()
        value.ftype = file_type(api, recipe.kind)
        value.allow_requantize = recipe.allow_requantize
        value.pure = recipe.pure
        value.keep_split = recipe.keep_split
        value.quantize_output_tensor = not recipe.leave_output_tensor
        value.output_tensor_type = type_id(recipe.output_tensor_type) if recipe.output_tensor_type else _NO_TYPE
        value.token_embedding_type = type_id(recipe.token_embedding_type) if recipe.token_embedding_type else _NO_TYPE
        value.nthread = threads
        value.max_buf_size = BUFFER_BYTES
        value.dry_run = dry
        if matrix is not None:
            value.imatrix = ctypes.cast(matrix.array, ctypes.POINTER(api.llama_model_imatrix_data))
        if recipe.tensor_type:
            kind = api.llama_model_tensor_override
            rows = [kind(pattern.encode(), type_id(name)) for pattern, name in recipe.tensor_type]
            overrides = (kind * (len(rows) + 1))(*rows, kind(None, _NO_TYPE))
            value.tt_overrides = ctypes.cast(overrides, ctypes.POINTER(kind))
            self._kept.append((overrides, rows))
        if extras:
            entries = (api.llama_model_kv_override * (len(extras) + 1))(*(_value(api, extra) for extra in extras))
            value.kv_overrides = ctypes.cast(entries, ctypes.POINTER(api.llama_model_kv_override))
            self._kept.append(entries)
        return value

    def _call(self, target: str, parameters: Any, *, dry: bool) -> None:
        log = self._native.log
        mark = log.count
        source = os.fsencode(self._source.paths[0])
        status = self._native.api.llama_model_quantize(source, os.fsencode(target), ctypes.byref(parameters))
        log.flush()
        if status != 0:
            raise refusal(log.since(mark, WARN) or list(log.tail()), self._name, writing=not dry)

    def _heard(self, level: int, text: bytes, _data: Any) -> None:
        piece = text.decode("utf-8", "replace")
        if self._dry is not None:
            self._dry.add(piece)
        elif step := STEP.match(piece):
            tensors = self._source.tensors
            tensor = tensors.get(step[3])
            whole = sum(one.size_bytes or 0 for one in tensors.values())
            self._sender.send(
                QuantiseProgressed(int(step[1]) - 1, int(step[2]), clean_name(step[3]), self._read, whole)
            )
            self._read += (tensor.size_bytes or 0) if tensor is not None else 0
        self._native.log.add(level, piece)


def _value(api: Any, extra: Extra) -> Any:
    """Return a metadata value as llama-quantize hands it over: keys and texts of 127 bytes at most."""
    entry = api.llama_model_kv_override()
    entry.key = extra.key.encode()[:127]
    if isinstance(extra.value, str):
        entry.tag = api.LLAMA_KV_OVERRIDE_TYPE_STR
        entry.value.val_str = extra.value.encode("utf-8", "surrogateescape")[:127]
    else:
        entry.tag = api.LLAMA_KV_OVERRIDE_TYPE_INT
        entry.value.val_i64 = extra.value
    return entry


def file_type(api: Any, name: str) -> int:
    """Return llama.cpp's number of a file type.

    Raises:
        UsageError: this build has none of this name.
    """
    for prefix in ("LLAMA_FTYPE_MOSTLY_", "LLAMA_FTYPE_ALL_"):
        if hasattr(api, prefix + name):
            return int(getattr(api, prefix + name))
    raise UsageError(f"this llama.cpp has no file type {clean_name(name)}", "take another type")


def predict(job: PredictJob, native: Native, sender: Sender) -> None:
    """Tell of each recipe what it would make; of one that cannot be made, why."""
    run = Run(Path(job.source), native, sender)
    for recipe in job.recipes:
        try:
            sender.send(run.plan(recipe))
        except QtuiError as error:
            sender.send(QuantisePlanned(recipe, (), 0, 0, 0, problem=error.message, hint=error.hint))


def remove(job: QuantiseJob) -> None:
    """Remove what is not complete."""
    target = Path(job.target)
    if job.recipe.keep_split:
        shutil.rmtree(target, ignore_errors=True)
    else:
        target.unlink(missing_ok=True)


def end_with_parent(job: QuantiseJob | PredictJob, complete: threading.Event) -> None:
    """End when stdin closes: the parent cancelled or is gone. What is not complete is removed."""
    while sys.stdin.buffer.read(4096):
        pass
    if not complete.is_set() and isinstance(job, QuantiseJob):
        remove(job)
    os._exit(0 if complete.is_set() else 130)


def main() -> int:
    """Read the job, run it, and say how it ended."""
    harden()
    offer_to_oom_killer()
    sender = Sender(claim_stdout())
    job = decode(sys.stdin.buffer.readline(), (QuantiseJob, PredictJob))
    if not isinstance(job, QuantiseJob | PredictJob):
        sender.send(QuantiseFailed(Failure.of(EngineError("the quantising process was given no job"))))
        return 2
    try:
        complete = threading.Event()
        threading.Thread(target=end_with_parent, args=(job, complete), daemon=True).start()
        native = open_native(echo=sys.stderr)
        if isinstance(job, PredictJob):
            predict(job, native, sender)
            return 0
        made = Run(Path(job.source), native, sender).make(job)
        # The parent closes stdin as soon as it knows.
        complete.set()
        sender.send(made)
    except QtuiError as error:
        if isinstance(job, QuantiseJob):
            remove(job)
        sender.send(QuantiseFailed(Failure.of(error)))
        return 1
    return 0


if __name__ == "__main__":
    # Not sys.exit: the daemon thread still reads stdin, and interpreter shutdown would wait for its buffer's lock.
    os._exit(main())
