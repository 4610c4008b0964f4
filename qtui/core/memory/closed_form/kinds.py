"""What each layer keeps of the context: K and V, a recurrent state, both, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.gguf.layers import LayerValues

RECURRENT = frozenset({"mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"})
BY_HEADS = frozenset({
    "jamba", "plamo2", "granitehybrid", "lfm2", "lfm2moe", "kimi-linear", "kimi-k3", "bailingmoe3", "glm5-next",
})  # fmt: skip
"""Hybrids whose layers without K heads are recurrent."""
BY_INTERVAL = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4, "qwen4exp": 4, "minimax-01": 8}
"""Hybrids of which every n-th layer attends."""
WITHOUT_FEED_FORWARD = frozenset({"nemotron_h", "nemotron_h_moe"})
"""Hybrids whose layers are an attention, a scan or a feed-forward, never two of them."""
NOTHING = frozenset({
    "bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe", "neo-bert", "modern-bert", "eurobert",
    "gemma-embedding", "dream", "llada", "llada-moe", "rnd1", "wavtokenizer-dec",
})  # fmt: skip
"""Encoders and diffusion models: no memory is made for them."""
GEMMA3N_OWN_CACHES = 20


@dataclass(frozen=True, slots=True)
class Kinds:
    """Per block, those for prediction included (which keep nothing)."""

    attention: tuple[bool, ...]
    """Keeps rows of K (and V)."""
    recurrent: tuple[bool, ...]


def layer_kinds(
    values: LayerValues, layers: int, blocks: int, heads_kv: Sequence[int], forward: Sequence[int]
) -> Kinds:
    """Tell what the layers keep (llama-model.cpp, create_memory; src/models).

    `blocks` of the `layers` compute; `forward` is the width of each one's feed-forward.

    Raises:
        BadFileError: the file ends inside an array.
    """
    name = values.architecture
    every = range(layers)
    if name in NOTHING:
        return Kinds((False,) * layers, (False,) * layers)
    if name in RECURRENT:
        return Kinds((False,) * layers, tuple(i < blocks for i in every))
    if name == "falcon-h1":
        return Kinds((True,) * layers, tuple(i < blocks for i in every))
    if name in WITHOUT_FEED_FORWARD:
        recurrent = tuple(i < blocks and not heads_kv[i] and not forward[i] for i in every)
        return Kinds(tuple(not recurrent[i] and not forward[i] for i in every), recurrent)
    if name in BY_INTERVAL:
        recurrent = _by_interval(values, layers, blocks)
        return Kinds(tuple(i < blocks and not recurrent[i] for i in every), recurrent)
    if name in BY_HEADS:
        recurrent = tuple(i < blocks and not heads_kv[i] for i in every)
        return Kinds(tuple(i < blocks and not recurrent[i] for i in every), recurrent)
    own = blocks
    if name == "gemma3n":
        own = min(blocks, GEMMA3N_OWN_CACHES)
    elif name == "gemma4":
        own = min(blocks, layers - (values.whole("attention.shared_kv_layers") or 0))
    return Kinds(tuple(i < own for i in every), (False,) * layers)


def _by_interval(values: LayerValues, layers: int, blocks: int) -> tuple[bool, ...]:
    """Tell which layers are recurrent: as an array says, else all but every n-th."""
    given = values.per_layer("attention.recurrent_layers")
    if given is not None:
        return tuple(i < blocks and bool(given[i]) for i in range(layers))
    interval = values.whole("full_attention_interval") or BY_INTERVAL[values.architecture]
    return tuple(i < blocks and (i + 1) % interval != 0 for i in range(layers))
