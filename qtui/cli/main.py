"""The `qtui` command: finds the verb, runs it, and turns what went wrong into a line, a hint and an exit status."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from qtui.cli.app_parser import app_parser
from qtui.cli.console import Console, OutputLostError
from qtui.cli.crash import crash_report
from qtui.core.errors import Failure, QtuiError, UsageError

if TYPE_CHECKING:
    from qtui.cli.services import Services

DONE, FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130


def main(argv: Sequence[str] | None = None, *, wire: Callable[[Namespace], Services] | None = None) -> int:
    """Run the command and return its exit status: 0 done, 1 failed, 2 bad usage, 130 interrupted.

    `wire` makes the services; this machine's own by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Console(as_json="--json" in arguments)
    try:
        return _run(arguments, console, wire)
    except OutputLostError as error:
        _forget_stdout()
        report_failure(console, Failure.of(error))
        return FAILED
    except QtuiError as error:
        report_failure(console, Failure.of(error))
        return BAD_USAGE if isinstance(error, UsageError) else FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _forget_stdout()
        return FAILED
    except Exception as error:  # noqa: BLE001  the outermost loop: a traceback belongs into the log
        report_failure(console, crash_report(error))
        return FAILED


def report_failure(console: Console, failure: Failure) -> None:
    """Say what failed on stderr, and under --json as the one object on stdout."""
    with contextlib.suppress(BrokenPipeError):
        console.failure(failure)
        console.json({"error": {"message": failure.message, "hint": failure.hint, "kind": failure.kind}})


def _run(arguments: list[str], console: Console, wire: Callable[[Namespace], Services] | None) -> int:
    try:
        options = _parser(arguments).parse_args(arguments)
    except SystemExit as leaving:  # --help, --version
        return int(leaving.code or 0)
    console.as_json = options.json
    if getattr(options, "prompt", None) is not None:
        options.prompt = _prompt(options.prompt)
    from qtui.cli import running

    module, _, name = options.run.partition(":")
    verb: running.Verb = getattr(importlib.import_module(module), name)
    status = running.run(verb, options, console, wire or _local_services)
    sys.stdout.flush()
    return status


def _parser(arguments: Sequence[str]) -> ArgumentParser:
    if all(argument.startswith("-") and argument not in ("-h", "--help") for argument in arguments):
        return app_parser()
    from qtui.cli.parser import build_parser

    return build_parser()


def _local_services(options: Namespace) -> Services:
    from qtui.cli.wiring import local_services

    return local_services(options)


def _prompt(text: str) -> str:
    """Return the prompt, from standard input for `-`; read before any signal is handled, so that Ctrl-C ends it."""
    if text == "-":
        text = sys.stdin.buffer.read().decode("utf-8", "replace").removesuffix("\n")
    else:
        text = os.fsencode(text).decode("utf-8", "replace")
    if not text.strip():
        raise UsageError("the prompt is empty", "give a text, or - to read it from standard input")
    return text


def _open_streams() -> None:
    """Let what was started with a closed stdout or stderr write into nothing."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


def _forget_stdout() -> None:
    """Let nothing more be written to a reader that is gone, not even when Python ends."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


if __name__ == "__main__":
    sys.exit(main())
