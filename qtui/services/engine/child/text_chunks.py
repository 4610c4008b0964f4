"""A text computed in chunks by one loaded model: the rows of logits of each chunk's second half, or of another end.

As llama-perplexity does it (tools/perplexity/perplexity.cpp, `perplexity`): every chunk begins with an empty cache,
its first token is replaced by the one that begins a text where the model wants that, and logits are kept from the
middle on. One chunk is computed at a time; llama-perplexity takes several, which needs more memory and gives the same.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from qtui.core.errors import EngineError
from qtui.services.engine.child.logits import Floats
from qtui.services.engine.child.model import LoadedModel
from qtui.services.engine.child.native import ERROR, Native


class TextChunks:
    """Computes chunks with a loaded model."""

    def __init__(self, native: Native, model: LoadedModel) -> None:
        self._native = native
        self._api = native.api
        self._model = model
        self._size = int(self._api.llama_n_batch(model.context))
        self._batch = self._api.llama_batch_init(self._size, 0, 1)
        self._bos = model.vocabulary.beginning

    def close(self) -> None:
        """Free the batch."""
        self._api.llama_batch_free(self._batch)

    def rows(
        self, tokens: array[int], first: int, told: Callable[[int], object] | None = None
    ) -> Iterator[tuple[int, Floats]]:
        """Yield (position, rows of logits) from `first` to the last token but one, as one batch after the other ends.

        Rows are llama.cpp's own memory and hold until the next are asked for. `told` hears how many tokens are
        computed after each batch but the last.

        Raises:
            EngineError: llama.cpp cannot compute.
        """
        context = self._model.context
        self._api.llama_memory_clear(self._api.llama_get_memory(context), True)
        for start in range(0, len(tokens), self._size):
            part = tokens[start : start + self._size]
            begin, wanted = self._fill(part, start, first, len(tokens) - 1)
            status = self._api.llama_decode(context, self._batch)
            if status:
                lines = self._native.log.since(0, ERROR)[-1:]
                raise EngineError(
                    f"llama.cpp could not compute the text (status {status}){': ' + lines[0] if lines else ''}"
                )
            if told is not None and start + self._size < len(tokens):
                told(start + self._size)
            if wanted:
                pointer = ctypes.cast(self._api.llama_get_logits(context), ctypes.POINTER(ctypes.c_float))
                shape = (wanted, self._model.vocabulary.size)
                yield begin, np.ctypeslib.as_array(pointer, shape)

    def _fill(self, part: array[int], start: int, first: int, end: int) -> tuple[int, int]:
        """Fill the batch; returns the position of the first row of logits, and how many there will be."""
        batch: Any = self._batch
        batch.n_tokens = len(part)
        wanted = 0
        for place, token in enumerate(part):
            position = start + place
            keep = first <= position < end
            batch.token[place] = self._bos if position == 0 and self._bos is not None else token
            batch.pos[place] = position
            batch.n_seq_id[place] = 1
            batch.seq_id[place][0] = 0
            batch.logits[place] = keep
            wanted += keep
        return max(start, first), wanted
