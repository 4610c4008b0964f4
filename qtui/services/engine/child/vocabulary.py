"""A model's vocabulary: text to tokens and back."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from qtui.core.errors import BadFileError
from qtui.core.text import clean_name
from qtui.services.engine.child.native import ERROR, Native

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
        return self.tokens_of(text.encode("utf-8", "replace"), add_special=add_special, parse_special=True)

    def tokens_of(self, data: bytes, *, add_special: bool = True, parse_special: bool = False) -> list[int]:
        """Return the tokens of bytes; the names of control tokens are those tokens only with `parse_special`.

        Raises:
            BadFileError: the file has no tokenizer.
        """
        if not self.exists:
            raise BadFileError("the file has no tokenizer: it can be measured, not asked")
        room = len(data) + 16
        while True:
            found = (ctypes.c_int32 * room)()
            count = self._api.llama_tokenize(self._vocab, data, len(data), found, room, add_special, parse_special)
            if count >= 0:
                return list(found[:count])
            room = -count

    @property
    def beginning(self) -> int | None:
        """Return the token that begins a text, None where texts begin without one."""
        found = int(self._api.llama_vocab_bos(self._vocab))
        return found if self.exists and found >= 0 and self._api.llama_vocab_get_add_bos(self._vocab) else None

    @property
    def adds_end(self) -> bool:
        """Tell whether its tokenizer ends every text with a token."""
        return bool(self.exists and self._api.llama_vocab_get_add_eos(self._vocab))

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


@contextlib.contextmanager
def vocabulary_only(native: Native, path: str) -> Iterator[Vocabulary]:
    """Give the tokens of a model that is loaded without its weights.

    Raises:
        BadFileError: llama.cpp cannot read it.
    """
    parameters = native.api.llama_model_default_params()
    parameters.vocab_only = True
    model = native.api.llama_model_load_from_file(os.fsencode(path), parameters)
    if not model:
        native.log.flush()
        reason = next(iter(native.log.since(0, ERROR)[-1:]), "")
        name = clean_name(Path(path).name)
        raise BadFileError(f"{name} cannot be read as a model{': ' + reason if reason else ''}", "check the file")
    try:
        yield Vocabulary(native, model)
    finally:
        native.api.llama_model_free(model)
