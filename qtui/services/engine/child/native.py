"""The door to llama.cpp for every child: one copy of the library, its log, its abort message, its layout.

llama_cpp is imported without its package, whose `__init__` loads numpy, jinja2 and the high-level class (0.05 s
instead of 0.25 s). Symbols are taken through `L._lib` only: a second `ctypes.CDLL` of libggml-base loads another ggml
with its own registry and buffer types.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import resource
import sys
import types
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TextIO

from qtui.core.errors import EngineError
from qtui.core.text import clean

TESTED_LAYOUT = {"llama_model_params": 80, "llama_context_params": 160, "llama_model_quantize_params": 64}
"""Sizes in bytes of the structures as llama-cpp-python 0.3.36 declares them."""
DEBUG, INFO, WARN, ERROR, CONT = 1, 2, 3, 4, 5
"""ggml's log levels (ggml.h); the table in llama_cpp/_logger.py is another one's."""
INSTALL_HINT = (
    "install it with: pip install 'llama-cpp-python>=0.3.36,<0.4' "
    "--extra-index-url https://abetlen.github.io/llama-cpp-python/whl/cpu"
)
KEPT_LINES = 400


def claim_stdout() -> TextIO:
    """Return the protocol's stream, and point fd 1 at fd 2 so that no library can write into the protocol.

    To be called before anything that may print is imported.
    """
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    return stream


def no_core_file() -> None:
    """Keep an abort from writing a core file, which would be as large as the loaded model."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@dataclass(slots=True)
class Log:
    """llama.cpp's log, line by line: messages arrive in pieces and are joined here."""

    sink: Callable[[int, str], None] | None = None
    """Called with the level and each whole line, in whichever thread llama.cpp logs from."""
    lines: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _piece: str = ""
    _level: int = INFO

    def feed(self, level: int, text: str) -> None:
        """Take one piece of output; `CONT` continues the line before it."""
        if level != CONT:
            self._level = level
        *whole, self._piece = (self._piece + text).split("\n")
        for line in whole:
            self._keep(line)

    def clear(self) -> None:
        """Forget all lines, so that the next ones belong to one call."""
        self.lines.clear()
        self._piece = ""

    def tail(self, count: int = 20, at_least: int = DEBUG) -> tuple[str, ...]:
        """Return the last lines of a level or above."""
        return tuple(line for level, line in self.lines if level >= at_least)[-count:]

    def _keep(self, line: str) -> None:
        text = clean(line.rstrip())
        if text:
            self.lines.append((self._level, text))
            if self.sink is not None:
                self.sink(self._level, text)


class Native:
    """llama.cpp, loaded once per process. Holds every callback that it registered: a collected one is a segfault."""

    def __init__(self, module: Any, on_fatal: Callable[[str], None]) -> None:
        self.L = module
        """`llama_cpp.llama_cpp`, the low-level API."""
        self.lib = module._lib
        """The one handle through which private symbols are taken."""
        self.log = Log()
        self._log_callback = module.llama_log_callback(self._logged)
        module.llama_log_set(self._log_callback, ctypes.c_void_p(0))
        self._on_fatal = on_fatal
        self._abort_callback = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(self._aborted)
        self.lib.ggml_set_abort_callback.restype = ctypes.c_void_p
        self.lib.ggml_set_abort_callback(self._abort_callback)

    @property
    def version(self) -> str:
        """Return llama.cpp's version as it reports it."""
        self.lib.llama_version.restype = ctypes.c_char_p
        return clean((self.lib.llama_version() or b"").decode("utf-8", "replace"))

    @property
    def problem(self) -> str:
        """Return what is untested about this llama-cpp-python, empty when its layout is the one tested."""
        sizes = {name: ctypes.sizeof(getattr(self.L, name)) for name in TESTED_LAYOUT}
        odd = [f"{name} {sizes[name]} (tested: {size})" for name, size in TESTED_LAYOUT.items() if sizes[name] != size]
        return f"untested llama-cpp-python: {', '.join(odd)}" if odd else ""

    def symbol(self, name: str, restype: Any, *argtypes: Any) -> Any | None:
        """Return a private function with its types set; None where it is missing or the layout is untested."""
        if self.problem:
            return None
        try:
            function = self.lib[name]
        except AttributeError:
            return None
        function.restype = restype
        function.argtypes = list(argtypes)
        return function

    def _logged(self, level: int, text: bytes | None, _data: Any) -> None:
        self.log.feed(level, (text or b"").decode("utf-8", "replace"))

    def _aborted(self, text: bytes | None) -> None:
        self._on_fatal(clean((text or b"").decode("utf-8", "replace")).strip())


def load_native(on_fatal: Callable[[str], None]) -> Native:
    """Load llama.cpp into this process; `on_fatal` gets an assertion's text just before the process aborts.

    Raises:
        EngineError: llama-cpp-python is not installed or its library does not load here.
    """
    os.environ["GGML_NO_BACKTRACE"] = "1"  # an abort would otherwise start a debugger to print a backtrace
    try:
        spec = importlib.util.find_spec("llama_cpp")
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError("no module named llama_cpp")
        package = types.ModuleType("llama_cpp")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["llama_cpp"] = package
        module = importlib.import_module("llama_cpp.llama_cpp")
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        raise EngineError(f"llama-cpp-python cannot be loaded: {clean(str(error))}", INSTALL_HINT) from error
    return Native(module, on_fatal)
