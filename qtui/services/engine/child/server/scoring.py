"""The log-likelihood of options after a prompt, asked of a llama-server token by token.

A server tells the probability of the token that it took, as the model gave it, before any sampler (`n_probs`). So the
token that is to be weighed is made to be taken, by a bias that only the samplers see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtui.core.commands import Score
from qtui.core.errors import EngineError
from qtui.core.events import Scored
from qtui.services.engine.child.options import divided
from qtui.services.engine.child.server.cut import Cut
from qtui.services.engine.child.server.http import Http
from qtui.services.engine.child.server.vocabulary import ServedVocabulary

CERTAIN = 1e6
"""A bias that no logit outweighs."""


class CancelledError(EngineError):
    """It was stopped."""

    kind = "cancelled"


class ServedScoring:
    """Weighs options with one server."""

    def __init__(self, http: Http, cut: Cut, vocabulary: ServedVocabulary, room: int) -> None:
        self._http = http
        self._cut = cut
        self._vocabulary = vocabulary
        self._room = room

    def score(self, command: Score) -> Scored:
        """Return the mean log-likelihood per token of each option; errors as of the built-in engine's."""
        texts, shared = divided(command, self._vocabulary.tokens, self._room)
        means = tuple(self._mean(tokens, shared) for tokens in texts)
        return Scored(means, tuple(len(tokens) - shared for tokens in texts))

    def _mean(self, tokens: Sequence[int], shared: int) -> float:
        total = 0.0
        for place in range(shared, len(tokens)):
            if self._cut.is_set():
                raise CancelledError("weighing was stopped")
            total += self._log_probability(tokens[:place], tokens[place])
        return total / (len(tokens) - shared)

    def _log_probability(self, before: Sequence[int], token: int) -> float:
        found = self._http.post("/completion", {
            "prompt": list(before), "n_predict": 1, "temperature": 0.0, "cache_prompt": True, "n_probs": 1,
            "logit_bias": [[token, CERTAIN]],
        })  # fmt: skip
        told = found.get("completion_probabilities")
        first: Any = told[0] if isinstance(told, list) and told else None
        if not isinstance(first, dict) or first.get("id") != token or not isinstance(first.get("logprob"), int | float):
            raise EngineError(
                f"{self._http.where} does not tell how likely a token is", "weigh options with --engine built-in"
            )
        return float(first["logprob"])
