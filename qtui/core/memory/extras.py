"""What llama.cpp's own accounting leaves out, so far as it can be computed without a GPU."""

from __future__ import annotations

from dataclasses import dataclass

from qtui.core.memory.footprint import ExtraItem
from qtui.core.origin import Origin
from qtui.core.text import KIB, MIB

ANONYMOUS = "ram_anonymous"
PROCESS_BASE = 41 * MIB
"""Python and libllama before anything is loaded, measured on x86-64 Linux."""
PROCESS_BAND = 12 * MIB

# Bytes per token of llama.cpp's tokenizer objects, (middle, either way). Measured: SPM 32k tokens 5 MiB; BPE 128k
# 53 MiB, 152k 47 MiB, 256k 81 MiB, 262k 96 MiB.
_PER_TOKEN = {"llama": (0.16, 0.04), "gpt2": (0.37, 0.06), "gemma4": (0.37, 0.06), "none": (0.0, 0.0)}
_PER_TOKEN_ELSE = (0.29, 0.13)


@dataclass(frozen=True, slots=True)
class Tokenizer:
    """What the header tells of a tokenizer."""

    model: str
    """`tokenizer.ggml.model`: `llama` is SPM, `gpt2` is BPE."""
    tokens: int


def output_rows(vocabulary: int, rows: int) -> ExtraItem:
    """Return the buffer of logits, 4·rows·vocabulary bytes in RAM (llama-context.cpp, output_reserve).

    `rows` is the most outputs asked for at once, and at least the number of slots.
    """
    return ExtraItem("output rows", ANONYMOUS, 4 * rows * vocabulary, Origin.COMPUTED)


def tokenizer_objects(tokenizer: Tokenizer) -> ExtraItem:
    """Return the tokenizer's tables in RAM, by a rule fitted to five vocabularies: ± its band."""
    middle, band = _PER_TOKEN.get(tokenizer.model, _PER_TOKEN_ELSE)
    size = round(middle * KIB * tokenizer.tokens)
    return ExtraItem("tokenizer", ANONYMOUS, size, Origin.COMPUTED, round(band * KIB * tokenizer.tokens))


def process_base() -> ExtraItem:
    """Return what a child process takes before it loads a model."""
    return ExtraItem("process", ANONYMOUS, PROCESS_BASE, Origin.COMPUTED, PROCESS_BAND)


def adapter(name: str, tensor_bytes: int, on_gpu: bool) -> ExtraItem:
    """Return one LoRA adapter: its tensors lie beside the tensors they change (llama-adapter.cpp).

    With layers on a card it is counted there whole, which is exact for a full offload.
    """
    return ExtraItem(f"adapter {name}", "vram0" if on_gpu else ANONYMOUS, tensor_bytes, Origin.COMPUTED)


def computed_extras(vocabulary: int | None, tokenizer: Tokenizer | None, slots: int) -> tuple[ExtraItem, ...]:
    """Return the extra items of one built-in session, those of 0 bytes left out."""
    items = [process_base()]
    if vocabulary:
        items.append(output_rows(vocabulary, max(1, slots)))
    if tokenizer is not None and tokenizer.tokens:
        items.append(tokenizer_objects(tokenizer))
    return tuple(item for item in items if item.bytes)
