"""What llama.cpp refuses, told before it is asked (llama-context.cpp, llama_init_from_model)."""

from __future__ import annotations

from qtui.core.gguf.types import TYPE_IDS, tensor_type
from qtui.core.memory.closed_form.backends import Devices
from qtui.core.memory.closed_form.hyper import Hyper
from qtui.core.memory.plan import FlashAttention, LoadPlan
from qtui.core.memory.refusals import (
    HEAD_NOT_DIVIDED,
    NO_BUFFER_TYPE,
    ONE_CACHE_TYPE,
    QUANTISED_V,
    ROWS_NOT_DIVIDED,
    refused,
)
from qtui.core.text import clean_name

WITHOUT_FLASH_ATTENTION = frozenset({"grok"})
ONE_TYPE = frozenset({"deepseek4"})
"""Keep K and V together without saying so in their metadata."""


def accept(hyper: Hyper, plan: LoadPlan, devices: Devices) -> bool:
    """Return whether flash attention will be used.

    Raises:
        PlanRefusedError: llama.cpp refuses the plan for this model; the message is the dry run's.
    """
    for _, name in plan.override_tensor:
        known = ("CPU", *(card.buffer_type for card in devices.cards))
        if name not in known:
            raise refused(NO_BUFFER_TYPE, name=clean_name(name), known=", ".join(known))
    if (hyper.latent is not None or hyper.architecture in ONE_TYPE) and plan.cache_type_k != plan.cache_type_v:
        raise refused(ONE_CACHE_TYPE, k=plan.cache_type_k, v=plan.cache_type_v)
    flash = plan.flash_attn is not FlashAttention.OFF and hyper.architecture not in WITHOUT_FLASH_ATTENTION
    if _block(plan.cache_type_v) > 1 and not flash:
        raise refused(QUANTISED_V)
    for part, name in (("K", plan.cache_type_k), ("V", plan.cache_type_v)):
        if (block := _block(name)) > 1:
            _check_heads(hyper, part, name, block, flash)
    return flash


def _block(name: str) -> int:
    return tensor_type(TYPE_IDS[name.upper()]).block_size


def _check_heads(hyper: Hyper, part: str, name: str, block: int, flash: bool) -> None:
    """Refuse head sizes, or without flash attention rows, that are no whole number of blocks."""
    for layer in range(hyper.blocks):
        sliding = hyper.window.sliding[layer]
        full, window = (hyper.head_k, hyper.head_k_swa) if part == "K" else (hyper.head_v, hyper.head_v_swa)
        head = window if sliding else full
        facts = {"type": name, "part": part, "block": block, "lower": part.lower()}
        if flash and head % block:
            raise refused(HEAD_NOT_DIVIDED, head=head, **facts)
        width = hyper.widths(layer)["KV".index(part)]
        if hyper.kinds.attention[layer] and width % block and not (part == "V" and hyper.latent is not None):
            raise refused(ROWS_NOT_DIVIDED, **facts)
