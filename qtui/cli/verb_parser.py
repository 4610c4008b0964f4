"""The parser of one verb: options may stand anywhere between its arguments."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from qtui.cli.app_parser import QtuiParser

END_OF_OPTIONS = "--"


class VerbParser(QtuiParser):
    """A parser that takes arguments after options too, where some of them may be left out."""

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """Parse arguments that were brought together; argparse fills `?`, `*` and `+` by those that stand together."""
        return super().parse_known_args(self.together(args or ()), namespace)

    def together(self, words: Sequence[str]) -> list[str]:
        """Return the words of a command with its arguments in one row, each option keeping its value."""
        arguments: list[str] = []
        options: list[str] = []
        rest = iter(words)
        wants = False
        for word in rest:
            if word == END_OF_OPTIONS:
                return [*options, word, *arguments, *rest]
            if self._parse_optional(word) is not None:
                options.append(word)
                wants = self._takes_next(word)
            elif wants:
                options.append(word)
                wants = False
            else:
                arguments.append(word)
        return [*arguments, *options]

    def _takes_next(self, word: str) -> bool:
        """Tell whether the word after an option is its value."""
        action: Any = self._option_string_actions.get(word)
        return action is not None and action.nargs != 0
