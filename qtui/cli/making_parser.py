"""What the verbs that make quants and matrices understand."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from pathlib import Path

from qtui.cli import options
from qtui.core.errors import UsageError
from qtui.core.quantise.gathering import CTX_SIZE
from qtui.core.quantise.recipe import override


def overrides(text: str) -> list[tuple[str, str]]:
    """Convert `REGEX=TYPE`."""
    try:
        return [override(text)]
    except UsageError as error:
        raise argparse.ArgumentTypeError(f"{error.message}; {error.hint}") from None


def add_quantise(parser: ArgumentParser) -> None:
    """Add what `quantize` understands; options are named as llama-quantize names them."""
    parser.add_argument("source", metavar="IN", help="what is quantised: a file (any of its shards), best F16 or BF16")
    parser.add_argument("target", metavar="OUT", nargs="?", type=Path, help="the file to make")
    parser.add_argument("type", metavar="TYPE", nargs="?", default="", help="Q4_K_M, IQ4_XS, Q2_K, …")
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be made")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT when it is there")
    parser.add_argument("--threads", metavar="N", type=options.whole(1, 1024), default=0, help="(default: all)")
    recipe = parser.add_argument_group("recipe", "how it is made; named as llama-quantize names them")
    recipe.add_argument("--imatrix", metavar="FILE", default="", help="use this importance matrix")
    recipe.add_argument(
        "--tensor-type", metavar="REGEX=TYPE", type=overrides, action="extend", default=[],
        help="the type of tensors whose name matches; the first match wins (repeatable)",
    )  # fmt: skip
    recipe.add_argument("--output-tensor-type", metavar="TYPE", default="", help="the type of output.weight")
    recipe.add_argument("--token-embedding-type", metavar="TYPE", default="", help="the type of token_embd.weight")
    recipe.add_argument("--leave-output-tensor", action="store_true", help="keep output.weight as it is")
    recipe.add_argument("--pure", action="store_true", help="all tensors in one type, without the mixture")
    recipe.add_argument(
        "--allow-requantize", action="store_true",
        help="take a source that is quantised already; loses more, and the result records it",
    )  # fmt: skip
    recipe.add_argument("--keep-split", action="store_true", help="as many shards as IN has")
    measure = parser.add_argument_group("measuring", "afterwards, so that qtui advise --frontier has its point")
    measure.add_argument("--measure", action="store_true", help="measure it against IN, or --reference")
    measure.add_argument("--reference", metavar="VARIANT", default="", help="measure it against this one")
    measure.add_argument(
        "--measure-chunks", metavar="N", type=options.whole(1, 1 << 24), default=0, help="at most (default: all)"
    )
    gather = parser.add_argument_group("matrix", "gather an importance matrix first; it is kept beside OUT")
    gather.add_argument("--imatrix-text", metavar="FILE", type=Path, help="the text to gather it over")
    _add_text(gather)
    options_of_loading(parser)


def add_imatrix(parser: ArgumentParser) -> None:
    """Add what `imatrix` understands."""
    parser.add_argument("source", metavar="IN", help="the model: a file (any of its shards), best F16, BF16 or Q8_0")
    parser.add_argument("target", metavar="OUT", type=Path, help="the matrix to make, NAME.gguf")
    parser.add_argument(
        "--text",
        metavar="FILE",
        type=Path,
        required=True,
        help="what the model reads: text like that it will be used on",
    )
    _add_text(parser)
    parser.add_argument("--process-output", action="store_true", help="gather for output.weight too")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT when it is there")
    parser.add_argument(
        "--tool", metavar="PROGRAM", nargs="?", const="llama-imatrix", default="",
        help="let this llama-imatrix do it (default: the one on PATH); a stop then keeps nothing",
    )  # fmt: skip
    options_of_loading(parser)


def options_of_loading(parser: ArgumentParser) -> None:
    """Add how the model is loaded for gathering."""
    parser.add_argument("--force", action="store_true", help="load the model for gathering although it does not fit")
    parser.add_argument(
        "--n-gpu-layers", metavar="N|all|auto", type=options.gpu_layers, default=None,
        help="layers in GPU memory while a matrix is gathered (default: auto)",
    )  # fmt: skip


def _add_text(parser: ArgumentParser | argparse._ArgumentGroup) -> None:
    parser.add_argument(
        "--chunks", metavar="N", type=options.whole(1, 1 << 24), default=0, help="of the text at most (default: all)"
    )
    parser.add_argument(
        "--ctx-size", metavar="N", type=options.whole(32, 1 << 20), default=CTX_SIZE,
        help=f"tokens of a chunk (default: {CTX_SIZE})",
    )  # fmt: skip
