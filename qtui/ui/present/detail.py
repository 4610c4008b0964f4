"""The strip under the table: what the variant under the cursor needs, part by part, and what to make of it."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from qtui.core.advice.loss import Loss
from qtui.core.forecast import BUSY
from qtui.core.gguf.facts import Facts, MixRow
from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.guard import Weighing
from qtui.core.memory.speed import Speed
from qtui.core.memory.suggestion import Suggestion
from qtui.core.memory.verdict import Headroom
from qtui.core.origin import Origin
from qtui.core.text import clean_name
from qtui.ui.present.models import ROLE_NAMES, verdict_word
from qtui.ui.present.words import between, gib, joined, name

KINDS = (("weights", "$primary"), ("context", "$success"), ("compute", "$warning"), ("extra", "$foreground-muted"))
MIX_SHOWN = 4
ORIGINS = {Origin.DRY_RUN: "dry run", Origin.COMPUTED: "computed", Origin.MEASURED: "measured"}


def detail_lines(
    variant: Variant | None,
    weighing: Weighing | None,
    width: int,
    *,
    facts: Facts | None = None,
    suggestion: Suggestion | None = None,
    kept: Content | None = None,
    copy: Variant | None = None,
    loss: Loss | None = None,
    speed: Speed | None = None,
) -> list[Content]:
    """Return five lines for one variant: head, bar, verdict or what to do about it, mix, file.

    `kept` stands for the verdict of one that is loaded under another plan; `copy` is the variant with what it is, or
    may be, a copy of.
    """
    if variant is None:
        return []
    head = Content.assemble((clean_name(variant.quant), "bold"), " of ") + name(variant.model, "bold")
    foot = [mix_line(variant, facts, loss, speed), file_line(variant, copy)]
    if not variant.loadable:
        role = ROLE_NAMES.get(variant.role, "")
        why = variant.problem or ("incomplete" if not variant.complete else f"{role}: it is not loaded by itself")
        return [head, name(why, "$text-error" if variant.problem else "$foreground-muted"), Content(), *foot]
    if weighing is None or (weighing.footprint is None and weighing.error is None):
        asking = Content.styled("asking llama.cpp how much memory it takes…", "$foreground-muted")
        return [head, asking, Content(), *foot]
    if weighing.footprint is None:
        error = weighing.error
        message = name(error.message if error else weighing.verdict.reason, "$text-error")
        return [head, message, name(error.hint if error else "", "$foreground-muted"), *foot]
    footprint = weighing.footprint
    origin = ORIGINS.get(footprint.origin, footprint.origin.value)
    head = joined([head, origin, *pool_parts(footprint, weighing.headroom)])
    verdict = kept or verdict_line(weighing, suggestion, width)
    return [head, footprint_bar(footprint, width), verdict, *foot]


def verdict_line(weighing: Weighing, suggestion: Suggestion | None, width: int) -> Content:
    """Return the verdict with its reason; with a suggestion, that stands at the end."""
    verdict = joined([verdict_word(weighing.verdict), name(_reason(weighing))], ": ")
    if suggestion is None:
        return verdict
    return between(verdict, suggested(suggestion), width)


def suggested(suggestion: Suggestion) -> Content:
    """Return a suggestion in words, with the key that takes it."""
    if suggestion.variant is not None:
        text = Content("fits: ") + name(suggestion.variant.quant, "bold", 40)
    else:
        text = Content(f"fits with {suggestion.words}")
    footprint = suggestion.weighing.footprint
    if footprint is not None:
        text += f", {footprint.origin.sign}{gib(footprint.total)} GiB"
    return text + Content.assemble("  ", ("t", "bold $text-accent"), " take it")


def pool_parts(footprint: Footprint, room: Headroom) -> list[str]:
    """Return `RAM needs 9.54, free 12.30, keep free 1.18 GiB` for each pool that it uses."""
    parts: list[str] = []
    if footprint.pools.ram:
        keep = gib(room.margin_ram)
        parts.append(f"RAM needs {gib(footprint.pools.ram)}, free {gib(room.free_ram)}, keep free {keep} GiB")
    for index, need in enumerate(footprint.pools.vram):
        if need:
            free = room.free_vram[index] if index < len(room.free_vram) else None
            margin = room.margin_vram[index] if index < len(room.margin_vram) else None
            parts.append(f"GPU{index} needs {gib(need)}, free {gib(free)}, keep free {gib(margin)} GiB")
    if room.simulated:
        parts.append("simulated")
    return parts


def footprint_bar(footprint: Footprint, width: int) -> Content:
    """Return each kind with its GiB and its share of the bar."""
    amounts = [(kind, footprint.kind_bytes(kind), style) for kind, style in KINDS]
    amounts = [(kind, size, style) for kind, size, style in amounts if size]
    total = sum(size for _, size, _ in amounts)
    labels = [f"{kind} {gib(size)} " for kind, size, _ in amounts]
    room = width - sum(len(label) + 1 for label in labels)
    parts: list[Content] = []
    for label, (_, size, style) in zip(labels, amounts, strict=True):
        cells = max(1, round(room * size / total)) if room >= len(amounts) * 2 and total else 0
        cells = min(cells, max(1, room - (len(amounts) - 1))) if cells else 0
        parts.append(Content.assemble(label, ("█" * cells, style)))
    return Content(" ").join(parts).truncate(width)


def mix_line(variant: Variant, facts: Facts | None, loss: Loss | None = None, speed: Speed | None = None) -> Content:
    """Return what the file is made of, and what it was made for, as far as its header was read."""
    parts: list[Content | str] = []
    if speed is not None and speed.rate is not None and speed.note == BUSY:
        parts.append("t/s as measured beside other programs: faster without them")
    if loss is not None and loss.kl_divergence is not None and loss.band is not None:
        measured = "" if loss.origin is Origin.MEASURED else " (another model's)"
        parts.append(f"KLD {loss.cell}: {loss.band.value}{measured}")
    if facts is not None and facts.mix:
        parts.append(Content("mix ") + Content("  ").join(mix_parts(facts.mix)))
    if facts is not None and facts.experts is not None:
        parts.append(f"{facts.experts.count} experts, {facts.experts.used or '?'} used")
    if facts is not None:
        parts.append("imatrix noted" if facts.imatrix else "imatrix unknown")
    if variant.context_length:
        parts.append(f"trained to {variant.context_length}")
    if variant.layers:
        parts.append(f"{variant.layers} layers")
    if variant.shard_count > 1:
        parts.append(f"{variant.shard_count} shards")
    return joined(parts).stylize("$foreground-muted")


def mix_parts(mix: Sequence[MixRow]) -> list[Content]:
    """Return the types of the tensors with their share of the bytes, the smallest ones together."""
    total = sum(row.bytes or 0 for row in mix)
    shares = [(row.name, 100 * (row.bytes or 0) / total if total else None) for row in mix]
    parts = [name(f"{title} {_percent(share)}", limit=24) for title, share in shares[:MIX_SHOWN]]
    if len(shares) > MIX_SHOWN:
        parts.append(Content(f"+{len(shares) - MIX_SHOWN}"))
    return parts


def file_line(variant: Variant, copy: Variant | None = None) -> Content:
    """Return where the file lies, or what its address on the Hub is; of a copy first what it is one of."""
    file = name(variant.file, "$foreground-muted", 400)
    if copy is None:
        return file
    original = copy.duplicate_of or copy.possible_duplicate_of
    sure = (
        f"a copy: deleting it frees {gib(copy.reclaimable)} GiB; kept is" if copy.duplicate_of else "perhaps a copy of"
    )
    return Content.assemble((f"{sure} ", "$text-warning"), name(str(original), "$foreground-muted", 400), "  ") + file


def _percent(share: float | None) -> str:
    if share is None:
        return "?"
    return "<1 %" if 0 < share < 0.5 else f"{share:.0f} %"


def _reason(weighing: Weighing) -> str:
    return weighing.verdict.reason.replace("vram", "GPU").replace(" ram", " RAM")
