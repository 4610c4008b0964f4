"""llama.cpp's refusals, as it logs them, turned into a sentence and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

from qtui.core.memory.refusals import HEAD_NOT_DIVIDED, ONE_CACHE_TYPE, QUANTISED_V

_PREFIX = re.compile(r"^(?:[A-Za-z_][\w~]*: |error loading model(?: \w+)?: |failed to initialize the context: )+")
_EMPTY = ("failed to load model", "Failed to load model")

_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"quantized V cache .*[Ff]lash"), *QUANTISED_V),
    (
        re.compile(
            r"(?P<part>[KV]) cache type (?P<type>\w+) with block size (?P<block>\d+) does not divide \S+=(?P<head>\d+)"
        ),
        *HEAD_NOT_DIVIDED,
    ),
    (
        re.compile(r"does not support different K \((?P<k>\w+)\) and V \((?P<v>\w+)\) cache types"),
        *ONE_CACHE_TYPE,
    ),
    (
        re.compile(r"failed to allocate buffer for rs cache"),
        "the recurrent state of so many slots is larger than a dry run may take",
        "take fewer slots (--parallel)",
    ),
    (
        re.compile(r"unknown model architecture: '(?P<name>[^']*)'"),
        "this llama.cpp does not know the architecture {name}",
        "a newer one may: pip install --upgrade llama-cpp-python",
    ),
    (
        re.compile(r"data is not within the file bounds|corrupted or incomplete"),
        "a tensor lies beyond the end of the file: it is truncated",
        "fetch the file again",
    ),
    (
        re.compile(r"LoRA arch mismatch"),
        "the adapter was made for another architecture",
        "take an adapter of this model",
    ),
    (
        re.compile(r"LoRA tensor .* does not exist in base model|wrong base model"),
        "the adapter was made for another base model",
        "take an adapter of this model",
    ),
    (
        re.compile(r"(?:missing tensor|tensor) '(?P<name>[^']*)'(?: not found)?"),
        "the file has no tensor {name}, or one of another shape than its metadata say",
        "the file is not a whole model, or was made for another program",
    ),
    (
        re.compile(r"key not found in model: (?P<name>\S+)"),
        "the file's metadata lack {name}, which its architecture needs",
        "the file is not a whole model, or was made for another program",
    ),
    (
        re.compile(r"regular expression|Mismatched|Unexpected .*(?:bracket|end)|Invalid .*(?:escape|range|brace)"),
        "--override-tensor: not a regular expression: {line}",
        "mind brackets and backslashes",
    ),
    (
        re.compile(r"invalid value for main_gpu: (?P<gpu>\d+) \(available devices: (?P<count>\d+)\)"),
        "--main-gpu {gpu}: there is no such device, this engine has {count}",
        "devices are counted from 0",
    ),
)


def refusal(errors: Sequence[str]) -> tuple[str, str]:
    """Return (sentence, hint) for the error lines of one failed call; the lines are already clean."""
    lines = [line for line in (_PREFIX.sub("", line).strip() for line in errors) if line]
    lines = [line for line in lines if not line.startswith(_EMPTY)]
    for line in lines:
        for pattern, sentence, hint in _KNOWN:
            found = pattern.search(line)
            if found:
                facts = {**found.groupdict(), "line": line}
                facts["lower"] = facts.get("part", "").lower()
                return sentence.format(**facts), hint.format(**facts)
    if lines:
        return f"llama.cpp refuses: {lines[0]}", ""
    return "llama.cpp refuses without saying why", "the log's last lines may tell"
