"""A model's vocabulary: text to tokens and back."""

from __future__ import annotations

import ctypes
from collections.abc import Set as AbstractSet
from typing import Any

from qtui.core.errors import BadFileError
from qtui.services.engine.child.native import Native

NO_VOCABULARY = 0
"""LLAMA_VOCAB_TYPE_NONE: asking such a vocabulary for tokens aborts the process."""


class Vocabulary:
    """The tokens of a loaded model."""

    def __init__(self, native: Native, model: Any) -> None:
        self._api = native.api
        self._vocab = self._api.llama_model_get_vocab(model)
        self.size: int = self._api.llama_vocab_n_tokens(self._vocab)
        self.exists: bool = self._api.llama_vocab_type(self._vocab) != NO_VOCABULARY
        self.bos = self._text(self._api.llama_vocab_bos(self._vocab))
        self.eos = self._text(self._api.llama_vocab_eos(self._vocab))
        self._buffer = ctypes.create_string_buffer(256)

    def tokens(self, text: str, *, add_special: bool = True) -> list[int]:
        """Return the tokens of a text, in which the names of control tokens are those tokens, as in llama-server.

        Raises:
            BadFileError: the file has no tokenizer.
        """
        if not self.exists:
            raise BadFileError("the file has no tokenizer: it can be measured, not asked")
        data = text.encode("utf-8", "replace")
        room = len(data) + 16
        while True:
            found = (ctypes.c_int32 * room)()
            count = self._api.llama_tokenize(self._vocab, data, len(data), found, room, add_special, True)
            if count >= 0:
                return list(found[:count])
            room = -count

    def is_end(self, token: int) -> bool:
        """Tell whether a token ends an answer."""
        return bool(self._api.llama_vocab_is_eog(self._vocab, token))

    def piece(self, token: int, marks: AbstractSet[str]) -> bytes:
        """Return the bytes that a token stands for; control tokens are silent unless their text is one of `marks`."""
        if not self.exists:
            return b""
        silent = self._api.llama_vocab_is_control(self._vocab, token) and self._text(token) not in marks
        return b"" if silent else self._piece(token)

    def _piece(self, token: int) -> bytes:
        count = self._api.llama_token_to_piece(self._vocab, token, self._buffer, len(self._buffer), 0, True)
        if count < 0:
            self._buffer = ctypes.create_string_buffer(-count)
            count = self._api.llama_token_to_piece(self._vocab, token, self._buffer, len(self._buffer), 0, True)
        return self._buffer.raw[: max(count, 0)]

    def _text(self, token: int) -> str:
        if token < 0 or not self.exists:
            return ""
        return (self._api.llama_vocab_get_text(self._vocab, token) or b"").decode("utf-8", "replace")
