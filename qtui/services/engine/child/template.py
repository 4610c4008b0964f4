"""Chat templates: code from a model file, run in a sandbox with limits on time, memory and length.

Rendered as llama-server does (common/chat.cpp): the same settings gave the same prompt for 66 of the 70 templates in
llama.cpp's source.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import resource
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

from qtui.core.duel.conversation import Message
from qtui.core.errors import QtuiError
from qtui.core.text import clean_name

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""What llama-server takes for a file without a template."""
TIME_LIMIT_S = 1.0
MEMORY_LIMIT = 256 << 20
"""Address space that a template may take beyond what the process has."""
LENGTH_LIMIT = 8 << 20
"""Characters of a prompt."""
SOURCE_LIMIT = 1 << 20
"""Characters of a template; the longest known has 30 000."""


class TemplateFailedError(QtuiError):
    """A chat template cannot be read, fails, or takes too much."""

    kind = "template"


class _Timeout(BaseException):
    """Raised by the alarm; not an Exception, so that no handler on the way keeps it."""


class _Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`: marks of training code, passed through."""

    tags = {"generation"}  # noqa: RUF012 (jinja2 declares it so)

    def parse(self, parser: Any) -> Any:
        """Return what stands between the tags."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


class ChatTemplate:
    """A compiled template.

    Raises:
        TemplateFailedError: it is not a template, or compiling it takes too much.
    """

    def __init__(self, source: str, *, bos: str = "", eos: str = "") -> None:
        if len(source) > SOURCE_LIMIT:
            raise TemplateFailedError("the chat template is longer than a megabyte", _HINT)
        self._tokens = {"bos_token": bos, "eos_token": eos}
        # optimized: constant folding would already compute 'a' * 10**10 while compiling.
        environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, optimized=False, extensions=[jinja2.ext.loopcontrols, _Generation]
        )
        environment.filters["tojson"] = _tojson
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        with _limits():
            self._template = environment.from_string(source)

    def render(self, messages: Sequence[Message], *, answer: bool = True) -> str:
        """Return the prompt of a conversation; `answer`: with the opening of the assistant's turn.

        A template that refuses a system message gets it as part of the first user message.

        Raises:
            TemplateFailedError: the template fails, or takes too much time, memory or text.
        """
        try:
            return self._render(messages, answer)
        except TemplateFailedError:
            merged = merge_system(messages)
            if merged is None:
                raise
            return self._render(merged, answer)

    def _render(self, messages: Sequence[Message], answer: bool) -> str:
        parts: list[str] = []
        length = 0
        with _limits():
            pieces = self._template.generate(
                messages=[{"role": m.role, "content": m.content} for m in messages],
                add_generation_prompt=answer,
                enable_thinking=True,
                date_string=_strftime_now("%d %b %Y"),
                **self._tokens,
            )
            for piece in pieces:
                length += len(piece)
                if length > LENGTH_LIMIT:
                    raise TemplateFailedError("the chat template makes a prompt without end", _HINT)
                parts.append(piece)
            return "".join(parts)


_HINT = "use --raw, or give another template"


def merge_system(messages: Sequence[Message]) -> tuple[Message, ...] | None:
    """Return the conversation with its system messages put before the first user message; None: nothing to merge."""
    system = "\n\n".join(m.content for m in messages if m.role == "system")
    rest = [m for m in messages if m.role != "system"]
    place = next((i for i, m in enumerate(rest) if m.role == "user"), None)
    if not system or place is None:
        return None
    rest[place] = Message("user", f"{system}\n\n{rest[place].content}")
    return tuple(rest)


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Bound what a template takes, and turn everything that goes wrong in it into one error.

    The alarm needs the main thread; it repeats, since a first one may be swallowed where Python ignores exceptions.
    """
    armed = True

    def ring(*_: object) -> None:
        if armed:
            raise _Timeout

    old_limit = _limit_address_space()
    main = threading.current_thread() is threading.main_thread()
    old_handler = signal.signal(signal.SIGALRM, ring) if main else None
    old_timer = (0.0, 0.0)
    try:
        try:
            if main:
                old_timer = signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_S, 0.05)
            yield
        finally:
            armed = False
    except _Timeout:
        raise TemplateFailedError(f"the chat template takes longer than {TIME_LIMIT_S:.0f} s", _HINT) from None
    except MemoryError:
        raise TemplateFailedError("the chat template takes too much memory", _HINT) from None
    except jinja2.TemplateSyntaxError as error:
        reason = clean_name(f"{error.message} (line {error.lineno})")
        raise TemplateFailedError(f"the chat template cannot be read: {reason}", _HINT) from error
    except (
        jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, AssertionError,
        RuntimeError, SyntaxError,
    ) as error:  # fmt: skip
        reason = clean_name(str(error)) or type(error).__name__
        raise TemplateFailedError(f"the chat template fails: {reason}", _HINT) from error
    finally:
        if main:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, old_handler)
            signal.setitimer(signal.ITIMER_REAL, *old_timer)
        if old_limit:
            resource.setrlimit(resource.RLIMIT_AS, old_limit)


def _limit_address_space() -> tuple[int, int] | None:
    """Allow MEMORY_LIMIT more than is mapped now; return the old limit, None where that cannot be said."""
    if not sys.platform.startswith("linux"):
        return None
    old = resource.getrlimit(resource.RLIMIT_AS)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    soft = mapped + MEMORY_LIMIT
    if old[0] != resource.RLIM_INFINITY and soft > old[0]:
        return None
    resource.setrlimit(resource.RLIMIT_AS, (soft, old[1]))
    return old


def _tojson(value: Any, indent: int | None = None, **_: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    raise jinja2.TemplateError(str(message))


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().astimezone().strftime(pattern)
