"""`docs/keys.md`, made from the table of commands, so that it cannot name a key that does something else.

`python -m qtui.cli.keys_doc` prints it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from qtui.ui.command import URGENT, Command, Where
from qtui.ui.commands import COMMANDS

INTRODUCTION = """\
<!-- Made by `python -m qtui.cli.keys_doc > docs/keys.md`; a test compares it with the table of commands. -->
# Keys

Two modes. A text field has every key that types something while it has the focus; everywhere else single letters are
commands. In the app `?` shows these keys, those of where you are first, and `ctrl+p` finds a command by what it does.

A key of your own: in the settings file (`,` shows where it is), under `[keys]`, the command's name and its key or keys:

```toml
[keys]
"models.chat" = "space"
"arena.again" = ["r", "f5"]
"models.copy" = ""        # no key
```

A key that another command of the same spot has, one that a text field would take as text, and a name that is no
command's are reported when qtui starts, and left out. Commands marked — cannot have another key.
"""


def keys_page(commands: Iterable[Command] = COMMANDS) -> str:
    """Return the page as Markdown."""
    table = tuple(commands)
    parts = [INTRODUCTION]
    for where in Where:
        here = [command for command in table if command.where is where]
        if not here:
            continue
        parts.append(f"\n## {where.value}\n")
        if where is Where.EVERYWHERE:
            urgent = " and ".join(f"`{command.shown_key}`" for command in here if command.id in URGENT)
            parts.append(f"In a panel, and while text is typed, only {urgent} work.\n")
        parts.append("| key | does | name |\n|---|---|---|")
        parts += [_row(command) for command in here]
    return "\n".join(parts) + "\n"


def _row(command: Command) -> str:
    keys = " ".join(f"`{key}`" for key in command.shown_keys.split())
    does = command.help.replace("|", "\\|")
    return f"| {keys} | {does} | {f'`{command.id}`' if command.bound else '—'} |"


if __name__ == "__main__":
    sys.stdout.write(keys_page())
