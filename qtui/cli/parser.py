"""The verbs and what each understands. Each verb names the function that does it, which is imported when it runs."""

from __future__ import annotations

import argparse
from argparse import ArgumentParser
from pathlib import Path

from qtui.cli import options
from qtui.cli.app_parser import add_folders, add_json, add_look, app_parser
from qtui.cli.making_parser import add_imatrix, add_quantise
from qtui.cli.measure_parser import add_measure
from qtui.cli.preset_parser import add_preset
from qtui.cli.verb_parser import VerbParser
from qtui.core.advice.wishes import Prefer, Use
from qtui.core.duel.conversation import DUEL_SAMPLING, Sampling
from qtui.core.hub.query import Sort

VARIANT = "a file (any of its shards), REPO/FILE, REPO:QUANT or MODEL:QUANT"
PROMPT = "the prompt; - reads it from standard input"


def build_parser() -> ArgumentParser:
    """Return the parser of the whole command."""
    parser = app_parser()
    verbs = parser.add_subparsers(metavar="VERB", title="verbs", parser_class=VerbParser)
    _library(verbs)
    _hub(verbs)
    _memory(verbs)
    _advice(verbs)
    _answers(verbs)
    _measured(verbs)
    _serve(verbs)
    _making(verbs)
    _machine(verbs)
    _demo(verbs)
    return parser


_Verbs = argparse._SubParsersAction  # argparse gives this type no public name


def _verb(verbs: _Verbs[VerbParser], name: str, run: str, what: str, more: str = "") -> ArgumentParser:
    parser = verbs.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}. {more}".strip(), allow_abbrev=False
    )
    parser.set_defaults(run=f"qtui.cli.{run}", verb=name)
    add_json(parser)
    return parser


def _library(verbs: _Verbs[VerbParser]) -> None:
    ls = _verb(verbs, "ls", "library_verbs:ls", "list the models on this machine")
    ls.add_argument(
        "--hash", action="store_true", help="read every file whose hash is not known, to tell which are copies"
    )
    add_folders(ls)
    show = _verb(
        verbs, "show", "library_verbs:show", "show what a file's header says: metadata, tensor mix, context bytes"
    )
    show.add_argument("variant", metavar="VARIANT", help=VARIANT)
    add_folders(show)
    rm = _verb(
        verbs, "rm", "removal_verb:rm", "show what deleting a variant would take away and free, then delete it",
        "Every name of its bytes in the known places goes; links go as links, and what they lead to outside stays. "
        "Files of a Hugging Face cache are deleted by huggingface_hub; for Ollama's the command is shown.",
    )  # fmt: skip
    rm.add_argument("variant", metavar="VARIANT", help=VARIANT)
    rm.add_argument("--yes", action="store_true", help="delete without asking")
    add_folders(rm)


def _hub(verbs: _Verbs[VerbParser]) -> None:
    search = _verb(verbs, "search", "hub_verbs:search", "look for repositories on the Hub, those with GGUF files")
    search.add_argument("text", metavar="TEXT", nargs="*", help="words of the name")
    search.add_argument("--author", metavar="NAME", default="", help="whose they are")
    search.add_argument("--architecture", metavar="NAME", default="", help="as headers name it: llama, qwen3moe")
    search.add_argument(
        "--parameters", metavar="RANGE", default="", help="7B-14B, 7B-, -14B, or 8B for about that many"
    )
    search.add_argument("--licence", metavar="NAME", default="", help="as the Hub names it: apache-2.0")
    search.add_argument(
        "--sort", choices=[sort.value for sort in Sort], default=Sort.TRENDING.value,
        help="the most or the latest first (default: trending)",
    )  # fmt: skip
    search.add_argument(
        "--limit", metavar="N", type=options.whole(1, 1000), default=20, help="repositories at most (default: 20)"
    )
    search.add_argument("--any", action="store_true", help="those without GGUF files too")
    search.add_argument("--page", metavar="NEXT", default="", help="go on where `next` of an answer says")
    quants = _verb(
        verbs, "quants", "hub_verbs:quants", "list a repository's variants with what each needs, before any download",
        "Of each file only the header is fetched; * marks the largest that fits.",
    )  # fmt: skip
    quants.add_argument("repository", metavar="REPO", help="OWNER/NAME, or the address of its page")
    quants.add_argument("--names", action="store_true", help="by the names of the files alone: no header is read")
    options.add_plan(quants)
    options.add_simulated(quants)
    pull = _verb(
        verbs, "pull", "download_verbs:pull", "download a variant from the Hub, all its shards, and verify it",
        "What came before is kept and verified: the same command goes on after anything.",
    )  # fmt: skip
    pull.add_argument("variant", metavar="VARIANT", help="REPO/FILE (any of its shards) or REPO:QUANT")
    pull.add_argument(
        "--dest", metavar="DIR", type=Path,
        help="put it into DIR/OWNER/NAME/ instead of the folder of the settings, or the Hugging Face cache",
    )  # fmt: skip
    verify = _verb(
        verbs, "verify", "download_verbs:verify", "check size and SHA-256 of a variant that is here",
        "Exit status 1 when a file is not what it should be, or nothing tells what it should be.",
    )  # fmt: skip
    verify.add_argument("variant", metavar="VARIANT", nargs="?", default="", help=VARIANT)
    verify.add_argument("--all", action="store_true", help="check every variant that is here")
    verify.add_argument(
        "--repository", metavar="REPO", default="",
        help="compare with what the Hub lists there, for a file of which nothing here tells what it should be",
    )  # fmt: skip
    add_folders(verify)


def _memory(verbs: _Verbs[VerbParser]) -> None:
    fit = _verb(
        verbs,
        "fit",
        "memory_verbs:fit",
        "tell what a variant needs under a plan, and whether that fits what is free now",
    )
    fit.add_argument("variant", metavar="VARIANT", nargs="?", help=VARIANT)
    fit.add_argument(
        "--history", action="store_const", dest="run", const="qtui.cli.history_verbs:history",
        help="show past runs instead, of all variants when none is given: estimated, actual, difference",
    )  # fmt: skip
    fit.add_argument("more", metavar="VARIANT", nargs="*", help="with --ladder: more of them; a model is all of its")
    search = fit.add_mutually_exclusive_group()
    search.add_argument(
        "--auto", action="store_true",
        help="the best plan that fits: the largest context up to --ctx-size, then GPU layers, experts, cache types",
    )  # fmt: skip
    search.add_argument("--ladder", action="store_true", help="growing contexts with smaller cache types")
    add_folders(fit)
    options.add_plan(fit, runs=False)
    options.add_simulated(fit)
    compare = _verb(
        verbs, "compare", "compare_verbs:compare", "compare variants: size, memory, context, speed and make",
        "Differences are to the first.",
    )  # fmt: skip
    compare.add_argument("variants", metavar="VARIANT", nargs="+", help=VARIANT)
    add_folders(compare)
    options.add_plan(compare, runs=False)
    options.add_simulated(compare)


def _advice(verbs: _Verbs[VerbParser]) -> None:
    advise = _verb(
        verbs, "advise", "advise_verb:advise_verb", "tell which variant to take, and why, before any download",
        "Of a repository on the Hub only headers are fetched. What is not measured here is published for other models, "
        "and says so; nothing is made up.",
    )  # fmt: skip
    advise.add_argument(
        "variants", metavar="REPO|VARIANT", nargs="+",
        help=f"OWNER/NAME on the Hub, a model that is here, {VARIANT}; several are ranked together",
    )  # fmt: skip
    advise.add_argument(
        "--for", dest="use", choices=[use.value for use in Use], default=Use.CHAT.value,
        help="what it is for (default: chat)",
    )  # fmt: skip
    advise.add_argument(
        "--prefer", choices=[each.value for each in Prefer], default=Prefer.QUALITY.value,
        help="what goes first where both cannot be had (default: quality)",
    )  # fmt: skip
    advise.add_argument(
        "--keep-free", metavar="SIZE", type=options.size,
        help="leave so much of RAM and of each GPU to other programs (default: as the settings say)",
    )  # fmt: skip
    advise.add_argument(
        "--frontier", action="store_true", help="what they need against what they lose: a chart, and what is dominated"
    )
    add_folders(advise)
    options.add_plan(advise)
    options.add_simulated(advise)


def _answers(verbs: _Verbs[VerbParser]) -> None:
    ask = _verb(
        verbs, "ask", "answer_verbs:ask", "answer one prompt, streamed",
        "The answer goes to stdout, its measurements to stderr.",
    )  # fmt: skip
    ask.add_argument("variant", metavar="VARIANT", help=VARIANT)
    ask.add_argument("prompt", metavar="PROMPT", help=PROMPT)
    ask.add_argument("--show-thinking", action="store_true", help="write the model's thinking to stderr as it comes")
    _answering(ask, Sampling())
    duel = _verb(
        verbs, "duel", "answer_verbs:duel", "put the same prompt to two variants and compare the answers",
        "Each answer starts from an empty cache; prompts of a file are put one by one, each as a new conversation.",
    )  # fmt: skip
    duel.add_argument("a", metavar="A", help=VARIANT)
    duel.add_argument("b", metavar="B", help=VARIANT)
    duel.add_argument("prompt", metavar="PROMPT", nargs="?", help=PROMPT)
    duel.add_argument(
        "--prompts", metavar="FILE", help="one prompt per line; empty lines are skipped; --json gives rounds"
    )
    duel.add_argument(
        "--mode", choices=("alternating", "together", "in_turn"),
        help="who computes when (default: alternating, or in_turn when both do not fit at once)",
    )  # fmt: skip
    duel.add_argument(
        "--blind", action="store_true",
        help="show the answers without saying which is whose, read a vote for each prompt, tell at the end",
    )  # fmt: skip
    duel.add_argument("--out", metavar="FILE", help="write a report: .html with charts, .md or .json")
    duel.add_argument(
        "--suite", metavar="NAME",
        help="put the tasks of a suite to both and judge the answers: a name, all, or a .toml or .jsonl file",
    )  # fmt: skip
    duel.add_argument(
        "--allow-exec", action="store_true", help="with --suite: run the code that the models write, in a limited child"
    )
    duel.add_argument(
        "--rounds", metavar="N", type=options.whole(1, 1000),
        help="put each prompt N times, in an order drawn anew, and measure; one more round before is discarded",
    )  # fmt: skip
    duel.add_argument("--engine-b", metavar="NAME", help="what runs B (default: what runs A)")
    _answering(duel, DUEL_SAMPLING)
    bench = _verb(
        verbs, "bench", "bench_verbs:bench", "measure prompt and generation rates, alternated over the files",
        "Every sample starts from an empty cache; the first of each is discarded.",
    )  # fmt: skip
    bench.add_argument("variants", metavar="VARIANT", nargs="+", help=VARIANT)
    bench.add_argument("--repeats", metavar="N", type=options.whole(1, 1000), help="samples (default: 5)")
    tokens = options.whole(0, 1 << 20)
    bench.add_argument("--prompt-tokens", metavar="N", type=tokens, help="0: no prompt test (default: 512)")
    bench.add_argument("--generate", metavar="N", type=tokens, help="0: no generation test (default: 128)")
    bench.add_argument("--depth", metavar="N", type=tokens, help="tokens in the context before (default: 0)")
    load = bench.add_argument_group("load", "many requests over HTTP, as other programs ask them; --parallel begins it")
    load.add_argument("--parallel", metavar="N", type=options.whole(1, 256), help="programs that ask at once")
    load.add_argument(
        "--requests", metavar="M", type=options.whole(1, 100_000), help="requests to each file (default: 8 per program)"
    )
    load.add_argument("--max-tokens", metavar="N", type=options.whole(2, 1 << 20), help="of each answer (default: 64)")
    load.add_argument("--prompts", metavar="FILE", help="one prompt per line, asked in turn; empty lines are skipped")
    add_folders(bench)
    options.add_force(bench)
    options.add_plan(bench, skip=("parallel",))


def _serve(verbs: _Verbs[VerbParser]) -> None:
    serve = _verb(
        verbs, "serve", "serve_verb:serve", "put a variant behind an OpenAI-compatible endpoint, until Ctrl-C",
        "The key is that of QTUI_API_KEY or --api-key-file; one is made and printed where there is none.",
    )  # fmt: skip
    serve.add_argument("variant", metavar="VARIANT", help=VARIANT)
    serve.add_argument(
        "--host", metavar="HOST", default="127.0.0.1",
        help="where it listens; other than loopback needs a key of 16 characters (default: 127.0.0.1)",
    )  # fmt: skip
    serve.add_argument(
        "--port", metavar="N", type=options.whole(0, 65535), default=8080, help="0: any that is free (default: 8080)"
    )
    keys = serve.add_mutually_exclusive_group()
    keys.add_argument(
        "--api-key-file", metavar="FILE", type=Path, help="the key is in this file, which only you can read"
    )
    keys.add_argument("--api-key", metavar="KEY", help="the key; others can see it in the list of processes")
    add_folders(serve)
    options.add_force(serve)
    options.add_plan(serve)
    options.add_sampling(serve, Sampling())


def _measured(verbs: _Verbs[VerbParser]) -> None:
    measure = _verb(
        verbs, "measure", "measure_verb:measure",
        "measure perplexity and KL divergence of variants against a reference of the same model",
        "Paired on the same tokens, as llama-perplexity computes them. Ctrl-C keeps what is done: the same command "
        "goes on from there.",
    )  # fmt: skip
    measure.add_argument("variants", metavar="VARIANT", nargs="*", help=VARIANT)
    add_measure(measure)
    add_folders(measure)
    options.add_force(measure)
    options.add_plan(measure, skip=("ctx-size", "parallel", "batch-size"))


def _answering(parser: ArgumentParser, default: Sampling) -> None:
    parser.add_argument("--raw", action="store_true", help="continue the text, without the chat template")
    add_folders(parser)
    options.add_force(parser)
    options.add_plan(parser)
    options.add_sampling(parser, default)


def _making(verbs: _Verbs[VerbParser]) -> None:
    quantise = _verb(
        verbs, "quantize", "making_verbs:quantize", "make a quant of a model, its exact size told before",
        "With IN alone: what each type would be. OUT appears when it is whole; Ctrl-C leaves nothing of it.",
    )  # fmt: skip
    add_quantise(quantise)
    add_folders(quantise)
    imatrix = _verb(
        verbs, "imatrix", "making_verbs:imatrix", "gather an importance matrix, which quants below 4 bits gain from",
        "Ctrl-C keeps what was gathered; the same command goes on from there.",
    )  # fmt: skip
    add_imatrix(imatrix)
    add_folders(imatrix)


def _machine(verbs: _Verbs[VerbParser]) -> None:
    monitor = _verb(
        verbs, "monitor", "monitor_verbs:monitor", "show memory and sessions, anew every second until Ctrl-C",
        "The sessions are those of every qtui of this user on this machine.",
    )  # fmt: skip
    monitor.add_argument("--once", action="store_true", help="print one sample and leave")
    monitor.add_argument(
        "--csv", metavar="FILE", type=Path, help="write a row for each sample to this file; needs no terminal"
    )
    stop = _verb(
        verbs, "stop", "monitor_verbs:stop", "end a session, of this or any other qtui",
        "The qtui that it belongs to goes on, and says that its engine was ended.",
    )  # fmt: skip
    stop.add_argument(
        "session", metavar="SESSION", help="its id as qtui monitor shows it, the beginning of it, or its process id"
    )
    history = _verb(
        verbs, "history", "kept_verbs:history", "show what was asked, answered, voted and measured",
        "How much is kept is the setting history.keep.",
    )  # fmt: skip
    history.add_argument("search", metavar="TEXT", nargs="?", default="", help="words of prompt, answers or names")
    history.add_argument(
        "--limit", metavar="N", type=options.whole(1, 10_000), default=30, help="of each kind (default: 30)"
    )
    history.add_argument("--standings", action="store_true", help="how each two variants stand, over all votes")
    history.add_argument("--export", metavar="FILE", help="write all of it, or what is found: .html, .md or .json")
    history.add_argument("--delete", metavar="ID", action="append", help="delete one, whatever it is (repeatable)")
    history.add_argument("--delete-all", action="store_true", help="delete all of it; needs --yes")
    history.add_argument("--yes", action="store_true", help="do not ask")
    preset = _verb(
        verbs, "preset", "preset_verbs:preset", "list, show, save, delete, import and export presets of plan options",
        "import takes llama-server's presets.ini and keeps what it does not know; export writes only keys that the "
        "llama-server knows, since one other makes it refuse the whole file.",
    )  # fmt: skip
    add_preset(preset)
    add_folders(preset)
    _verb(
        verbs, "doctor", "machine_verbs:doctor", "check llama.cpp, its devices, limits, caches and access to the Hub",
        "Nothing is sent anywhere.",
    )  # fmt: skip


def _demo(verbs: _Verbs[VerbParser]) -> None:
    demo = _verb(
        verbs, "demo", "demo_verbs:demo", "open the Arena on two quants of the embedded demo model",
        "The quants are made on first use, in the cache folder.",
    )  # fmt: skip
    demo.add_argument("--headless", action="store_true", help="answer one prompt on both and print the comparison")
    add_look(demo)
    demo.add_argument("--clean", action="store_true", help="remove the quants that were made")
