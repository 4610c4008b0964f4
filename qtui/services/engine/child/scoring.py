"""The log-likelihood of options after a prompt, by the rule of llama-perplexity's multiple choice.

llama-perplexity reads prompt and option as one text, takes the tokens that all options begin with for the question,
and scores an option by the mean log-probability of the tokens that follow (tools/perplexity, multiple_choice_score).
Options are read token by token: a session has one row of logits, and options are short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtui.core.commands import Score
from qtui.core.errors import EngineError
from qtui.core.events import Scored
from qtui.services.engine.child.decoding import Decoding
from qtui.services.engine.child.model import CancelledError, LoadedModel
from qtui.services.engine.child.native import Native
from qtui.services.engine.child.options import divided
from qtui.services.engine.child.prefix import Prefix


class Scoring:
    """Weighs options with one loaded model."""

    def __init__(self, native: Native, model: LoadedModel, prefix: Prefix, decoding: Decoding) -> None:
        self._api = native.api
        self._model = model
        self._prefix = prefix
        self._decoding = decoding

    def score(self, command: Score) -> Scored:
        """Return the mean log-likelihood per token of each option.

        Raises:
            UsageError: fewer than two options, or more than 26; two that are the same text.
            PromptError: they do not fit the context, or an option adds no token to the prompt.
            CancelledError: it was interrupted.
            EngineError: llama.cpp fails, or computes what are no numbers.
        """
        texts, shared = divided(command, self._model.vocabulary.tokens, self._model.room)
        means = tuple(self._mean(tokens, shared, reuse=place > 0) for place, tokens in enumerate(texts))
        return Scored(means, tuple(len(tokens) - shared for tokens in texts))

    def _mean(self, tokens: list[int], shared: int, *, reuse: bool) -> float:
        """Return the mean log-probability of the tokens after the shared ones."""
        total, known = 0.0, self._prefix.take(tokens[:shared], reuse=reuse)
        for place in range(shared, len(tokens)):
            if not self._decoding.read(tokens[:place], known, 0, _unheard):
                raise CancelledError("weighing was stopped")
            known = place
            total += self._log_probability(tokens[place])
        return total / (len(tokens) - shared)

    def _log_probability(self, token: int) -> float:
        row = self._api.llama_get_logits_ith(self._model.context, -1)
        values: Sequence[float] = row[: self._model.vocabulary.size] if row else []
        highest = max(values, default=math.nan)
        if not math.isfinite(highest):
            raise EngineError("the model computes no numbers (NaN)", "check the file's hash, or try another quant")
        return values[token] - highest - math.log(math.fsum(math.exp(value - highest) for value in values))


def _unheard(_event: object) -> None:
    return None
