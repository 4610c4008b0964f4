"""The sampler chain of one answer, in llama.cpp's default order (common/sampling.cpp)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from qtui.core.duel.conversation import Sampling
from qtui.services.engine.child.native import Native

PENALTY_WINDOW = 64
"""`penalty_last_n` of llama.cpp's defaults."""
RANDOM_SEED = 0xFFFFFFFF
"""LLAMA_DEFAULT_SEED: llama.cpp would draw a seed of its own and not tell."""


def seed_of(sampling: Sampling) -> int:
    """Return the seed that an answer uses: the one asked for, else one drawn now."""
    if sampling.seed is None or sampling.seed < 0:
        return secrets.randbelow(RANDOM_SEED)
    return sampling.seed % RANDOM_SEED


class Sampler:
    """A chain; close it after the answer."""

    def __init__(self, native: Native, sampling: Sampling, seed: int, vocabulary: int, prompt: Sequence[int]) -> None:
        self._api = api = native.api
        self.chain: Any = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        if sampling.repeat_penalty != 1.0:
            self._add(api.llama_sampler_init_penalties(vocabulary, PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0))
        if sampling.temperature <= 0:
            self._add(api.llama_sampler_init_greedy())
        else:
            self._add(api.llama_sampler_init_top_k(sampling.top_k))
            self._add(api.llama_sampler_init_top_p(sampling.top_p, 0))
            self._add(api.llama_sampler_init_min_p(sampling.min_p, 0))
            self._add(api.llama_sampler_init_temp(sampling.temperature))
            self._add(api.llama_sampler_init_dist(seed))
        for token in prompt[-PENALTY_WINDOW:]:
            api.llama_sampler_accept(self.chain, token)

    def close(self) -> None:
        """Free the chain."""
        self._api.llama_sampler_free(self.chain)

    def _add(self, sampler: Any) -> None:
        self._api.llama_sampler_chain_add(self.chain, sampler)
