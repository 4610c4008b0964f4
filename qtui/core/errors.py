"""The errors that qtui shows: what failed, then what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


class QtuiError(Exception):
    """A failure with a hint, shown to the user as it is and never as a traceback."""

    kind = "error"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(QtuiError):
    """The request cannot be understood: a bad option or argument (exit status 2)."""

    kind = "usage"


class BadFileError(QtuiError):
    """A file is missing, unreadable, truncated, hostile or not what it should be."""

    kind = "bad_file"


class NoSuchFileError(BadFileError):
    """There is no file of this name; what is no file may still be a model that is here, or one on the Hub."""


class PlanRefusedError(QtuiError):
    """llama.cpp refuses this plan or this model."""

    kind = "plan_refused"


class MemoryRefusedError(QtuiError):
    """The load would need more memory than there is; `--force` loads all the same."""

    kind = "memory"


class EngineError(QtuiError):
    """The engine is missing, died, or does not answer."""

    kind = "engine"


class HubError(QtuiError):
    """The Hub cannot be reached, refuses, or answers with what is not understood."""

    kind = "hub"


class NotOnHubError(HubError):
    """There is no such repository, revision or file, or one that may not be seen."""

    kind = "not_found"


class AccessError(HubError):
    """The Hub asks for a token, for another one, or for terms to be accepted."""

    kind = "access"


class OfflineError(HubError):
    """The Hub is not asked, by the user's wish, or cannot be reached."""

    kind = "offline"


class RateLimitError(HubError):
    """The Hub allows no more requests for a while."""

    kind = "rate_limit"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure as a value, for events: the same three parts as QtuiError, and the engine's last log lines."""

    message: str
    hint: str = ""
    kind: str = "error"
    log: tuple[str, ...] = ()

    @staticmethod
    def of(error: QtuiError, log: tuple[str, ...] = ()) -> Failure:
        """Turn an error into a value."""
        return Failure(error.message, error.hint, error.kind, log)

    def as_error(self) -> QtuiError:
        """Turn it back into the error that it was; of a kind of a part's own, an EngineError."""
        kinds = (QtuiError, UsageError, BadFileError, PlanRefusedError, MemoryRefusedError)
        kind = next((one for one in kinds if one.kind == self.kind), EngineError)
        return kind(self.message, self.hint)
