"""The file that is quantised: the headers of all its shards, and what llama.cpp would make of its metadata."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qtui.core.errors import BadFileError
from qtui.core.gguf.names import split_part
from qtui.core.gguf.reader import DEFAULT_ALIGNMENT, Header, TensorInfo, read_header
from qtui.core.gguf.types import TYPE_IDS, nbytes
from qtui.core.text import clean, clean_name
from qtui.services.engine.child.native import Native

ALIGNMENT_KEY = "general.alignment"
_SPLIT_NO, _SPLIT_COUNT, _SPLIT_TENSORS = b"split.no", b"split.count", b"split.tensors.count"


class FileBytes:
    """The bytes of a file, for the header reader."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self.size = os.fstat(self._file.fileno()).st_size

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`, fewer only where the file ends."""
        return os.pread(self._file.fileno(), length, offset)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Extra:
    """A metadata value that the result gets beside the source's: text, or a number stored as u32."""

    key: str
    value: str | int


@dataclass(frozen=True, slots=True)
class Source:
    """A model to quantise."""

    paths: tuple[Path, ...]
    headers: tuple[Header, ...]

    @property
    def tensors(self) -> dict[str, TensorInfo]:
        """Return all tensors by name."""
        return {tensor.name: tensor for header in self.headers for tensor in header.tensors}

    @property
    def extras(self) -> tuple[Extra, ...]:
        """Return what must be put right: llama.cpp pads by 32 and would copy another alignment into the result."""
        first = self.headers[0]
        return (Extra(ALIGNMENT_KEY, DEFAULT_ALIGNMENT),) if first.alignment != DEFAULT_ALIGNMENT else ()


def read_source(path: Path) -> Source:
    """Read the headers of a model, of all its shards.

    Raises:
        BadFileError: one is missing, cannot be read or is no model: no tensors, a matrix, a projector, an adapter.
    """
    paths = all_shards(path)
    headers = []
    for one in paths:
        try:
            with ExitStack() as stack:
                source = FileBytes(one)
                stack.callback(source.close)
                headers.append(read_header(source))
        except OSError as error:
            raise BadFileError(
                f"cannot read {clean_name(one.name)}: {clean(error.strerror or str(error))}", "check the path"
            ) from error
        except BadFileError as error:
            raise BadFileError(
                f"llama.cpp cannot quantise {clean_name(one.name)}: {error.message}", error.hint
            ) from None
    first = headers[0]
    name = clean_name(path.name)
    kind = first.metadata.get("general.type", "model")
    if kind != "model":
        raise BadFileError(f"{name} is no model: its header says {clean_name(str(kind), 40)}", "quantise the model")
    if not any(header.tensors for header in headers):
        raise BadFileError(f"{name} holds a vocabulary and no weights", "quantise the model itself")
    return Source(paths, tuple(headers))


def all_shards(path: Path) -> tuple[Path, ...]:
    """Return the first to the last shard of a file, in order; the file itself where it is whole.

    Raises:
        BadFileError: shards are missing.
    """
    part = split_part(path.name)
    if part is None or part.raw or part.total is None:
        return (path,)
    others = {}
    for other in path.parent.iterdir():
        found = split_part(other.name)
        if found is not None and not found.raw and (found.stem, found.total) == (part.stem, part.total):
            others[found.index] = other
    missing = [number for number in range(1, part.total + 1) if number not in others]
    if missing:
        told = ", ".join(map(str, missing[:8])) + (", …" if len(missing) > 8 else "")
        raise BadFileError(f"{clean_name(path.name)}: shards {told} of {part.total} are not here", "fetch them too")
    return tuple(others[number] for number in sorted(others))


class ResultSizes:
    """Asks llama.cpp's own GGUF code how long the headers of a result are."""

    def __init__(self, native: Native, source: Source) -> None:
        self._native = native
        self._source = source
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        symbol = native.symbol
        self._new = symbol("gguf_init_empty", pointer)
        self._free = symbol("gguf_free", None, pointer)
        self._free_tensors = symbol("ggml_free", None, pointer)
        self._copy = symbol("gguf_set_kv", None, pointer, pointer)
        self._remove = symbol("gguf_remove_key", ctypes.c_int64, pointer, text)
        self._text = symbol("gguf_set_val_str", None, pointer, text, text)
        self._u32 = symbol("gguf_set_val_u32", None, pointer, text, ctypes.c_uint32)
        self._u16 = symbol("gguf_set_val_u16", None, pointer, text, ctypes.c_uint16)
        self._i32 = symbol("gguf_set_val_i32", None, pointer, text, ctypes.c_int32)
        self._add = symbol("gguf_add_tensor", None, pointer, pointer)
        self._named = symbol("ggml_get_tensor", pointer, pointer, text)
        self._length = symbol("gguf_get_meta_size", ctypes.c_size_t, pointer)
        self._open = symbol("gguf_init_from_file", pointer, text, _InitParams)

    def of(self, types: Mapping[str, str], extras: Sequence[Extra], *, split: bool) -> tuple[int, ...]:
        """Return the bytes of each file of the result: its header, and every tensor padded.

        `types` is the type of every tensor by name. The file's alignment is 32, whatever the source's was.
        """
        headers = self._headers(extras, split=split)
        groups = [header.tensors for header in self._source.headers]
        if not split:
            groups = [tuple(tensor for group in groups for tensor in group)]
        return tuple(
            header + sum(_padded(_size(tensor, types[tensor.name])) for tensor in group)
            for header, group in zip(headers, groups, strict=True)
        )

    def _headers(self, extras: Sequence[Extra], *, split: bool) -> list[int]:
        """Return the bytes of each header, made as `llama_model_quantize_impl` makes it (llama-quant.cpp)."""
        opened = [self._opened(path) for path in self._source.paths]
        results = [self._new() for _ in (opened if split else opened[:1])]
        try:
            self._copy(results[0], opened[0][0])
            for key in (b"general.quantization_version", b"general.file_type"):
                self._u32(results[0], key, 0)
            for key in (_SPLIT_NO, _SPLIT_COUNT, _SPLIT_TENSORS):
                self._remove(results[0], key)
            for extra in extras:
                key = extra.key.encode()[:127]
                if isinstance(extra.value, str):
                    self._text(results[0], key, os.fsencode(extra.value)[:127])
                else:
                    self._u32(results[0], key, extra.value)
            for number, (header, (_, tensors)) in enumerate(zip(self._source.headers, opened, strict=True)):
                for tensor in header.tensors:
                    self._add(results[number if split else 0], self._named(tensors, tensor.name.encode()))
            if split and len(results) > 1:
                for result in results:
                    self._u16(result, _SPLIT_NO, 0)
                    self._u16(result, _SPLIT_COUNT, 0)
                    self._i32(result, _SPLIT_TENSORS, 0)
            return [self._length(result) for result in results]
        finally:
            for result in results:
                self._free(result)
            for context, tensors in opened:
                self._free(context)
                self._free_tensors(tensors)

    def _opened(self, path: Path) -> tuple[Any, Any]:
        tensors = ctypes.c_void_p()
        context = self._open(os.fsencode(path), _InitParams(True, ctypes.pointer(tensors)))
        if not context:
            raise BadFileError(f"llama.cpp cannot read {clean_name(path.name)}", "see whether `qtui show` can")
        return context, tensors


class _InitParams(ctypes.Structure):
    """`struct gguf_init_params` (gguf.h)."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("ctx", ctypes.POINTER(ctypes.c_void_p)))


def _size(tensor: TensorInfo, kind: str) -> int:
    size = nbytes(TYPE_IDS[kind], tensor.shape)
    assert size is not None
    return size


def _padded(size: int) -> int:
    return -(-size // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT
