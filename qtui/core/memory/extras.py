"""What llama.cpp's own accounting leaves out, so far as it can be computed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from qtui.core.memory.consumers import BUILT_IN, Consumer
from qtui.core.memory.footprint import ExtraItem, Footprint
from qtui.core.memory.plan import LoadPlan
from qtui.core.memory.unaccounted import ByCard, Unaccounted
from qtui.core.origin import Origin
from qtui.core.text import KIB, MIB

ANONYMOUS = "ram_anonymous"

# Bytes per token of llama.cpp's tokenizer objects, (middle, either way). Measured: SPM 32k tokens 5 MiB; BPE 128k
# 53 MiB, 152k 47 MiB, 256k 81 MiB, 262k 96 MiB.
_PER_TOKEN = {"llama": (0.16, 0.04), "gpt2": (0.37, 0.06), "gemma4": (0.37, 0.06), "none": (0.0, 0.0)}
_PER_TOKEN_ELSE = (0.29, 0.13)

# Streaming multiprocessors of common cards: the driver's context grows with them.
_MULTIPROCESSORS = (
    ("RTX PRO 6000", 188), ("RTX 5090", 170), ("RTX 5080", 84), ("RTX 5070 Ti", 70), ("RTX 5070", 48),
    ("RTX 5060", 36), ("RTX 4090", 128), ("RTX 4080", 76), ("RTX 4070 Ti", 60), ("RTX 4070", 46), ("RTX 4060", 34),
    ("RTX 3090", 82), ("RTX 3080", 68), ("RTX 3070", 46), ("RTX 3060", 28), ("RTX 2080 Ti", 68), ("RTX 2080", 46),
    ("GTX 1080 Ti", 28), ("RTX 6000 Ada", 142), ("RTX A6000", 84), ("A10", 72), ("A40", 84), ("A100", 108),
    ("B200", 148), ("H100", 132), ("H200", 132), ("L40", 142), ("L4", 58), ("T4", 40), ("V100", 80), ("P40", 30),
)  # fmt: skip
_CONTEXT_BASE, _CONTEXT_PER_MULTIPROCESSOR = 8, 2.9
"""MiB; a fit over three cards of 34, 82 and 188 multiprocessors (107, 256 and 555 MiB)."""
_CONTEXT_ELSE = (300, 200)
"""MiB, middle and either way, where the card is not known: 120 to 550 have been reported."""
_OTHER_DRIVERS = {"ROCm": (400, 200), "Vulkan": (150, 120), "SYCL": (250, 200), "MTL": (60, 60), "Metal": (60, 60)}
_WORKSPACE = 32 * MIB
"""Of cuBLAS per device on cards of compute capability 9.0 and newer, 4 MiB on older ones (ggml-cuda/common.cuh)."""
_OLD_WORKSPACE = 4 * MIB
_OF_A_PROCESS = frozenset({"process", "driver context", "cuBLAS workspace", "driver and libraries"})
"""Items that a process has once, whatever it loads."""
_NEW_CARDS = re.compile(r"\b(?:H100|H200|GH200|B100|B200|GB200|RTX 50\d\d|RTX PRO)\b")


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


def process_base(consumer: Consumer = BUILT_IN) -> ExtraItem:
    """Return what a process takes before it loads a model (the built-in one measured on x86-64 Linux)."""
    return ExtraItem("process", ANONYMOUS, consumer.process, Origin.COMPUTED, consumer.process_band)


def adapter(name: str, tensor_bytes: int, on_gpu: bool) -> ExtraItem:
    """Return one LoRA adapter: its tensors lie beside the tensors they change (llama-adapter.cpp).

    With layers on a card it is counted there whole, which is exact for a full offload.
    """
    return ExtraItem(f"adapter {name}", "vram0" if on_gpu else ANONYMOUS, tensor_bytes, Origin.COMPUTED)


def projector(tensor_bytes: int, on_gpu: bool) -> tuple[ExtraItem, ExtraItem]:
    """Return a projector for images or sound: its weights, and room to compute, of which only the scale is known.

    It lies on the first card where there is one. Encoders were seen to take from below 0.1 to 1 GiB.
    """
    pool = "vram0" if on_gpu else ANONYMOUS
    return (
        ExtraItem("projector", pool, tensor_bytes, Origin.COMPUTED),
        ExtraItem("projector compute", pool, 512 * MIB, Origin.COMPUTED, 512 * MIB),
    )


def driver_items(index: int, name: str, description: str, measured: Unaccounted | None = None) -> tuple[ExtraItem, ...]:
    """Return what a card's driver takes for a process: its context, and for CUDA the workspace of cuBLAS.

    `name` is llama.cpp's (`CUDA0`), `description` the card's. What past runs have shown of this card, pools that grow
    on demand included, goes before what is computed.
    """
    pool = f"vram{index}"
    kind = re.sub(r"\d+$", "", name)
    if kind == "RPC":
        return ()
    if measured is not None and measured.telling:
        return (ExtraItem("driver and libraries", pool, measured.median, Origin.MEASURED, measured.spread),)
    if kind != "CUDA":
        middle, band = _OTHER_DRIVERS.get(kind, _CONTEXT_ELSE)
        return (ExtraItem("driver context", pool, middle * MIB, Origin.COMPUTED, band * MIB),)
    workspace = _WORKSPACE if _NEW_CARDS.search(description) else _OLD_WORKSPACE
    count = next((count for title, count in _MULTIPROCESSORS if re.search(rf"\b{title}\b", description)), None)
    middle, band = _CONTEXT_ELSE
    if count is not None:
        middle = round(_CONTEXT_BASE + _CONTEXT_PER_MULTIPROCESSOR * count)
        band = round(0.3 * middle)
    return (
        ExtraItem("driver context", pool, middle * MIB, Origin.COMPUTED, band * MIB),
        ExtraItem("cuBLAS workspace", pool, workspace, Origin.COMPUTED, workspace),
    )


PROMPT_CACHE = "prompt cache"


def prompt_cache(limit: int, context: int) -> ExtraItem:
    """Return the earlier prompts that a server keeps: one whole context, and up to its limit more."""
    size = min(limit, context)
    return ExtraItem(PROMPT_CACHE, ANONYMOUS, size, Origin.COMPUTED, limit - size)


def draft(footprint: Footprint) -> tuple[ExtraItem, ...]:
    """Return a draft model, whole, as items of the model that it drafts for: one per pool, without its process."""
    pools = [(ANONYMOUS, footprint.pools.ram_anonymous), ("ram_file_backed", footprint.pools.ram_file_backed)]
    pools += [(f"vram{index}", size) for index, size in enumerate(footprint.pools.vram)]
    own = [
        (pool, size - sum(item.bytes for item in footprint.extra if item.item in _OF_A_PROCESS and item.pool == pool))
        for pool, size in pools
    ]
    return tuple(ExtraItem("draft model", pool, size, footprint.origin) for pool, size in own if size > 0)


def computed_extras(
    vocabulary: int | None,
    tokenizer: Tokenizer | None,
    plan: LoadPlan,
    consumer: Consumer = BUILT_IN,
    *,
    context: int = 0,
    cards: Sequence[tuple[str, str]] = (),
    left_out: ByCard = MappingProxyType({}),
) -> tuple[ExtraItem, ...]:
    """Return the extra items of one session, those of 0 bytes left out.

    Args:
        vocabulary: tokens; None where it is not known.
        tokenizer: None where the header has none.
        plan: resolved.
        consumer: the program that loads the model.
        context: bytes of the plan's context, which a prompt cache keeps copies of.
        cards: (name, description) of the cards that are used.
        left_out: what past runs have shown that llama.cpp leaves out, by description.
    """
    items = [process_base(consumer)]
    if vocabulary:
        items.append(output_rows(vocabulary, max(1, plan.parallel)))
        if consumer.scores:
            items.append(ExtraItem("scores", ANONYMOUS, 4 * plan.batch_size * vocabulary, Origin.COMPUTED))
    if tokenizer is not None and tokenizer.tokens:
        items.append(tokenizer_objects(tokenizer))
    if consumer.prompt_cache and context:
        items.append(prompt_cache(consumer.prompt_cache, context))
    for index, (name, description) in enumerate(cards):
        items += driver_items(index, name, description, left_out.get(description))
    return tuple(item for item in items if item.bytes)
