"""Gathers an importance matrix while a model computes: the squares of what every weight is multiplied with.

By the rules of llama.cpp's tools/imatrix (`IMatrixCollector::collect_imatrix`): products of weights named `blk.…` with
at least 16 rows of F32, and every product of experts, whose rows go to the experts that the router chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qtui.core.errors import BadFileError, EngineError
from qtui.core.text import clean_name
from qtui.services.engine.child.ggml_tensor import F32, GgmlTensor, Tensors
from qtui.services.engine.child.matrix_file import Entry
from qtui.services.engine.child.native import Native

LEAST_ROWS = 16
Array = np.ndarray[Any, np.dtype[Any]]


class Sums:
    """What was gathered for one tensor, in double precision."""

    __slots__ = ("counts", "squares")

    def __init__(self, rows: int, columns: int, counts: int) -> None:
        self.squares: Array = np.zeros((rows, columns), dtype=np.float64)
        self.counts: Array = np.zeros(counts, dtype=np.int64)


class Collector:
    """The evaluation callback, and what it has gathered."""

    def __init__(self, native: Native, *, process_output: bool = False) -> None:
        self._tensors = Tensors(native)
        self._process_output = process_output
        self._sums: dict[str, Sums] = {}
        self._error: Exception | None = None
        # Kept here: a collected callback is a segmentation fault.
        self.callback = native.api.ggml_backend_sched_eval_callback(self._called)

    def check(self) -> None:
        """Raise what went wrong in the callback, from which no exception can leave.

        Raises:
            BadFileError: the model computes what are no numbers.
            EngineError: anything else.
        """
        if isinstance(self._error, BadFileError | EngineError):
            raise self._error
        if self._error is not None:
            raise EngineError(f"gathering failed: {clean_name(str(self._error))}") from self._error

    def restore(self, entries: Mapping[str, Entry]) -> None:
        """Go on from what was gathered before."""
        for name, entry in entries.items():
            rows, columns = entry.sums.shape
            sums = Sums(rows, columns, entry.counts.size)
            sums.squares += entry.sums
            sums.counts += entry.counts
            self._sums[name] = sums

    def entries(self) -> dict[str, Entry]:
        """Return what was gathered, as it is written."""
        return {
            name: Entry(sums.squares.reshape(sums.counts.size, -1).astype(np.float32), sums.counts.copy())
            for name, sums in self._sums.items()
        }

    def experts(self) -> tuple[int, int]:
        """Return how many experts there are, over all tensors of experts, and how many of them were seen."""
        counts = [sums.counts for sums in self._sums.values() if sums.counts.size > 1]
        return sum(one.size for one in counts), sum(int((one > 0).sum()) for one in counts)

    def scarce(self) -> tuple[str, ...]:
        """Return the tensors of which experts were never seen, the poorest first, with the share that was."""
        shares = {
            name: float((sums.counts > 0).mean()) for name, sums in self._sums.items() if (sums.counts == 0).any()
        }
        return tuple(
            f"{clean_name(name, 60)} {shares[name] * 100:.1f} %" for name in sorted(shares, key=lambda n: shares[n])
        )

    def _called(self, address: Any, ask: bool, _data: Any) -> bool:
        if self._error is not None:
            return False
        try:
            node = GgmlTensor.from_address(address)
            if ask:
                return self._wanted(node)
            if node.op == self._tensors.mul_mat_id:
                self._add_experts(node)
            else:
                self._add(node)
        except Exception as error:  # noqa: BLE001  nothing may leave a callback that C calls
            self._error = error
            return False
        return True

    def _wanted(self, node: GgmlTensor) -> bool:
        if node.op == self._tensors.mul_mat_id:
            return True
        if node.op != self._tensors.mul_mat:
            return False
        inputs = node.src[1].contents
        if inputs.ne[1] < LEAST_ROWS or inputs.type != F32:
            return False
        name = _name(node.src[0].contents)
        return name.startswith("blk.") or (self._process_output and name == "output.weight")

    def _add(self, node: GgmlTensor) -> None:
        weights, inputs = node.src[0].contents, node.src[1].contents
        matrices = weights.ne[2] * weights.ne[3]
        sums = self._of(weights, matrices, 1)
        values = self._tensors.values(inputs, np.float32)  # [ne3, ne2, ne1, ne0]
        for outer in range(inputs.ne[3]):
            for inner in range(inputs.ne[2]):
                row = (outer % weights.ne[3]) * weights.ne[2] + inner % weights.ne[2]
                sums.squares[row] += np.square(values[outer, inner]).sum(axis=0, dtype=np.float64)
        _check_finite(sums.squares, weights)
        sums.counts += inputs.ne[1] * inputs.ne[2] * inputs.ne[3] // matrices

    def _add_experts(self, node: GgmlTensor) -> None:
        weights, inputs, ids = (node.src[place].contents for place in range(3))
        experts = weights.ne[2]
        sums = self._of(weights, experts, experts)
        values = self._tensors.values(inputs, np.float32)[0]  # [tokens, slots or 1, columns]
        chosen = self._tensors.values(ids, np.int32)[0, 0]  # [tokens, slots]
        slots = chosen.shape[1]
        if chosen.size and not (chosen.min() >= 0 and chosen.max() < experts):
            raise EngineError(f"the router of {clean_name(_name(weights))} chooses experts that there are not")
        squares = np.square(values)
        which = np.arange(slots) % values.shape[1]
        flat = chosen.ravel()
        for expert in np.unique(flat):
            token, slot = np.divmod(np.flatnonzero(flat == expert), slots)
            sums.squares[expert] += squares[token, which[slot]].sum(axis=0, dtype=np.float64)
        sums.counts += np.bincount(flat, minlength=experts)
        _check_finite(sums.squares, weights)

    def _of(self, weights: GgmlTensor, rows: int, counts: int) -> Sums:
        name = _name(weights)
        columns = weights.ne[0]
        sums = self._sums.get(name)
        if sums is None:
            sums = self._sums[name] = Sums(rows, columns, counts)
        if sums.squares.size != rows * columns:
            raise EngineError(f"{clean_name(name)} is not as large as it was")
        if sums.squares.shape[0] != rows:  # of a file, whose one count stands for all matrices of a tensor
            sums.squares = sums.squares.reshape(rows, columns)
        return sums


def _name(weights: GgmlTensor) -> str:
    """Return a weight's name; a copy on another device is called DEVICE#NAME#0."""
    name: str = weights.name.decode("utf-8", "surrogateescape")
    parts = name.split("#")
    return parts[1] if len(parts) > 1 else parts[0]


def _check_finite(squares: Array, weights: GgmlTensor) -> None:
    if not np.isfinite(squares).all():
        raise BadFileError(
            f"the model computes no numbers (NaN) before {clean_name(_name(weights), 60)}",
            "check the file's hash (qtui verify), or gather with another quant",
        )
