"""llama.cpp in this process: brought in without its Python package, with its log and its aborts caught.

Symbols that llama_cpp.llama_cpp does not wrap are taken from its `_lib` only: a wheel holds several copies of ggml,
and another CDLL would load a second one with a device registry of its own.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import importlib.util
import os
import resource
import sys
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from qtui.core.errors import EngineError
from qtui.core.text import clean

INSTALL_HINT = "install it with: pip install llama-cpp-python"
DEBUG, WARN, ERROR, CONTINUED = 1, 3, 4, 5
"""ggml_log_level (ggml.h); the table in llama_cpp/_logger.py is of an older ggml."""
KEPT_LINES = 400
_SIZES = {"llama_model_params": 80, "llama_context_params": 160, "llama_model_quantize_params": 64}
"""Layouts that the engine was tried with (llama-cpp-python 0.3.36)."""


class Log:
    """Collects llama.cpp's log, which comes in pieces, as whole lines; the last are kept, all go to stderr.

    Debug lines are dropped: making one context writes up to two thousand of them, which would push out the rest.
    """

    def __init__(self, echo: TextIO | None = None) -> None:
        self._echo = echo
        self._lines: deque[tuple[int, str]] = deque(maxlen=KEPT_LINES)
        self._pending = ""
        self._level = 0
        self.count = 0
        """Lines so far: a mark for `since`."""

    def add(self, level: int, piece: str) -> None:
        """Add a piece; a line ends where a piece holds a newline."""
        if level != CONTINUED:
            self._level = max(self._level, level) if self._pending else level
        *whole, self._pending = (self._pending + piece).split("\n")
        for line in whole:
            self._keep(line)

    def flush(self) -> None:
        """Make a line of what has no newline yet."""
        if self._pending:
            self._keep(self._pending)
            self._pending = ""

    def since(self, mark: int = 0, level: int = 0) -> list[str]:
        """Return the lines kept after `mark`, of `level` or more serious."""
        fresh = min(self.count - mark, len(self._lines))
        return [text for found, text in list(self._lines)[len(self._lines) - fresh :] if found >= level]

    def tail(self, lines: int = 20) -> tuple[str, ...]:
        """Return the last lines, whatever their level."""
        return tuple(self.since()[-lines:])

    def _keep(self, line: str) -> None:
        if self._level == DEBUG:
            return
        text = clean(line.rstrip())
        self._lines.append((self._level, text))
        self.count += 1
        if self._echo:
            self._echo.write(text + "\n")
            self._echo.flush()


@dataclass(frozen=True, slots=True)
class Native:
    """llama.cpp, ready to be called."""

    api: Any
    """The module llama_cpp.llama_cpp."""
    log: Log
    problem: str
    """What is untested about this build; empty when its layouts are the known ones."""
    build: str
    """llama.cpp's own version."""

    def symbol(self, name: str, result: Any, *arguments: Any) -> Any:
        """Return a function of the library by its symbol, with its types set.

        Raises:
            AttributeError: this build has no such symbol.
        """
        function = self.api._lib[name]
        function.restype = result
        function.argtypes = list(arguments)
        return function


def harden() -> None:
    """Forbid core files and backtraces: an abort with 20 GB loaded must neither fill the disk nor start a debugger."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["GGML_NO_BACKTRACE"] = "1"


def claim_stdout() -> TextIO:
    """Return a private copy of stdout for the protocol, and point fd 1 at stderr for whatever libraries print."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    return private


def version() -> str:
    """Return the version of llama-cpp-python, empty when it is not installed."""
    try:
        return importlib.metadata.version("llama-cpp-python")
    except importlib.metadata.PackageNotFoundError:
        return ""


def open_native(on_abort: Callable[[str], None] | None = None, echo: TextIO | None = None) -> Native:
    """Bring llama.cpp into this process, log and aborts caught, backends initialised.

    `on_abort` is called with ggml's sentence (`llama-model.cpp:1362: GGML_ASSERT(…) failed`) just before it aborts.

    Raises:
        EngineError: llama-cpp-python is not installed, or its library cannot be loaded.
    """
    api = _import()
    log = Log(echo)

    def log_piece(level: int, text: bytes, _data: Any) -> None:
        log.add(level, text.decode("utf-8", "replace"))

    def abort(text: bytes) -> None:
        log.flush()
        message = clean((text or b"").decode("utf-8", "replace")).strip()
        log.add(ERROR, message + "\n")
        if on_abort:
            on_abort(message)

    log_callback = api.llama_log_callback(log_piece)
    api.llama_log_set(log_callback, ctypes.c_void_p(0))
    callbacks = [log_callback]
    abort_callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(abort)
    try:
        setter = api._lib["ggml_set_abort_callback"]
    except AttributeError:
        pass
    else:
        setter.restype = ctypes.c_void_p
        setter(abort_callback)
        callbacks.append(abort_callback)
    # kept for the life of the process: llama.cpp calling a collected callback is a segmentation fault
    api.qtui_callbacks = (*getattr(api, "qtui_callbacks", ()), *callbacks)
    api.llama_backend_init()
    return Native(api, log, _layout_problem(api), _build(api))


def _import() -> Any:
    """Import llama_cpp.llama_cpp under a bare package: the real one loads numpy, jinja2 and its high-level class."""
    spec = importlib.util.find_spec("llama_cpp") if "llama_cpp" not in sys.modules else None
    if "llama_cpp" not in sys.modules:
        if spec is None or not spec.submodule_search_locations:
            raise EngineError("llama-cpp-python is not installed", INSTALL_HINT)
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["llama_cpp"] = package
    try:
        return importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = clean(str(error)).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise EngineError(
            f"llama-cpp-python {version()} cannot be loaded: {reason}",
            "reinstall it for this machine: pip install --force-reinstall llama-cpp-python",
        ) from error


def _layout_problem(api: Any) -> str:
    found = {name: ctypes.sizeof(getattr(api, name)) for name in _SIZES if hasattr(api, name)}
    if found == _SIZES:
        return ""
    return f"llama-cpp-python {version()} is untested: its structures differ from those of 0.3.36"


def _build(api: Any) -> str:
    if not hasattr(api, "llama_version"):
        return ""
    return clean(api.llama_version().decode("utf-8", "replace"))
