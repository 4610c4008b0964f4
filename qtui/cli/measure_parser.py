"""What `measure` understands."""

from __future__ import annotations

from argparse import ArgumentParser

from qtui.cli import options
from qtui.core.measure.request import DEFAULT_CONTEXT


def add_measure(measure: ArgumentParser) -> None:
    """Add what the variants are measured against, on which text, and what is kept."""
    against = measure.add_mutually_exclusive_group()
    against.add_argument("--reference", metavar="VARIANT", default="", help="what they are measured against: F16, Q8_0")
    against.add_argument(
        "--logits", metavar="FILE", default="",
        help="measure against logits that --save-logits, or llama-perplexity --kl-divergence-base, has written",
    )  # fmt: skip
    measure.add_argument(
        "--save-logits", metavar="FILE", default="", help="write the reference's logits to this file and leave them"
    )
    measure.add_argument(
        "--text", metavar="FILE", default="", help="a text file, or mixed or demo (default: mixed; demo for the demo)"
    )
    measure.add_argument(
        "--ctx-size", metavar="N", type=options.whole(64, 1 << 18), default=DEFAULT_CONTEXT,
        help=f"tokens of a chunk, of which the second half is scored (default: {DEFAULT_CONTEXT})",
    )  # fmt: skip
    measure.add_argument(
        "--chunks", metavar="N", type=options.whole(1, 1 << 20), default=0, help="at most (default: the whole text)"
    )
    measure.add_argument("--fresh", action="store_true", help="do not go on where an earlier run was ended")
    measure.add_argument(
        "--clean", action="store_true", help="remove what measurements have left in the cache, and measure nothing"
    )
