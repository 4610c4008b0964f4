"""Context bytes of 17 models at 32 768 tokens, from dry runs of llama.cpp at commit 0c1e570."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Golden:
    """Bytes: cache and state of one slot in f16; the cache with full windows; both with four unified slots; q8_0."""

    cache: int
    state: int
    full_windows: int
    four_slots: int
    four_states: int
    quantised: int


GOLDEN = {
    "llama3.1-8b": Golden(4294967296, 0, 4294967296, 4294967296, 0, 2281701376),
    "qwen3-0.6b": Golden(3758096384, 0, 3758096384, 3758096384, 0, 1996488704),
    "gemma2-9b": Golden(6429868032, 0, 11274289152, 8543797248, 0, 3415867392),
    "gemma3-4b": Golden(853540864, 0, 4563402752, 1218445312, 0, 453443584),
    "gemma3-27b": Golden(3338665984, 0, 16642998272, 4647288832, 0, 1773666304),
    "gpt-oss-20b": Golden(824180736, 0, 1610612736, 830472192, 0, 437846016),
    "deepseek-v2-lite": Golden(1019215872, 0, 1019215872, 1019215872, 0, 541458432),
    "deepseek-v3": Golden(2302672896, 0, 2302672896, 2302672896, 0, 1223294976),
    "glm-4.7-flash": Golden(1774190592, 0, 1774190592, 1774190592, 0, 942538752),
    "llama4-scout": Golden(2894069760, 0, 6442450944, 6442450944, 0, 1537474560),
    "lfm2-1.2b": Golden(402653184, 163840, 402653184, 402653184, 655360, 213909504),
    "granite-4.0-h-tiny": Golden(268435456, 58060800, 268435456, 268435456, 232243200, 142606336),
    "mamba2-2.7b": Golden(0, 171900928, 0, 0, 687603712, 0),
    "nemotron-3-nano-30b-a3b": Golden(201326592, 49930240, 201326592, 201326592, 199720960, 106954752),
    "qwen3-next-80b-a3b": Golden(805306368, 79036416, 805306368, 805306368, 316145664, 427819008),
    "qwen3.5-27b": Golden(2147483648, 156893184, 2147483648, 2147483648, 627572736, 1140850688),
    "falcon-h1-1.5b": Golden(805306368, 76529664, 805306368, 805306368, 306118656, 427819008),
}
