"""Which layers attend to a sliding window only, and how long it is. Most architectures ignore the key for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtui.core.gguf.layers import LayerValues


@dataclass(frozen=True, slots=True)
class Rule:
    """How an architecture lays out its windows when the header has no array of its own."""

    period: int
    """One layer of so many attends to everything."""
    full_first: bool = False
    """That one is the first of them, not the last."""
    window: int = 0
    """In tokens, where the header does not tell; 0: without the key there is none."""
    fixed: int = 0
    """In tokens, whatever the header tells."""


# Source: llama.cpp, src/models/*.cpp, load_arch_hparams (load_swa_pattern).
RULES = {
    "afmoe": Rule(4), "cohere2": Rule(4), "cohere2moe": Rule(4, full_first=True), "exaone-moe": Rule(4, window=128),
    "exaone4": Rule(4, window=4096), "gemma2": Rule(2, window=4096), "gemma3": Rule(6), "gemma3n": Rule(5),
    "gpt-oss": Rule(2), "laguna": Rule(4, full_first=True), "llama4": Rule(4, fixed=8192), "mellum": Rule(4),
    "muse-glimmer": Rule(4), "olmo2": Rule(4), "plamo3": Rule(8), "smallthinker": Rule(4, full_first=True, fixed=4096),
}  # fmt: skip
BY_ARRAY = frozenset({"dots3note", "gemma4", "granite_swa", "maple", "mimo2", "spark2_5", "step35"})
"""Those that say it per layer."""
EXAONE4_LAYERS = 64
"""Only the 32B model of that architecture has windows."""


@dataclass(frozen=True, slots=True)
class Window:
    """The window in tokens (0: none), and per block whether it has it."""

    tokens: int
    sliding: tuple[bool, ...]


def sliding_window(values: LayerValues, layers: int, blocks: int, heads_kv: Sequence[int]) -> Window:
    """Tell which layers slide; `blocks` of the `layers` compute.

    Raises:
        BadFileError: the file ends inside an array.
    """
    name = values.architecture
    key = values.whole("attention.sliding_window")
    pattern = values.array("attention.sliding_window_pattern")
    if name in BY_ARRAY and key and pattern is not None:
        return _window(key, layers, pattern)
    if name == "lfm2" and key:
        return _window(key, layers, heads_kv)
    rule = RULES.get(name)
    if rule is None:
        return _window(0, layers, ())
    if name == "exaone4" and blocks != EXAONE4_LAYERS:
        return _window(0, layers, ())
    if name == "smallthinker" and not key:
        return _window(0, layers, ())
    tokens = rule.window if key is None else key
    if rule.fixed and key != 0:
        tokens = rule.fixed
    if not tokens:
        return _window(0, layers, ())
    if pattern is not None:
        return _window(tokens, layers, pattern)
    period = values.whole("attention.sliding_window_pattern")
    period = rule.period if period is None else period
    full = 0 if rule.full_first else period - 1
    return _window(tokens, layers, [period == 0 or i % period != full for i in range(blocks)])


def _window(tokens: int, layers: int, sliding: Sequence[object]) -> Window:
    flags = tuple(bool(flag) for flag in sliding[:layers])
    return Window(tokens, flags + (False,) * (layers - len(flags)))
