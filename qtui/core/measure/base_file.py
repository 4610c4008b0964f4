"""The head of llama.cpp's file of a reference's logits (`--kl-divergence-base`), and where its chunks lie.

Layout (tools/perplexity/perplexity.cpp): `_logits_`, u32 n_ctx, i32 n_vocab, i32 n_chunk, i32 tokens[n_chunk * n_ctx]
as the text gives them, then for each chunk one row for each scored token: float scale, float least log-probability,
and a 16-bit code for each token of the vocabulary, filled up to an even number of codes.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from array import array
from dataclasses import dataclass
from typing import BinaryIO

from qtui.core.errors import BadFileError

MAGIC = b"_logits_"
_FIELDS = struct.Struct("<8sIii")
MOST_CONTEXT = 1 << 20
MOST_VOCABULARY = 1 << 21
LEAST_CONTEXT = 8
MOST_TOKENS = 1 << 27
"""Of all chunks: what is read at once is bounded, whatever a file says and however long it claims to be."""


@dataclass(frozen=True, slots=True)
class BaseHead:
    """What the file says of itself, and what follows for the rest of it."""

    n_ctx: int
    n_vocab: int
    n_chunk: int
    tokens: array[int]
    """Of all chunks, without the tokens that begin a text put in."""
    first: int | None = None
    """The place in each chunk of the first row; None: its middle, as in every file that llama.cpp reads and writes."""

    @property
    def length(self) -> int:
        """Return the length of the head, tokens included."""
        return _FIELDS.size + 4 * self.n_ctx * self.n_chunk

    @property
    def begin(self) -> int:
        """Return the place in a chunk of its first row: the token that the first scored one follows."""
        return self.n_ctx // 2 if self.first is None else self.first

    @property
    def rows(self) -> int:
        """Return the scored tokens of a chunk."""
        return scored(self.n_ctx, self.first)

    @property
    def chunk_bytes(self) -> int:
        """Return the length of one chunk's rows."""
        return chunk_bytes(self.n_ctx, self.n_vocab, self.first)

    def whole_chunks(self, size: int) -> int:
        """Return how many chunks a file of this length holds whole."""
        return max(0, min(self.n_chunk, (size - self.length) // self.chunk_bytes))

    @property
    def digest(self) -> str:
        """Return a hash of the tokens."""
        return token_digest(self.tokens)

    def pack(self) -> bytes:
        """Return the head as it stands in the file."""
        return _FIELDS.pack(MAGIC, self.n_ctx, self.n_vocab, self.n_chunk) + _little(self.tokens)


def scored(n_ctx: int, first: int | None = None) -> int:
    """Return how many tokens of a chunk are scored: those after the place `first`, by default after its middle."""
    return n_ctx - 1 - (n_ctx // 2 if first is None else first)


def row_codes(n_vocab: int) -> int:
    """Return the 16-bit units of a row: four for its two floats, then a code for each token, to an even number."""
    return 2 * ((n_vocab + 1) // 2) + 4


def chunk_bytes(n_ctx: int, n_vocab: int, first: int | None = None) -> int:
    """Return the length of one chunk's rows."""
    return 2 * row_codes(n_vocab) * scored(n_ctx, first)


def file_bytes(n_ctx: int, n_vocab: int, n_chunk: int, first: int | None = None) -> int:
    """Return the length of a whole file."""
    return _FIELDS.size + n_chunk * (4 * n_ctx + chunk_bytes(n_ctx, n_vocab, first))


def token_digest(tokens: array[int]) -> str:
    """Return a hash of some tokens."""
    return hashlib.sha256(_little(tokens)).hexdigest()


def read_head(stream: BinaryIO, size: int, name: str, first: int | None = None) -> BaseHead:
    """Read the head of a file of `size` bytes; nothing is allocated that the file is too short for.

    Args:
        stream: at the beginning of the file.
        size: its bytes.
        name: what it is called in errors.
        first: the place of the first row in each chunk, which the file does not tell; None: the middle.

    Raises:
        BadFileError: it is no such file, or says of itself what cannot be.
    """
    hint = "make it with --save-logits here, or with llama-perplexity --kl-divergence-base"
    head = stream.read(_FIELDS.size)
    if len(head) < _FIELDS.size or not head.startswith(MAGIC):
        raise BadFileError(f"{name} is no file of logits", hint)
    _, n_ctx, n_vocab, n_chunk = _FIELDS.unpack(head)
    plausible = LEAST_CONTEXT <= n_ctx <= MOST_CONTEXT and 2 <= n_vocab <= MOST_VOCABULARY
    plausible = plausible and (first is None or 0 <= first < n_ctx - 1)
    if not plausible or not 1 <= n_chunk <= MOST_TOKENS // n_ctx:
        said = f"{n_chunk} chunks of {n_ctx} tokens, a vocabulary of {n_vocab}"
        raise BadFileError(f"{name} is damaged: it says of itself {said}", hint)
    length = 4 * n_ctx * n_chunk
    if size < _FIELDS.size + length:
        raise BadFileError(f"{name} is cut off within its tokens: {size} bytes", hint)
    tokens = array("i")
    tokens.frombytes(stream.read(length))
    if sys.byteorder == "big":
        tokens.byteswap()
    if len(tokens) != n_ctx * n_chunk or min(tokens) < 0 or max(tokens) >= n_vocab:
        raise BadFileError(f"{name} is damaged: it holds tokens that its vocabulary of {n_vocab} does not have", hint)
    return BaseHead(n_ctx, n_vocab, n_chunk, tokens, first)


def _little(tokens: array[int]) -> bytes:
    if sys.byteorder == "little":
        return tokens.tobytes()
    swapped = array("i", tokens)
    swapped.byteswap()
    return swapped.tobytes()
