"""Ghosts: a model's header without its tokenizer, and the size that a sparse file of it must have.

llama.cpp's loader checks only that tensors lie within the file, and without allocation it reads none of them
(llama-model-loader.h). Leaving out the vocabulary changes no size and spares half a second of parsing it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from qtui.core.errors import BadFileError
from qtui.core.gguf.cursor import FETCH_AGAIN
from qtui.core.gguf.reader import CODES, ArrayRef, Header, ValueType
from qtui.core.gguf.source import ByteSource

TOKENIZER_MODEL = "tokenizer.ggml.model"
TOKENS = "tokenizer.ggml.tokens"
_FIRST_KEY = 24
"""Bytes before the first key: magic, version, two counts."""
_LONGEST_SCALAR = 8


@dataclass(frozen=True, slots=True)
class Ghost:
    """What to write, and how long the file must be made; the rest of it is a hole."""

    content: bytes
    size: int


def vocabulary_size(header: Header) -> int | None:
    """Return the number of tokens: the rows of `token_embd.weight`, else the length of the token list, else None."""
    for tensor in header.tensors:
        if tensor.name == "token_embd.weight" and len(tensor.shape) > 1:
            return tensor.shape[1]
    tokens = header.metadata.get(TOKENS)
    return tokens.count if isinstance(tokens, ArrayRef) else None


def make_ghost(header: Header, source: ByteSource, vocabulary: int | None = None) -> Ghost:
    """Return the ghost of one file: a model, or one of its shards.

    The tokenizer's arrays are left out, `tokenizer.ggml.model` becomes `none` and `<architecture>.vocab_size` the
    number of tokens (`vocabulary`, else what the header tells); all else is copied byte for byte. A header without
    a tokenizer is copied whole.

    Raises:
        BadFileError: the file is no longer what the header was read from.
    """
    writer = _Writer(">" if header.big_endian else "<")
    tokens = vocabulary if vocabulary is not None else vocabulary_size(header)
    vocabulary_key = f"{header.metadata.get('general.architecture')}.vocab_size"
    rewrite = TOKENIZER_MODEL in header.metadata
    position = _FIRST_KEY
    for key, value in header.metadata.items():
        end = _entry_end(header, source, position, value)
        if end > header.kv_end:
            raise _changed(position)
        dropped = rewrite and (
            key == TOKENIZER_MODEL
            or (key == vocabulary_key and tokens is not None)
            or (key.startswith("tokenizer.") and isinstance(value, ArrayRef))
        )
        if not dropped:
            writer.copy(_read(source, position, end))
        position = end
    if position != header.kv_end:
        raise _changed(position)
    if rewrite:
        writer.string(TOKENIZER_MODEL, "none")
        if tokens is not None:
            writer.u32(vocabulary_key, tokens)
    preamble = _read(source, 0, 16) + struct.pack(writer.order + "Q", writer.keys)
    content = preamble + writer.content() + _read(source, header.kv_end, header.table_end)
    if not header.tensors:
        return Ghost(content, len(content))
    data_offset = -(-len(content) // header.alignment) * header.alignment
    return Ghost(content, data_offset + max(0, header.file_size - header.data_offset))


class _Writer:
    """Gathers metadata entries."""

    def __init__(self, order: str) -> None:
        self.order = order
        self.keys = 0
        self._parts: list[bytes] = []

    def copy(self, entry: bytes) -> None:
        self.keys += 1
        self._parts.append(entry)

    def string(self, key: str, value: str) -> None:
        self.copy(self._text(key) + struct.pack(self.order + "I", ValueType.STRING) + self._text(value))

    def u32(self, key: str, value: int) -> None:
        self.copy(self._text(key) + struct.pack(self.order + "II", ValueType.UINT32, value))

    def content(self) -> bytes:
        return b"".join(self._parts)

    def _text(self, text: str) -> bytes:
        raw = text.encode()
        return struct.pack(self.order + "Q", len(raw)) + raw


def _entry_end(header: Header, source: ByteSource, start: int, value: object) -> int:
    """Return where the entry that begins at `start` ends; an array's end is known, the rest is stepped over."""
    if isinstance(value, ArrayRef):
        return value.end
    order = ">" if header.big_endian else "<"
    (length,) = struct.unpack(order + "Q", _read(source, start, start + 8))
    kind_at = start + 8 + length
    if kind_at + 5 > header.kv_end:
        raise _changed(start)
    raw = _read(source, kind_at, min(kind_at + 4 + _LONGEST_SCALAR, header.kv_end))
    (number,) = struct.unpack_from(order + "I", raw)
    try:
        kind = ValueType(number)
    except ValueError:
        raise _changed(start) from None
    if kind is ValueType.STRING and len(raw) == 4 + _LONGEST_SCALAR:
        (text_length,) = struct.unpack_from(order + "Q", raw, 4)
        return int(kind_at + 12 + text_length)
    if kind not in CODES:
        raise _changed(start)
    return int(kind_at + 4 + struct.calcsize("<" + CODES[kind]))


def _changed(at: int) -> BadFileError:
    return BadFileError(f"the metadata changed while they were read (at byte {at})", FETCH_AGAIN)


def _read(source: ByteSource, start: int, end: int) -> bytes:
    data = source.read(start, end - start)
    if len(data) < end - start:
        raise BadFileError(f"truncated: the file ended at byte {start + len(data)} in its header", FETCH_AGAIN)
    return data
