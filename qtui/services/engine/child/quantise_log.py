"""What llama.cpp's log says while it quantises: the type chosen for every tensor, fallbacks, steps, refusals."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from qtui.core.errors import BadFileError, EngineError, QtuiError, UsageError
from qtui.core.quantise.messages import Fallback
from qtui.core.text import clean_name

STEP = re.compile(r"\[ *(\d+)/ *(\d+)\] (.*?) +- \[")
_CHOSEN = re.compile(
    r"\[ *\d+/ *\d+\] (?P<name>.*?) +- \[[ \d,]+\], type = +(?P<now>\S+), size = .*?(?:\((?P<new>\w+)\))?$"
)
_FALLBACK = re.compile(r"\(required for type +(?P<wanted>\w+)\).*-> falling back to +(?P<made>\w+)")
_REASON = re.compile(r"failed to quantize: (.*)")
_NEEDS = "will require an imatrix"


class DryLog:
    """Gathers a dry run's log, which comes in pieces; the log kept elsewhere holds the last lines only."""

    def __init__(self) -> None:
        self._pending = ""
        self.types: dict[str, str] = {}
        """The type that every tensor gets, by name, as ggml writes it in upper case."""
        self.needs_matrix = False
        self._fallbacks: Counter[tuple[str, str]] = Counter()

    def add(self, piece: str) -> None:
        """Add a piece; a line ends where a piece holds a newline."""
        *whole, self._pending = (self._pending + piece).split("\n")
        for line in whole:
            if found := _CHOSEN.match(line):
                self.types[found["name"]] = (found["new"] or found["now"]).upper()
            elif found := _FALLBACK.search(line):
                self._fallbacks[found["wanted"].upper(), found["made"].upper()] += 1
            elif _NEEDS in line:
                self.needs_matrix = True

    @property
    def fallbacks(self) -> tuple[Fallback, ...]:
        """Return what falls back to what, the most first."""
        return tuple(Fallback(wanted, made, count) for (wanted, made), count in self._fallbacks.most_common())


_NOTHING = "start from an F16, BF16 or F32 file of the whole model"
_KNOWN: tuple[tuple[re.Pattern[str], type[QtuiError], str, str], ...] = (
    (
        re.compile(r"unknown model architecture: '(?P<name>[^']*)'"), BadFileError,
        "{file}: this llama.cpp does not know the architecture {name}",
        "a newer one may: pip install --upgrade llama-cpp-python",
    ),
    (
        re.compile(r"requantizing from type (?P<name>\S+)"), UsageError,
        "{file} is quantised already ({name})", "start from an F16, BF16 or F32 file, or allow it: --allow-requantize",
    ),
    (
        re.compile(r"imatrix contains non-finite"), BadFileError,
        "the matrix holds values that are no numbers", "gather it again",
    ),
    (
        re.compile(r"(?P<name>imatrix size .*)"), BadFileError,
        "the matrix is of another model: {name}", "take one that was gathered with this model",
    ),
    (
        re.compile(r"validation failed|has invalid data"), BadFileError,
        "{file} holds weights that are no numbers (NaN)", "check the file: qtui verify",
    ),
    (
        re.compile(r"key not found in model: (?P<name>\S+)"), BadFileError,
        "{file}: its metadata lack {name}, which its architecture needs", _NOTHING,
    ),
    (
        re.compile(r"cannot dequantize/convert tensor type (?P<name>\S+)|type (?P<other>\S+) unsupported for integer"),
        BadFileError, "{file} has weights of a type that llama.cpp cannot convert ({name})", _NOTHING,
    ),
    (
        re.compile(r"Failed to determine layer for tensor (?P<name>\S+)|Bad layer -?\d+ for tensor (?P<other>\S+)\. M"),
        EngineError,
        "llama.cpp loads this architecture and cannot quantise it: it finds no layer for the tensor {name}",
        "its rules go by names of tensors: --pure makes all of one type without them",
    ),
    (
        re.compile(r"no tensor type fallback is defined for type (?P<name>\S+)"), EngineError,
        "llama.cpp cannot quantise this model so: rows of some tensors do not divide into blocks of {name}, "
        "and it knows no other type for them", "take another type: Q8_0 has the smallest blocks",
    ),
    (
        re.compile(r"regex|regular expression|Mismatched|Unexpected|Invalid .*(?:escape|range|brace)"), UsageError,
        "--tensor-type: not a regular expression: {line}", "mind brackets and backslashes",
    ),
    (
        re.compile(r"illegal split file|invalid split file|corrupted or incomplete|not within the file bounds"),
        BadFileError, "{file} is not whole: {line}", "fetch it again",
    ),
)  # fmt: skip


def refusal(lines: Sequence[str], file: str, *, writing: bool) -> QtuiError:
    """Return why llama.cpp refuses, by the error lines of one failed call; `writing`: not in the dry run."""
    text = "\n".join(lines)
    found = _REASON.search(text)
    reason = found[1].strip() if found else "llama.cpp does not say why"
    if writing and "iostream error" in reason:
        return EngineError(
            f"cannot write the result of {file}: the disk is full or the file grew too large",
            "free some space, or write to another folder",
        )
    for pattern, kind, sentence, hint in _KNOWN:
        if match := pattern.search(text):
            facts = match.groupdict()
            name = clean_name(next((value for value in facts.values() if value), ""))
            return kind(sentence.format(file=file, name=name, line=clean_name(reason)), hint)
    if writing:
        return EngineError(f"quantising {file} failed: {reason}")
    return BadFileError(f"llama.cpp cannot quantise {file}: {reason}", "see whether `qtui show` can read it")
