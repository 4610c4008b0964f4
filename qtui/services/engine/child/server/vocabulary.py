"""A model's vocabulary, as far as a server tells of it."""

from __future__ import annotations

from qtui.core.errors import EngineError
from qtui.services.engine.child.server.http import Http


class ServedVocabulary:
    """Text to tokens, by the server's own tokenizer."""

    exists = True

    def __init__(self, http: Http, *, size: int, bos: str, eos: str) -> None:
        self._http = http
        self.size = size
        self.bos = bos
        self.eos = eos

    def tokens(self, text: str, *, add_special: bool = True) -> list[int]:
        """Return the tokens of a text, in which the names of control tokens are those tokens.

        Raises:
            EngineError: the server does not answer, or with something else.
        """
        asked = {"content": text, "add_special": add_special, "parse_special": True}
        found = self._http.post("/tokenize", asked).get("tokens")
        if not isinstance(found, list) or not all(isinstance(token, int) for token in found):
            raise EngineError(f"{self._http.where} does not tell the tokens of a text", "is it a llama-server?")
        return found
