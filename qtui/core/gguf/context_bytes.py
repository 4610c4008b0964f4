"""How much memory each further token of context takes, where one number can say it.

That is so where every layer attends to the whole context. Sliding windows, recurrent layers and shared caches make it
depend on the context's length, the batch size and more: the dry run answers for those.
"""

from __future__ import annotations

from qtui.core.gguf.layers import LayerValues

BYTES = 2
"""Per element of the cache at its default type, f16."""

# Architectures all of whose layers keep K and V (or the MLA latent) of all tokens, and nothing else.
# Source: llama.cpp's src/models/*.cpp: no swa_type, no recurrent layers, no cache of another kind.
FULL_ATTENTION = frozenset({
    "apertus", "arcee", "arctic", "baichuan", "bitnet", "bloom", "chatglm", "codeshell", "command-r", "dbrx",
    "deepseek", "deepseek2", "dots1", "ernie4_5", "ernie4_5-moe", "exaone", "falcon", "gemma", "glm4", "glm4moe",
    "gpt2", "gptneox", "granite", "granitemoe", "grok", "hunyuan-dense", "hunyuan-moe", "internlm2", "jais",
    "llama", "minicpm", "mistral3", "mpt", "nemotron", "olmo", "olmoe", "openelm", "orion", "phi2", "phi3", "phimoe",
    "plamo", "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3", "qwen3moe", "qwen3vl", "qwen3vlmoe", "refact",
    "seed_oss", "smollm3", "stablelm", "starcoder", "starcoder2", "xverse",
})  # fmt: skip


def context_bytes_per_token(values: LayerValues) -> int | None:
    """Return the bytes that one more token of context takes at f16; None where no single number says it.

    Source: llama-kv-cache.cpp: per layer `n_head_kv · (n_embd_head_k + n_embd_head_v)` elements; MLA keeps K only.

    Raises:
        BadFileError: the file ends inside an array per layer.
    """
    if values.architecture not in FULL_ATTENTION or not values.layers:
        return None
    heads = values.per_layer("attention.head_count")
    key_heads = values.per_layer("attention.head_count_kv") if values.has("attention.head_count_kv") else heads
    if not heads or key_heads is None:
        return None
    per_head = (values.whole("embedding_length") or 0) // heads[0] if heads[0] else 0
    key_length, value_length = (
        per_head if not values.has(key) else values.whole(key)
        for key in ("attention.key_length", "attention.value_length")
    )
    if not key_length or not value_length:
        return None
    latent = values.whole("attention.key_length_mla") and values.whole("attention.value_length_mla")
    width = key_length if latent else key_length + value_length
    # The layers of multi-token prediction stand at the end and keep nothing while plain text is written.
    layers = values.layers - (values.whole("nextn_predict_layers") or 0)
    return BYTES * width * sum(key_heads[: max(0, layers)])
