"""What `preset` understands."""

from __future__ import annotations

from argparse import ArgumentParser

from qtui.cli import options

ACTIONS = ("list", "show", "save", "delete", "import", "export")


def add_preset(parser: ArgumentParser) -> None:
    """Add what to do, with what, and the options of each."""
    parser.add_argument(
        "action", metavar="ACTION", nargs="?", choices=ACTIONS, default="list",
        help="list; show NAME; save NAME with the plan options; delete NAME; import FILE; export FILE (default: list)",
    )  # fmt: skip
    parser.add_argument("name", metavar="NAME|FILE", nargs="?", default="", help="a preset, or a presets.ini")
    parser.add_argument("names", metavar="NAME", nargs="*", help="export: only these presets (default: all of yours)")
    parser.add_argument("--about", metavar="TEXT", default="", help="save: what it is for")
    parser.add_argument(
        "--match", metavar="PATTERN", action="append",
        help="save: taken by itself for models that this fits (qwen3*): by name, file, repository (repeatable)",
    )  # fmt: skip
    parser.add_argument("--replace", action="store_true", help="save, import: take the place of presets of that name")
    parser.add_argument(
        "--for", metavar="VARIANT", dest="variants", action="append", default=[],
        help="export: a section for this variant, beside those that a preset is meant for (repeatable)",
    )  # fmt: skip
    parser.add_argument("--overwrite", action="store_true", help="export: replace FILE when it is there")
    parser.add_argument(
        "--server", metavar="PATH", default="",
        help="import, export: the llama-server whose keys count (default: that of the settings, or on PATH)",
    )  # fmt: skip
    options.add_plan(parser)
