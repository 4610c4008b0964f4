"""Untrusted text made printable, and numbers made readable.

Everything foreign (file names, GGUF metadata, model output, server messages, exceptions) passes `clean` or
`clean_name` where it enters qtui: terminals act on ESC, OSC, C1 and bidirectional controls wherever they stand.
"""

from __future__ import annotations

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

# C0 (all but tab and newline), DEL, C1; bidirectional controls; line and paragraph separators; BOM;
# interlinear annotations; tag characters; lone surrogates.
_UNSAFE = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
    r"\u2028\u2029\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff"
)
_TEXT = re.compile(f"[{_UNSAFE}]")
# In names, joiners and other invisible characters only serve to deceive.
_NAME = re.compile(rf"[{_UNSAFE}\t\n\u200b-\u200d\u2060-\u2064\u00ad\u034f\u3164\uffa0]")


def clean(text: str) -> str:
    """Return multi-line text that no terminal acts on: unsafe characters become U+FFFD, CRLF becomes LF."""
    return _TEXT.sub(REPLACEMENT, text.replace("\r\n", "\n"))


def clean_name(text: str, limit: int = 200) -> str:
    """Return a one-line name of at most `limit` characters, without unsafe or invisible characters."""
    name = _NAME.sub(REPLACEMENT, text[: limit + 1])
    return name if len(name) <= limit else name[: limit - 1] + "…"


def gib(size_bytes: int | None, digits: int = 2) -> str:
    """Return a size in GiB without the unit, which stands once per column; `?` when unknown."""
    return "?" if size_bytes is None else f"{size_bytes / GIB:.{digits}f}"


def size(size_bytes: int | None) -> str:
    """Return a size with the binary unit that suits it, e.g. `4.68 GiB`; `?` when unknown."""
    if size_bytes is None:
        return "?"
    if abs(size_bytes) < KIB:
        return f"{size_bytes} B"
    for factor, unit in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(size_bytes) >= factor:
            value = size_bytes / factor
            return f"{value:.2f} {unit}" if value < 100 else f"{value:.0f} {unit}"
    raise AssertionError(size_bytes)


def count(value: int | None) -> str:
    """Return a parameter count as the field writes it: `8.2B`, `260K`; `?` when unknown."""
    if value is None:
        return "?"
    for factor, unit in ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K")):
        if value >= factor:
            return f"{value / factor:.1f}".removesuffix(".0") + unit
    return str(value)


def rate(per_second: float | None) -> str:
    """Return tokens per second with three significant digits; `?` when unknown."""
    if per_second is None:
        return "?"
    return f"{per_second:.1f}" if per_second < 100 else f"{per_second:.0f}"


def duration(seconds: float | None) -> str:
    """Return a duration: `0.31 s`, `12 s`, `3 min 20 s`, `2 h 05 min`; `?` when unknown."""
    if seconds is None:
        return "?"
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def parse_size(text: str) -> int:
    """Parse `12GiB`, `12G` (= GiB), `12GB` (10^9), `512M`, `4096` into bytes.

    Raises:
        ValueError: when the text is not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?B?)\s*", text, re.IGNORECASE)
    if match is None or (match[3].lower() == "ib" and not match[2]):
        raise ValueError(f"not a size: {text!r}")
    base = 1000 if match[3].lower() == "b" and match[2] else 1024
    return int(float(match[1]) * base ** " KMGT".index(match[2].upper() or " "))
