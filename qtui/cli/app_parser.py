"""The command without a verb: what it understands, apart from the verbs, because the app shall open at once."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from pathlib import Path
from typing import NoReturn

from qtui import __version__
from qtui.core.errors import UsageError
from qtui.core.settings import LogLevel
from qtui.core.text import clean_name


class QtuiParser(ArgumentParser):
    """A parser that raises what it finds wrong instead of printing and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as a UsageError."""
        raise UsageError(clean_name(message, 500), f"{self.prog} --help")


def app_parser() -> QtuiParser:
    """Return the parser of the command without verbs."""
    parser = QtuiParser(
        prog="qtui", allow_abbrev=False,
        description="Choose, fetch, launch, watch and compare GGUF quants for llama.cpp. Without a verb: the app.",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"qtui {__version__}")
    add_look(parser)
    add_folders(parser, default=[])
    parser.set_defaults(run="qtui.cli.app_verbs:open_app", json=False)
    return parser


def add_json(parser: ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on stdout, and nothing else there")


def add_look(parser: ArgumentParser) -> None:
    """Add what the app alone understands: `--theme`, `--log-level`."""
    parser.add_argument("--theme", metavar="NAME", help="the app's theme, instead of that of the settings")
    parser.add_argument(
        "--log-level", choices=[level.value for level in LogLevel],
        help="how much the app writes into its log, instead of what the settings say",
    )  # fmt: skip


def add_folders(parser: ArgumentParser, default: object = argparse.SUPPRESS) -> None:
    """Add `--models-dir`; without a default, one that was given before the verb stays."""
    parser.add_argument(
        "--models-dir", metavar="DIR", action="append", default=default, type=Path,
        help="look for models in this folder instead of the known places (repeatable)",
    )  # fmt: skip
