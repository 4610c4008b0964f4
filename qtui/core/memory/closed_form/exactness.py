"""For which architectures the closed form is exact, and how far off it may be elsewhere."""

from __future__ import annotations

from qtui.core.memory.plan import LoadPlan

# Their memory is made by rules that are not reproduced here (indexer caches, n-gram histories, router layers, looped
# layers, encoders, drafts that share another model's memory), or that nothing here was compared with.
APPROXIMATE = frozenset({
    "bailingmoe3", "deepseek32", "deepseek4", "dflash", "dots3note", "eagle3", "gemma4-assistant", "glm-dsa",
    "glm5-next", "graniteswitch", "hrm_text", "hy_v4", "kimi-k3", "kimi-linear", "minimax-01", "minimax-m3",
    "nanbeige", "pockettts", "qwen3tts", "qwen4exp", "t5", "t5encoder", "wavtokenizer-dec",
})  # fmt: skip

# The rest of llama.cpp's architectures (llama-arch.cpp, commit 0c1e570): weights and context follow its rules to the
# byte.
EXACT = frozenset({
    "afmoe", "apertus", "arcee", "arctic", "arwkv7", "baichuan", "bailingmoe", "bailingmoe2", "bert", "bitnet", "bloom",
    "chameleon", "chatglm", "codeshell", "cogvlm", "cohere2", "cohere2moe", "command-r", "dbrx", "deci", "deepseek",
    "deepseek2", "deepseek2-ocr", "dots1", "dream", "ernie4_5", "ernie4_5-moe", "eurobert", "exaone", "exaone-moe",
    "exaone4", "falcon", "falcon-h1", "gemma", "gemma-embedding", "gemma2", "gemma3", "gemma3n", "gemma4", "glm4",
    "glm4moe", "gpt-oss", "gpt2", "gptj", "gptneox", "granite", "granite_swa", "granitehybrid", "granitemoe", "grok",
    "grovemoe", "hunyuan-dense", "hunyuan-moe", "hunyuan_vl", "hy_v3", "internlm2", "jais", "jais2", "jamba",
    "jina-bert-v2", "jina-bert-v3", "laguna", "lfm2", "lfm2moe", "llada", "llada-moe", "llama", "llama-embed", "llama4",
    "maincoder", "mamba", "mamba2", "maple", "mellum", "mimo2", "minicpm", "minicpm3", "minimax-m2", "mistral3",
    "mistral4", "modern-bert", "mpt", "muse-glimmer", "nemotron", "nemotron_h", "nemotron_h_moe", "neo-bert",
    "nomic-bert", "nomic-bert-moe", "olmo", "olmo2", "olmoe", "openelm", "orion", "paddleocr", "pangu-embedded",
    "phi2", "phi3", "phimoe", "plamo", "plamo2", "plamo3", "plm", "qwen", "qwen2", "qwen2moe", "qwen2vl", "qwen3",
    "qwen35", "qwen35moe", "qwen3moe", "qwen3next", "qwen3vl", "qwen3vlmoe", "refact", "rnd1", "rwkv6", "rwkv6qwen2",
    "rwkv7", "seed_oss", "smallthinker", "smollm3", "spark2_5", "stablelm", "starcoder", "starcoder2", "step35",
    "talkie", "xverse",
})  # fmt: skip

COMPUTE_BAND = 0.12
"""Of the compute buffer on the CPU, where it was compared with dry runs; a fraction, either way."""
UNCOMPARED_BAND = 0.26
"""The worst of the architectures that the formula was not fitted on."""
UNKNOWN_BAND = 0.5
CONTEXT_BAND = 0.25
"""Of the context where its rules are not reproduced: an indexer's keys add about a fifth."""
SHORT_WITHOUT_FLASH = 0.21
"""At up to 512 tokens without flash attention the allocator's gaps weigh more."""
COMPARED = frozenset({
    "deepseek2", "falcon-h1", "gemma2", "gemma3", "gpt-oss", "granitehybrid", "jamba", "lfm2", "llama", "llama4",
    "mamba2", "nemotron_h_moe", "phi3", "qwen3", "qwen35", "qwen3moe", "qwen3next",
})  # fmt: skip
# Gaps between freed tensors that no term explains; measured against dry runs.
MISSES = {
    "deepseek2": 0.15, "ernie4_5-moe": 0.18, "gemma3n": 0.25, "jamba": 0.15, "lfm2": 0.14, "minicpm3": 0.14,
    "rwkv7": 0.25, "starcoder2": 0.27,
}  # fmt: skip
FEW_TOKENS = 256
"""Below so many tokens at once small tensors weigh more."""
FEW_TOKENS_BAND = 0.18
SHORT_CONTEXT = 512


def is_exact(architecture: str) -> bool:
    """Tell whether weights and context are exact to the byte."""
    return architecture in EXACT


def compute_band(architecture: str, plan: LoadPlan, flash: bool) -> float:
    """Return how far off the compute buffer may be on the CPU, as a fraction."""
    if architecture not in EXACT:
        return UNKNOWN_BAND
    band = MISSES.get(architecture, COMPUTE_BAND if architecture in COMPARED else UNCOMPARED_BAND)
    if not flash and plan.ctx_size <= SHORT_CONTEXT:
        band = max(band, SHORT_WITHOUT_FLASH)
    if min(plan.ctx_size, plan.batch_size, plan.ubatch_size) < FEW_TOKENS:
        band = max(band, FEW_TOKENS_BAND)
    return band


def notes_of(architecture: str, unknown_types: int, unread: tuple[str, ...]) -> tuple[str, ...]:
    """Return what of a closed form is not exact, in sentences."""
    notes = []
    if architecture in APPROXIMATE:
        notes.append(f"the context of {architecture} models is approximate: not all that they keep is computed here")
    elif architecture not in EXACT:
        notes.append(
            f"{architecture or 'no architecture'} is not known here: computed as if every layer attended to everything"
        )
    if unknown_types:
        notes.append(f"{unknown_types} tensors are of a type whose size is not known, and are not counted")
    notes += [f"--override-tensor {pattern} cannot be read here and is not counted" for pattern in unread]
    return tuple(notes)
