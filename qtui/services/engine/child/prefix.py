"""What of a prompt is still in the cache: cut where cutting is exact, restored from a checkpoint where it is not."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtui.services.engine.child.model import LoadedModel
from qtui.services.engine.child.native import Native

PARTIAL_ONLY = 1
"""LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY: of a sequence's state only what cannot be cut (recurrent, sliding window)."""
CHECKPOINTS = 3
CHECKPOINT_BYTES = 256 << 20
"""Together; they are memory that no footprint counts. One is always kept."""


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    length: int
    """Tokens before it."""
    state: Any


class Prefix:
    """The tokens that are in the context's memory (sequence 0), and how to get back to a part of them.

    - Recurrent and hybrid models: any partial removal fails, so a checkpoint of the state is restored.
    - A sliding window kept without `swa_full`: removal succeeds even where the window's cells are gone, so it is used
      only while they are there: `pos_min <= max(0, n - n_swa)`, llama-server's rule.
    """

    def __init__(self, native: Native, model: LoadedModel) -> None:
        self._api = native.api
        self._context = model.context
        self._memory = native.api.llama_get_memory(model.context)
        self._stateful = model.stateful
        self._window = model.window
        self._tokens: list[int] = []
        self._checkpoints: list[_Checkpoint] = []

    @property
    def length(self) -> int:
        """Return how many tokens are in the memory."""
        return len(self._tokens)

    @property
    def fragile(self) -> bool:
        """Tell whether checkpoints are needed."""
        return self._stateful or self._window > 0

    def take(self, prompt: Sequence[int], *, reuse: bool) -> int:
        """Make the memory hold a beginning of `prompt`, and return its length; at least one token is left to decode."""
        common = 0
        if reuse:
            for old, new in zip(self._tokens, prompt[:-1], strict=False):
                if old != new:
                    break
                common += 1
        if common and common < len(self._tokens):
            common = self._cut(common)
        if not common:
            self.forget()
        self._tokens = list(prompt[:common])
        self._checkpoints = [c for c in self._checkpoints if c.length <= common]
        return common

    def extend(self, tokens: Sequence[int]) -> None:
        """Record tokens that were decoded."""
        self._tokens.extend(tokens)

    def broken(self) -> None:
        """Record that a decode was stopped: llama.cpp rolled its last ubatch back, which only a plain cache allows."""
        if self.fragile:
            self.forget()
        else:
            del self._tokens[self._api.llama_memory_seq_pos_max(self._memory, 0) + 1 :]

    def forget(self) -> None:
        """Empty the memory."""
        self._api.llama_memory_clear(self._memory, False)
        self._tokens = []
        self._checkpoints = []

    def checkpoint(self) -> None:
        """Keep the state as it is now, where it will be needed."""
        if not self.fragile:
            return
        need = self._api.llama_state_seq_get_size_ext(self._context, 0, PARTIAL_ONLY)
        if not need:
            return
        state = (ctypes.c_uint8 * need)()
        if self._api.llama_state_seq_get_data_ext(self._context, state, need, 0, PARTIAL_ONLY) != need:
            return
        self._checkpoints.append(_Checkpoint(len(self._tokens), state))
        while len(self._checkpoints) > 1 and (
            len(self._checkpoints) > CHECKPOINTS or sum(len(c.state) for c in self._checkpoints) > CHECKPOINT_BYTES
        ):
            del self._checkpoints[0]

    def _cut(self, length: int) -> int:
        """Cut the memory to `length` tokens or the last checkpoint before; return what is left, 0 for nothing."""
        if not self._stateful and self._whole(length) and self._remove(length):
            return length
        for checkpoint in reversed(self._checkpoints):
            if checkpoint.length <= length and self._restore(checkpoint):
                return checkpoint.length
        return 0

    def _whole(self, length: int) -> bool:
        """Tell whether everything that the next token looks back at is still there."""
        if not self._window:
            return True
        oldest = self._api.llama_memory_seq_pos_min(self._memory, 0)
        return bool(oldest <= max(0, length - self._window))

    def _remove(self, length: int) -> bool:
        return bool(self._api.llama_memory_seq_rm(self._memory, 0, length, -1))

    def _restore(self, checkpoint: _Checkpoint) -> bool:
        state = checkpoint.state
        read = self._api.llama_state_seq_set_data_ext(self._context, state, len(state), 0, PARTIAL_ONLY)
        return bool(read) and self._remove(checkpoint.length)
