"""An importance matrix for one model: how it meets the model, and as llama.cpp takes it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qtui.core.errors import BadFileError
from qtui.core.gguf.reader import TensorInfo
from qtui.core.quantise.messages import MatrixFit
from qtui.core.quantise.types import PLAIN
from qtui.core.text import clean_name
from qtui.services.engine.child.matrix_file import Matrix, read_matrix
from qtui.services.engine.child.quantise_source import Extra

FEW = 3
_WITHOUT = ("F32", "F16", "BF16", "Q8_0", "MXFP4", "NVFP4", "TQ1_0", "TQ2_0")
"""Types whose quantisers take no matrix (ggml-quants.c)."""
_LEFT_OUT = ("token_embd.weight", "per_layer_token_embd.weight", "output.weight")
"""For these llama-imatrix gathers nothing unless it is told to."""


class ModelMatrix:
    """A matrix that was read for a model.

    Raises:
        BadFileError: it is none, or holds what are no numbers.
    """

    def __init__(self, path: str, api: Any) -> None:
        self._path = path
        self._matrix: Matrix = read_matrix(Path(path))
        self._weights = {name: entry.weights() for name, entry in self._matrix.entries.items()}
        for name, weights in self._weights.items():
            if not np.isfinite(weights).all():
                raise BadFileError(
                    f"{clean_name(Path(path).name)} holds values that are no numbers (NaN), for {clean_name(name, 60)}",
                    "gather it again: qtui imatrix",
                )
        kind = api.llama_model_imatrix_data
        self._rows = [
            kind(
                name.encode("utf-8", "surrogateescape"),
                values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
                values.size,
            )
            for name, values in self._weights.items()
        ]
        self.array = (kind * (len(self._rows) + 1))(*self._rows, kind(None, None, 0))
        """Ends with an empty row; lives as long as this object."""

    @property
    def extras(self) -> tuple[Extra, ...]:
        """Return what the result's metadata say of the matrix: the keys of llama-quantize, in its order."""
        matrix = self._matrix
        found = [Extra("quantize.imatrix.file", self._path)]
        if matrix.datasets:
            found.append(Extra("quantize.imatrix.dataset", matrix.datasets[0]))
        found.append(Extra("quantize.imatrix.entries_count", len(matrix.entries)))
        if matrix.chunk_count > 0:
            found.append(Extra("quantize.imatrix.chunks_count", matrix.chunk_count))
        return tuple(found)

    def fit(self, tensors: Mapping[str, TensorInfo], types: Mapping[str, str]) -> MatrixFit:
        """Return how it meets a model whose tensors would get these types."""
        entries = self._matrix.entries
        wanted = {name for name, kind in types.items() if kind not in _WITHOUT and kind != tensors[name].type_name}
        unknown = sorted(name for name in entries if name not in tensors)
        experts = [entry.counts for name, entry in entries.items() if entry.counts.size > 1 and name in tensors]
        return MatrixFit(
            entries=len(entries),
            used=sum(name in entries for name in wanted),
            lacking=sum(name not in entries and name not in _LEFT_OUT for name in wanted),
            unknown=len(unknown),
            unknown_names=tuple(clean_name(name, 60) for name in unknown[:FEW]),
            experts=sum(counts.size for counts in experts),
            experts_seen=sum(int((counts > 0).sum()) for counts in experts),
            datasets=tuple(clean_name(name) for name in self._matrix.datasets[:FEW]),
            chunks=self._matrix.chunk_count,
            problem=self._problem(tensors, types),
        )

    def lacks(self, name: str) -> bool:
        """Tell whether it has nothing for a tensor."""
        return name not in self._weights

    def _problem(self, tensors: Mapping[str, TensorInfo], types: Mapping[str, str]) -> str:
        entries = self._matrix.entries
        name = clean_name(os.path.basename(self._path))  # noqa: PTH119 - the path is kept as it was given
        if not any(entry in tensors for entry in entries):
            return f"{name} is of another model: none of its {len(entries)} entries is a tensor of this one"
        for entry, weights in self._weights.items():
            tensor = tensors.get(entry)
            if tensor is None or entry == "token_embd.weight" or types.get(entry, "F32") in PLAIN:
                continue
            shape = (*tensor.shape, 1, 1, 1)
            if weights.size != shape[0] * shape[2]:
                return (
                    f"{name} is of another model: {clean_name(entry, 60)} has {shape[0] * shape[2]} columns here, "
                    f"{weights.size} there"
                )
        return ""
