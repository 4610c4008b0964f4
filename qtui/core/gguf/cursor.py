"""A bounded reading position in a byte source.

It keeps one window of bytes, which grows as reading goes on, so that a header costs few requests over HTTP and never
the whole file. Nothing is allocated for a length before that length is known to lie within the file.
"""

from __future__ import annotations

import functools
import re
import struct

from qtui.core.errors import BadFileError
from qtui.core.gguf.source import ByteSource
from qtui.core.text import clean_name

MAX_HEADER = 64 << 20
"""Bytes that a header may take; the largest vocabularies known take 16 MB."""
MAX_READ = 8 << 20
FETCH_AGAIN = "The file is damaged or incomplete: fetch it again."

_SHORT = 128
_BLOCKS = (256, 16)


@functools.cache
def _strings(count: int, big_endian: bool) -> re.Pattern[bytes]:
    """Return a pattern for exactly `count` strings that are each shorter than `_SHORT` bytes.

    One alternative per length, the most common lengths first: the regular expression engine then walks a vocabulary
    at about 20 ns per string, seven times faster than a loop over `struct.unpack_from`. The quantifiers are
    possessive, so there is nothing to backtrack into and its memory does not grow.
    """
    alternatives = []
    for length in sorted(range(_SHORT), key=lambda n: abs(n - 6)):
        prefix = re.escape(length.to_bytes(8, "big" if big_endian else "little"))
        alternatives.append(prefix + (b".{%d}+" % length if length else b""))
    return re.compile(b"(?:" + b"|".join(alternatives) + b"){%d}+" % count, re.DOTALL)


class Cursor:
    """A position that reads forward through a source, and knows at which byte it stands when something is wrong.

    What is read is named in `what`, which may hold text from the file: it is cleaned when an error shows it.
    """

    def __init__(self, source: ByteSource, first_read: int, most_read: int = MAX_READ) -> None:
        self.source = source
        self.size = source.size
        self.position = 0
        """The byte that is read next."""
        self.order = "<"
        self._window = b""
        self._start = 0
        self._next_read = first_read
        self._most_read = most_read

    @property
    def remaining(self) -> int:
        """Return how many bytes of header there can still be."""
        return min(self.size, MAX_HEADER) - self.position

    def fail(self, problem: str, at: int | None = None) -> BadFileError:
        """Return the error for a problem at the current byte, or at another one."""
        return BadFileError(f"{problem} (at byte {self.position if at is None else at})", FETCH_AGAIN)

    def check(self, length: int, what: str) -> None:
        """Raise when `length` more bytes would lie beyond the file or beyond what a header may take."""
        end = self.position + length
        if end <= self.size and end <= MAX_HEADER:
            return
        what = clean_name(what)
        if end > self.size:
            raise BadFileError(
                f"truncated: {what} at byte {self.position} needs {length} bytes, "
                f"{end - self.size} more than the file has ({self.size} bytes)",
                FETCH_AGAIN,
            )
        raise self.fail(f"the header is longer than {MAX_HEADER >> 20} MiB: {what} would end at byte {end}")

    def take(self, length: int, what: str) -> bytes:
        """Read `length` bytes and go on after them."""
        index = self._need(length, what)
        self.position += length
        return self._window[index : index + length]

    def skip(self, length: int, what: str) -> None:
        """Go on after `length` bytes without reading them."""
        self.check(length, what)
        self.position += length

    def number(self, code: str, what: str) -> int | float:
        """Read one number, `code` being its letter in `struct`."""
        layout = _layout(self.order + code)
        index = self._need(layout.size, what)
        self.position += layout.size
        value: int | float = layout.unpack_from(self._window, index)[0]
        return value

    def numbers(self, codes: str, what: str) -> tuple[int, ...]:
        """Read several whole numbers, `codes` being their letters in `struct`."""
        layout = _layout(self.order + codes)
        index = self._need(layout.size, what)
        self.position += layout.size
        return layout.unpack_from(self._window, index)

    def u32(self, what: str) -> int:
        """Read an unsigned number of 32 bits."""
        return int(self.number("I", what))

    def u64(self, what: str) -> int:
        """Read an unsigned number of 64 bits."""
        return int(self.number("Q", what))

    def string(self, limit: int, what: str) -> str:
        """Read a string of at most `limit` bytes; what is not UTF-8 in it becomes U+FFFD."""
        at = self.position
        length = self.u64(f"the length of {what}")
        if length > limit:
            raise self.fail(f"{clean_name(what)} claims {length} bytes; at most {limit} are allowed", at)
        return self.take(length, what).decode("utf-8", "replace")

    def skip_strings(self, count: int, what: str) -> None:
        """Go on after `count` strings; each length is checked, nothing is kept."""
        if 8 * count > self.remaining:
            raise self.fail(f"{clean_name(what)} claims {count} strings, more than {self.remaining} bytes can hold")
        whole, rest = divmod(count, _BLOCKS[0])
        for _ in range(whole):
            self._skip_block(0, what)
        self._walk(rest, what)

    def _skip_block(self, level: int, what: str) -> None:
        """Go on after a block of strings: at once where all are short, else in smaller blocks, else one by one."""
        block = _BLOCKS[level]
        if len(self._window) + self._start - self.position < block * (_SHORT + 8):
            self._need(min(block * (_SHORT + 8), max(self.remaining, 0)), what)
        index = self.position - self._start
        match = _strings(block, self.order == ">").match(self._window, index)
        if match is not None:
            self.position += match.end() - index
        elif level + 1 < len(_BLOCKS):
            for _ in range(block // _BLOCKS[level + 1]):
                self._skip_block(level + 1, what)
        else:
            self._walk(block, what)

    def _walk(self, count: int, what: str) -> None:
        """Go on after `count` strings of any length, one by one."""
        unpack = _layout(self.order + "Q").unpack_from
        left = count
        while left:
            index = self._need(8, f"the length of a string in {what}")
            window = self._window
            last, length = len(window) - 8, 0
            while left and index <= last:
                (length,) = unpack(window, index)
                index += 8 + length
                left -= 1
            # Only the last of them can leave the window, and so the file.
            self.position = self._start + index - length
            self.skip(length, f"a string in {what}")

    def _need(self, length: int, what: str) -> int:
        """Have the next `length` bytes in the window and return where in it they begin."""
        index = self.position - self._start
        if index >= 0 and index + length <= len(self._window):
            return index
        self.check(length, what)
        kept = self._window[index:] if 0 <= index <= len(self._window) else b""
        begin = self.position + len(kept)
        wanted = min(max(self._next_read, length - len(kept)), self.size - begin)
        self._next_read = min(2 * self._next_read, self._most_read)
        self._window = kept + self.source.read(begin, wanted)
        self._start = self.position
        if len(self._window) < length:
            ended = self._start + len(self._window)
            raise BadFileError(
                f"truncated: the file ended at byte {ended} while {clean_name(what)} was read", FETCH_AGAIN
            )
        return 0


@functools.cache
def _layout(code: str) -> struct.Struct:
    return struct.Struct(code)
