"""A request turned into the tokens that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from qtui.core.duel.conversation import Message, Request
from qtui.core.errors import QtuiError
from qtui.services.engine.child.template import CHATML, ChatTemplate, TemplateFailedError


class Tokens(Protocol):
    """A vocabulary, as far as prompts need it."""

    @property
    def exists(self) -> bool:
        """Tell whether there is a tokenizer."""
        ...

    @property
    def size(self) -> int:
        """Return how many tokens it has."""
        ...

    @property
    def bos(self) -> str:
        """Return the text of the token that begins a text, empty where there is none."""
        ...

    @property
    def eos(self) -> str:
        """Return the text of the token that ends a text."""
        ...

    def tokens(self, text: str, *, add_special: bool = True) -> list[int]:
        """Return the tokens of a text."""
        ...


class PromptError(QtuiError):
    """A prompt that cannot be read by this session."""

    kind = "prompt"


class TooLongError(PromptError):
    """A prompt that is longer than the context."""

    kind = "prompt_too_long"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is read before the first token is written."""

    text: str
    tokens: list[int]
    turn: int
    """Tokens up to the end of the last turn: the part that the next request will begin with."""
    stops: tuple[str, ...] = ()
    """Stop strings that the template brings."""


class Prompts:
    """Makes prompts with a model's vocabulary and chat template."""

    def __init__(self, vocabulary: Tokens, source: str | None) -> None:
        self._vocabulary = vocabulary
        self._override: tuple[str, ChatTemplate] | None = None
        self.warning = ""
        """Why the file's template is not used."""
        self.origin = "file"
        """`file`, or `chatml` when the file has none that can be used."""
        self._template = self._of_file(source)

    def make(self, request: Request) -> Prompt:
        """Return the prompt of a request.

        Raises:
            TemplateFailedError: the chat template fails or takes too much.
            PromptError: there is nothing to read.
            BadFileError: the model has no tokenizer.
        """
        if request.prompt_length is not None and not self._vocabulary.exists:
            tokens = [index % self._vocabulary.size for index in range(request.prompt_length)]
            return Prompt("", tokens, len(tokens))
        turn_text: str | None = None
        stops: tuple[str, ...] = ()
        if request.raw is not None:
            text = request.raw
        else:
            text, turn_text, stops = self._render(request)
        tokens = self._tokens(text)
        turn = len(tokens) - 1 if turn_text is None else common(tokens, self._tokens(turn_text))
        if request.prompt_length is not None:
            tokens = _stretch(tokens, request.prompt_length)
            turn = len(tokens) - 1
        if not tokens:
            raise PromptError("the prompt is empty", "write something")
        return Prompt(text, tokens, turn, stops)

    def _render(self, request: Request) -> tuple[str, str | None, tuple[str, ...]]:
        template, origin = self._template, self.origin
        if request.template is not None:
            if self._override is None or self._override[0] != request.template:
                self._override = (request.template, self._compile(request.template))
            template, origin = self._override[1], "override"
        stops = ("<|im_end|>",) if origin == "chatml" else ()
        return template.render(request.messages), _turn(template, request.messages), stops

    def _tokens(self, text: str) -> list[int]:
        return prompt_tokens(self._vocabulary, text)

    def _compile(self, source: str) -> ChatTemplate:
        return ChatTemplate(source, bos=self._vocabulary.bos, eos=self._vocabulary.eos)

    def _of_file(self, source: str | None) -> ChatTemplate:
        if source is not None:
            try:
                return self._compile(source)
            except TemplateFailedError as error:
                self.warning = f"{error.message}; chatml is used instead"
        else:
            self.warning = "the file has no chat template; chatml is used"
        self.origin = "chatml"
        return self._compile(CHATML)


def _turn(template: ChatTemplate, messages: Sequence[Message]) -> str | None:
    """Return the conversation without the opening of the answer, None where a template makes none of it."""
    try:
        return template.render(messages, answer=False)
    except TemplateFailedError:
        return None


def prompt_tokens(vocabulary: Tokens, text: str) -> list[int]:
    """Return the tokens of a prompt; the one that begins a text is not put before it twice."""
    bos = vocabulary.bos
    return vocabulary.tokens(text, add_special=not (bos and text.startswith(bos)))


def common(left: Sequence[int], right: Sequence[int]) -> int:
    """Return how many tokens two begin with alike."""
    count = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        count += 1
    return count


def _stretch(tokens: Sequence[int], length: int) -> list[int]:
    """Return exactly `length` tokens: the first ones, repeated as often as needed."""
    if not tokens:
        raise PromptError("the prompt is empty", "write something")
    return (list(tokens) * (length // len(tokens) + 1))[:length]
