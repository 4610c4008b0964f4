"""`docs/cli.md`, made from the parser, so that it cannot say what the command does not do.

`python -m qtui.cli.docs` prints it.
"""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser
from collections.abc import Iterator

from qtui.cli.parser import build_parser

INTRODUCTION = """\
<!-- Made by `python -m qtui.cli.docs > docs/cli.md`; a test compares it with the command. -->
# The `qtui` command

`qtui` alone opens the app. Every verb takes `--json`: one JSON object on stdout with `"schema": 1` and nothing else
there; progress and errors go to stderr. Exit status: 0 done, 1 failed, 2 bad usage, 130 interrupted. With `--json` a
failure puts `"error": {"message", "hint", "kind"}` into the object, beside what was done until then.

A *variant* is named by a path (any of its shards), by `REPO/FILE`, by `REPO:QUANT`, or by `MODEL:QUANT` as `qtui ls`
shows both; an existing path wins, then what is here of a repository. `show`, `fit`, `compare` and `advise` take what is
on the Hub too: they fetch its header. Options may stand anywhere after the verb; behind `--` all are arguments.
`SIZE` takes `12GiB`, `12G` (= GiB), `12GB` (10^9). In JSON all sizes are whole numbers of bytes, rates tokens per
second, times seconds; what is not known is `null`, never zero.
"""
JSON = {
    "ls": '`{"variants": [{"path", "paths", "shards", "model", "quant", "architecture", "role", "parameters", "size", '
    '"bits_per_weight", "context_length", "source", "owner", "repository", "aliases", "complete", "problem", "sha256", '
    '"duplicate_of", "possible_duplicate_of", "reclaimable"}], "problems"}`. Names of one inode are one row with '
    "`paths`; a copy is a row of its own with `duplicate_of`, the path of the one to keep: that in the folder of a "
    "program, else the oldest. `possible_duplicate_of`: size and header are equal, and a hash is not known. "
    "`reclaimable` is what deleting a copy would free. `aliases` are what the owner calls it (Ollama). `problems`: "
    "places that could not be looked at.",
    "show": '`{"file", "architecture", "model", "quant", "parameters", "active_parameters", "bits_per_weight", '
    '"context_length", "layers", "experts", "tensor_types": {TYPE: {"tensors", "bytes", "elements"}}, "imatrix", '
    '"chat_template", "context_bytes_per_token", "metadata", "warnings"}`',
    "rm": '`{"file", "model", "quant", "owner", "deletes": [{"path", "by": "unlink|huggingface_hub"}], '
    '"keeps": [{"path", "reason"}], "frees", "commands": [[..]], "removed"}`; without `--yes` nothing is deleted and '
    "`removed` is false.",
    "search": '`{"query", "sort", "repositories": [{"repo", "access": "open|gated|gated, yours|private|disabled", '
    '"licence", "architecture", "parameters", "context_length", "downloads", "likes", "updated", "created", '
    '"base_models", "gguf"}], "next"}`; `next` goes into `--page`; null: there is no more.',
    "quants": '`{"repo", "commit", "access", "variants": [{"file", "shards", "model", "quant", "role", "architecture", '
    '"parameters", "bits_per_weight", "context_length", "size", "sha256", "date", "scan", "projector", '
    '"status": "remote|partial|here", "newer", "here", "problem", "flags", "footprint": {"total", "pools", "verdict", '
    '"pool", "short_by", "origin", "reason"}}], "others", "suggested", "notes", "simulated"}`; `others` are '
    "projectors, importance matrices and the like, in the same shape; `suggested` is the `file` of the largest that "
    'fits; where nothing fits, `nearest` is `{"file", "ctx_size"}` that would. A repository without GGUF files has '
    '`kind`: `{"format", "why", "command", "advice"}`, and `alternatives` in the shape of `repositories` of `search`.',
    "pull": '`{"repo", "commit", "state": "done|paused|failed", "files": [{"file", "size", "sha256", "path"}], "size", '
    '"done", "kept", "received", "elapsed"}`; `kept` bytes were here before, `received` came from the server now; a '
    "`path` is null while its file is not complete; `error` only when it was interrupted or failed.",
    "verify": '`{"ok", "files": [{"path", "outcome": "ok|wrong_size|damaged|unknown|unreadable", "size", "sha256", '
    '"expected_size", "expected_sha256", "source": "manifest|cache|hub", "problem"}]}`; a `sha256` of null: it was '
    "not read, because the size is wrong already. With `--all` what nobody can tell of is no failure.",
    "fit": '`{"file", "engine", "plan", "origin", "devices": [{"name", "weights", "context", "compute", "origin"}], '
    '"extra": [{"item", "pool", "bytes", "origin", "band"}], "pools": {"ram_anonymous", "ram_file_backed", "vram"}, '
    '"total", "peak", "reclaimable", "locked", "formula", "headroom", "margin", "simulated", "verdict", "pool", '
    '"short_by", "reason", "warnings": [{"id", "message", "hint", "options"}]}`. '
    "`devices[]` are llama.cpp's own buffer types; `extra[]` is what its accounting leaves out; "
    "the sum of `pools` is `total`. Where the verdict is `partial`, `fitting` is the plan that fits. "
    '`speed` is `{"generation_rate", "origin": "measured|computed|unknown", "depth", "bytes_per_token", "note"}`. With '
    "`--auto` the same of the best plan that fits, "
    'and `"proposed": bool, "reasons": [{"option", "value", "reason"}]`; `proposed` is false where none fits. With '
    '`--ladder` `{"contexts", "headroom", "margin", "simulated", "variants": [{"file", "model", "quant", "size", '
    '"context_length", "cells": [{"ctx_size", "cache_type_k", "cache_type_v", "total", "pools", "origin", "verdict", '
    '"pool", "short_by", "reason"}]}]}`. With `--history` '
    '`{"runs": [{"time", "file", "model", "quant", "size", "engine", "build", "plan", "estimate": {"pools", '
    '"reclaimable", "origin"}, "actual": {"anonymous", "model_pages", "other_files", "swapped", "locked", "vram", '
    '"cards", "full_prompt"}, "allocated", "full_prompt", "differences": [{"pool", "estimate", "actual", "percent"}], '
    '"load_time", "answers", "time_to_first_token", "prompt_rate", "generation_rate"}], "unaccounted": {CARD: '
    '{"median", "runs"}}}`: what was expected to be resident, what was, and what the driver reported beyond '
    "llama.cpp's own buffers.",
    "advise": '`{"asked", "wishes": {"for", "prefer", "ctx_size", "keep_free"}, "ctx_size", "best", "verdict", '
    '"ranking": [{"file", "model", "quant", "size", "bits_per_weight", "total", "origin", "verdict", "pool", '
    '"short_by", "largest_context", "quality": {"kl_divergence", "stderr", "same_top_token", '
    '"origin": "measured|published|unknown", "band", "measured_on", "source": {"id", "title", "url", "licence", '
    '"date"}, "note"}, "band", "beside", "speed", "reason", "rules": [{"name", "effect", "sentence", "source"}]}], '
    '"left", "frontier": [{"file", "quant", "total", "quality", "speed", "verdict", "dominated_by", "reason"}], '
    '"simulated"}`; `best` is the `file` to take, null: none of these; `band` is that of the quality with what the '
    "rules say; `beside` names the quant beside which one of unknown quality stands by its bits per weight; `left` "
    "is what does not fit or does not load.",
    "compare": '`{"variants": [{"file", "model", "quant", "size", "bits_per_weight", "plan", "total", "pools", '
    '"origin", "verdict", "pool", "short_by", "reason", "largest_context", "context_length", "generation_rate", '
    '"quality": {"value", "reason"}, "votes": {"value", "reason"}, "tensor_types": {TYPE: share}, "imatrix", "date", '
    '"difference": {MEASURE: {"absolute", "percent"}}, "warnings"}], "simulated"}`; a share is of the bytes, from 0 to '
    "1; the measures are `size`, `bits_per_weight`, `total`, each pool where there are GPUs, `largest_context`, "
    "`generation_rate`; a difference is to the first variant; a `largest_context` of 0: none fits.",
    "ask": "the keys of one of the `sides[]` of `duel`, and `prompt`.",
    "duel": '`{"prompt", "mode", "sides": [{"side", "file", "quant", "text", "thinking", "finish_reason", '
    '"prompt_tokens", "generated_tokens", "load_time", "time_to_first_token", "prompt_rate", "generation_rate", '
    '"peak_rss", "estimated_total", "actual_total", "differences": [{"pool", "estimate", "actual", "percent"}], '
    '"full_prompt", "degeneration", "seed", "plan", "warnings", "error"}], '
    '"difference": {"identical", "first_differing_word", "first_differing_token": {"place", "a", "b"}, '
    '"words_shared"}}`; with `--prompts` '
    '`{"rounds": [...]}` of these, with `--rounds` also `"measured": {"rounds", "sides": [{"side", "file", "quant", '
    '"time_to_first_token": {"median", "mean", "stdev", "samples", "outliers"}, "prompt_rate", "generation_rate", '
    '"peak_rss"}], "ratio": {"median", "interval", "sentence"}, "method", "outliers"}`. `degeneration` is `{"signs", '
    '"loop": {"unit", "words", "repeats", "to_the_end"}, "variety", "script", "sentence"}`. With `--blind` a '
    "round has `vote` (`a`, `b`, `tie`, `both_bad`, `identical` or null), and beside the rounds is "
    '`"ballot": {"a", "b", "ties", "both_bad", "identical", "p", "share_of_a", "interval", "shown", "sentence"}`. With '
    '`--suite` `{"suite": {"name", "title", "tasks", "digest", "problems"}, "results": [{"task", "group", "side", '
    '"right", "reason", "answer"}], "score": {"groups": [{"group", "tasks", "not_judged", "scores", "both", "only_a", '
    '"only_b", "neither", "p", "level", "interval", "shown", "sentence"}], "total", "note"}, "stopped"}`; '
    "`right` is null where it could not be judged, `interval` is of the shares from 0 to 1, A less B. A side has "
    "`error` only when it failed; `words_shared` is from 0 to 1.",
    "measure": '`{"reference", "reference_is": "variant|stored logits", "reference_scores", "text": {"name", "sha256", '
    '"tokens"}, "n_ctx", "chunks", "results": [{"id", "file", "model", "quant", "size", "share_of_reference", "hash", '
    '"bits_per_weight", "chunks", "complete", "tokens", "perplexity": {"value", "stderr"}, "reference_perplexity", '
    '"log_ratio", "kl_divergence": {"mean", "stderr", "median", "p99", "p999", "max"}, "same_top_token": {"value", '
    '"stderr"}, "rms_probability_change", "band", "rate", "peak_rss", "engine", "build"}], "complete", "notes"}`; '
    'shares are from 0 to 1, `tokens` of a result are those that were scored; one that failed has `"error"` '
    'instead. With `--clean` `{"freed"}`.',
    "bench": '`{"results": [{"file", "test": "pp512|tg128", "depth", "rate": {"mean", "stdev", "samples"}}], '
    '"method", "plans"}`; a result has `error` only when it failed. With `--parallel` `{"results": [{"parallel", '
    '"file", "test": "load", "requests", "answered", "errors": [{"message", "count"}], "time_to_first_token": {"p50", '
    '"p95", "samples"}, "generation_rate": {…}, "generated_tokens", "elapsed", "throughput"}], "method", "plans"}`; '
    "the `p95` of seconds is what 95 of 100 answers take at most, that of rates what they have at least.",
    "serve": '`{"endpoint", "model", "file", "key", "engine", "plan", "session", "pid", "curl"}`, as soon as it '
    "answers; `key` is null where it is yours. What happens later goes to stderr.",
    "quantize": '`{"file", "files", "source", "target", "type", "recipe", "predicted_size", "size", "bits_per_weight", '
    '"free", "tensor_types": {TYPE: {"tensors", "bytes"}}, "fallbacks": [{"wanted", "made", "tensors"}], "imatrix": '
    '{"entries", "used", "lacking", "unknown", "experts", "experts_seen", "datasets", "chunks"}, "needs_imatrix", '
    '"requantised_from", "remarks", "refused", "gathered", "elapsed", "measured"}`; `imatrix` is how the matrix meets '
    "the model, null without one; `measured`, with `--measure`, is one of `results` of `measure`. With `--dry-run` "
    "nothing is made, and `refused` says what stands against it; with IN alone it is "
    '`{"source", "types": [..]}`, the same for each type.',
    "imatrix": '`{"file", "source", "text": {"name", "tokens"}, "chunks", "resumed", "tokens", "entries", "experts": '
    '{"total", "seen", "scarce"}, "elapsed"}`; `resumed` chunks were gathered by an interrupted run.',
    "monitor": 'with `--once` `{"time", "ram": {"total", "available", "cgroup_limit", "cgroup_used", "anonymous", '
    '"file_cache", "locked"}, "swap": {"total", "used", "in", "out"}, "major_faults", "refaults", "cpu_percent", '
    '"pressure": {"memory": {"some", "full"}, "io"}, "cgroup_events": {"high", "limit", "oom_kills"}, "oom_kills", '
    '"gpus", "sessions": [{"id", "pid", "parent_pid", "title", "file", "engine", '
    '"state": "loading|ready|answering", "since", "progress", "rate", "context_used", "context_size", "plan", '
    '"endpoint", "memory", "estimated_total", "reclaimable", "full_prompt", "measured_total"}], "foreign": [{"pid", '
    '"name", "resident", "vram", "file"}], "alarms": [{"kind": "oom_kill|faults|spill|swap|headroom|throttling", '
    '"subject", "since", "message", "advice", "remedy": {"session", "change", "plan"}}], "problems"}`. Rates are per '
    "second and unknown in a first sample; pressures are percent of the last 10 s. `alarms` are what holds at that "
    "moment, however short. `--csv` has a row for each second, with unknown values empty.",
    "history": '`{"place", "rounds": [{"id", "time", "prompt", "mode", "sampling", "system", "engine", "build", '
    '"blind", "vote", "sides": [{"side", "file", "model", "quant", "size", "hash", "plan", "text", "thinking", '
    '"finish_reason", "remark", "prompt_tokens", "generated_tokens", "load_time", "time_to_first_token", '
    '"prompt_rate", "generation_rate", "peak_rss", "failure"}]}], "suites": [{"id", "time", "suite", "digest", '
    '"tasks", "sampling", "engine", "build", "complete", "sides", "results", "score"}], "standings": [{"a", "b", '
    '"rounds", "time", "ballot"}], "measurements": [..]}`, these as the results of `measure` with `reference`, `text` '
    'and `time`; with `--delete` `{"deleted"}`. A text that is not kept is null; `hash` begins '
    "with `sha256:`, or with `partial:` where only size and ends of a large file were read.",
    "preset": '`{"presets": [{"name", "about", "match", "built_in", "options", "server"}], "problems"}`, one of them '
    'with show and save. import: `{"file", "presets", "notes"}`, export: `{"file", "sections": [{"name", '
    '"keys"}], "notes"}`; `server` are keys of a presets.ini that no option says, `notes` what is not used and why.',
    "stop": '`{"stopped"}`, the session as `monitor` tells of it.',
    "doctor": '`{"qtui", "llama_cpp", "cpu", "engines", "gpus", "limits", "caches", "hub", "log", '
    '"settings", "problems"}`',
    "demo": 'with `--headless` as `duel`; with `--clean` `{"removed"}`.',
}


def cli_page() -> str:
    """Return the page as Markdown."""
    parser = build_parser()
    parts = [INTRODUCTION, *_options(parser)]
    for name, verb in _verbs(parser).items():
        parts += [f"\n## `qtui {name}`\n", f"{verb.description}\n", f"    {_usage(name, verb)}\n", *_options(verb)]
        if name in JSON:
            parts.append(f"\n`--json`: {JSON[name]}\n")
    return "\n".join(parts).replace("\n\n\n", "\n\n")


def _verbs(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the parser has no verbs")


def _usage(name: str, verb: ArgumentParser) -> str:
    words = [f"qtui {name}"]
    for action in verb._actions:
        if not action.option_strings:
            word = str(action.metavar)
            words.append({"?": f"[{word}]", "+": f"{word}…", "*": f"[{word}…]"}.get(str(action.nargs), word))
    return " ".join([*words, "[options]"])


def _options(parser: ArgumentParser) -> Iterator[str]:
    for group in parser._action_groups:
        actions = [
            action for action in group._group_actions
            if not isinstance(action, argparse._HelpAction | argparse._VersionAction | argparse._SubParsersAction)
        ]  # fmt: skip
        if not actions:
            continue
        if group.description:
            yield f"{str(group.title).capitalize()}: {group.description}.\n"
        yield "| | |\n|---|---|"
        for action in actions:
            yield f"| `{_cell(_name(action))}` | {_cell(action.help or '')} |"
        yield ""


def _name(action: argparse.Action) -> str:
    if not action.option_strings:
        return str(action.metavar)
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
    takes = action.nargs != 0
    return f"{action.option_strings[-1]} {value}".strip() if takes else action.option_strings[-1]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(cli_page())
