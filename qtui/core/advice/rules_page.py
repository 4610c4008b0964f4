"""The table of rules as Markdown, for the page that shows it.

`python -m qtui.core.advice.rules_page` prints it.
"""

from __future__ import annotations

import sys

from qtui.core.advice.rules import RULES


def rules_table() -> str:
    """Return every rule as a row: name, effect, sentence, source."""
    rows = ["| rule | effect | says | from |", "|---|---|---|---|"]
    for rule in RULES:
        said = rule.sentence.replace("{", "*").replace("}", "*")
        source = f"<{rule.source}>" if rule.source.startswith("http") else rule.source
        rows.append(f"| {rule.name} | {rule.effect.value} | {said} | {source} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(rules_table() + "\n")
