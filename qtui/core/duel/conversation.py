"""What is asked of a session and what comes of it: messages, sampling, answers with their measurements."""

from __future__ import annotations

from dataclasses import dataclass, field

from qtui.core.hardware import ProcessMemory
from qtui.core.memory.actual import Actual


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: str
    """`system`, `user` or `assistant`."""
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; the defaults are llama.cpp's (common/common.h)."""

    temperature: float = 0.8
    """0 or less: greedy."""
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    seed: int | None = None
    """None: drawn anew for each answer, and reported with it."""
    max_tokens: int | None = None
    """None: until the model ends or the context is full."""
    stop: tuple[str, ...] = ()


DUEL_SAMPLING = Sampling(temperature=0.0, seed=42)


@dataclass(frozen=True, slots=True)
class Request:
    """One question to one session."""

    messages: tuple[Message, ...] = ()
    raw: str | None = None
    """When given, this text is continued without the chat template, and `messages` is not used."""
    sampling: Sampling = field(default_factory=Sampling)
    reuse_prefix: bool = True
    """False: start from an empty cache, as every timed round does."""
    template: str | None = None
    """A chat template that replaces the file's own."""
    prompt_length: int | None = None
    """For benchmarks: the prompt's tokens are repeated or cut to exactly this many (at least 1)."""
    ignore_eos: bool = False
    """For benchmarks: an end-of-generation token does not end the answer (`--ignore-eos`); `max_tokens` must be set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One finished answer, with what was measured while it was made (origin: measured)."""

    text: str
    thinking: str
    finish_reason: str
    """`stop` (end of turn or a stop string), `length` (token limit), `context` (context full), `cancelled`."""
    prompt_tokens: int
    cached_tokens: int
    """Prompt tokens that were still in the cache."""
    generated_tokens: int
    time_to_first_token: float | None
    """Seconds from the request to the first token."""
    prompt_rate: float | None
    """Prompt tokens decoded per second, cached ones not counted."""
    generation_rate: float | None
    """(n - 1) / (t_last - t_first): llama-server's formula; None below two tokens."""
    seed: int
    memory: ProcessMemory
    prompt: str = ""
    """The text as it was given to the model, template applied; clean."""
    warnings: tuple[str, ...] = ()
    pieces: tuple[str, ...] = ()
    """The texts of its first tokens in order, thinking included; bytes that are no whole characters as `\\xe2`. Empty
    where the engine does not tell them."""
    written: str = ""
    """As the model wrote it, thinking and its marks included; clean; empty: that is `text`."""
    actual: Actual | None = None
    """What the system says of the session after it; the app's process looks, not the session's own."""
