"""What an endpoint says instead of an answer, in the shape that OpenAI's clients understand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from qtui.core.errors import Failure, QtuiError
from qtui.core.text import clean

INVALID, SERVER = "invalid_request_error", "server_error"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error: its status of HTTP, and the four parts that clients read."""

    status: int
    message: str
    type: str = INVALID
    param: str | None = None
    """The parameter that is wrong: `max_tokens`, `messages[2].content`."""
    code: str | None = None
    retry_after: int | None = None
    """Seconds after which it is worth another try."""

    def as_json(self) -> dict[str, Any]:
        """Return the body."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class RefusedError(QtuiError):
    """A request is refused; carries what to answer."""

    kind = "refused"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def bad(message: str, param: str | None = None, code: str | None = None) -> RefusedError:
    """Return the error of a request that cannot be answered as it is; names in the message must be clean."""
    return RefusedError(Refusal(400, message, param=clean(param) if param else None, code=code))


def refusal_of(failure: Failure, param: str = "messages") -> Refusal:
    """Return what to say of a failure of the engine; `param` holds what was asked."""
    text = ": ".join(filter(None, (failure.message, failure.hint)))
    match failure.kind:
        case "prompt_too_long":
            return Refusal(400, text, param=param, code="context_length_exceeded")
        case "prompt" | "template":
            return Refusal(400, text, param=param, code="invalid_prompt")
        case "memory":
            return Refusal(503, text, SERVER, code="memory", retry_after=10)
        case "cancelled":
            return Refusal(503, text, SERVER, code="cancelled", retry_after=1)
    return Refusal(500, text, SERVER, code="engine_error")
