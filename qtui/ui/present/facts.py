"""What a header says, in words: the Details panel."""

from __future__ import annotations

from textual.content import Content

from qtui.core.gguf.facts import Facts
from qtui.core.library.variant import Variant
from qtui.core.text import clean_name, count, size
from qtui.ui.present.detail import mix_parts
from qtui.ui.present.models import role_name
from qtui.ui.present.words import gib, joined, name

LABEL = 15
KEY = 40
MAX_VALUE = 400
MAX_ROWS = 500


def fact_lines(variant: Variant, facts: Facts) -> list[Content]:
    """Return everything that the header tells, as `qtui show` does; lines may be longer than a screen."""
    lines = [*_problems(variant, facts), *_head(variant, facts)]
    if facts.mix:
        lines += [Content(), *_mix(facts)]
    if facts.metadata:
        lines += [Content(), *_metadata(facts)]
    return lines


def _problems(variant: Variant, facts: Facts) -> list[Content]:
    problems = [problem for problem in (variant.problem, *facts.warnings) if problem]
    return [*(name(problem, "$text-warning", MAX_VALUE) for problem in problems), *([Content()] if problems else [])]


def _head(variant: Variant, facts: Facts) -> list[Content]:
    active = f", {count(facts.active_parameters)} active" if facts.active_parameters != facts.parameters else ""
    bits = "?" if facts.bits_per_weight is None else f"{facts.bits_per_weight:.3f}"
    per_token = facts.context_bytes_per_token
    context = "not the same for every token" if per_token is None else f"{size(per_token)} per token at f16"
    imatrix = ", ".join(f"{key} {value}" for key, value in facts.imatrix.items())
    lines = [
        _line("model", f"{facts.model or variant.model} {variant.quant}"),
        _line("architecture", f"{facts.architecture or '?'}, {facts.layers or '?'} layers, {role_name(variant)}"),
        _line("parameters", f"{count(facts.parameters)}{active}, {bits} bits per weight"),
        _line("context", f"trained to {facts.context_length or '?'}, {context}"),
        _line("vocabulary", f"{facts.vocabulary or '?'} tokens"),
        _line("chat template", ", ".join(["yes" if facts.chat_template else "none", *facts.chat_template_names])),
        _line("imatrix", imatrix or "not noted in the file"),
    ]
    if facts.experts:
        used = facts.experts.used or "?"
        lines.append(_line("experts", f"{facts.experts.count}, of which {used} compute a token"))
    if variant.repository:
        lines.append(_line("repository", variant.repository))
    files = variant.shards or (variant.path,)
    lines.append(_line("on disk", f"{size(variant.size)} in {len(files)} of {variant.shard_count} files"))
    names = [path for path in variant.paths if path not in files]
    lines += [_line("file" if index == 0 else "", str(path)) for index, path in enumerate(files)]
    lines += [_line("also as" if index == 0 else "", str(path)) for index, path in enumerate(names[:MAX_ROWS])]
    return lines


def _mix(facts: Facts) -> list[Content]:
    total = sum(row.bytes or 0 for row in facts.mix)
    title = f"{'TYPE':<10} {'TENSORS':>8} {'ELEMENTS':>9} {'GiB':>9} {'SHARE':>6}"
    lines = [joined([Content.styled("mix", "bold"), joined(mix_parts(facts.mix), "  ")], "  "), _muted(title)]
    for row in facts.mix[:MAX_ROWS]:
        share = f"{100 * row.bytes / total:.1f}%" if row.bytes is not None and total else "?"
        kind = clean_name(row.name, 10)
        cells = f" {row.tensors:>8} {count(row.elements):>9} {gib(row.bytes):>9} {share:>6}"
        lines.append(Content(kind.ljust(10) + cells))
    return lines


def _metadata(facts: Facts) -> list[Content]:
    lines = [Content.styled("metadata", "bold")]
    for key, value in list(facts.metadata.items())[:MAX_ROWS]:
        title = clean_name(key, 200)
        lines.append(_muted(f"{title:<{KEY}} ") + name(str(value).replace("\n", " "), limit=MAX_VALUE))
    if len(facts.metadata) > MAX_ROWS:
        lines.append(_muted(f"and {len(facts.metadata) - MAX_ROWS} more: qtui show --json"))
    return lines


def _line(label: str, text: str) -> Content:
    return _muted(f"{label:<{LABEL}}") + name(text, limit=MAX_VALUE)


def _muted(text: str) -> Content:
    return name(text, "$foreground-muted", MAX_VALUE)
