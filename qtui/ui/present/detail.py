"""The strip under the table: what the variant under the cursor needs, part by part, and what to make of it."""

from __future__ import annotations

from textual.content import Content

from qtui.core.library.variant import Variant
from qtui.core.memory.footprint import Footprint
from qtui.core.memory.guard import Weighing
from qtui.core.memory.verdict import Headroom
from qtui.core.origin import Origin
from qtui.core.text import clean_name
from qtui.ui.present.models import ROLE_NAMES, verdict_word
from qtui.ui.present.words import gib, joined, name

KINDS = (("weights", "$primary"), ("context", "$success"), ("compute", "$warning"), ("extra", "$foreground-muted"))
ORIGINS = {Origin.DRY_RUN: "dry run", Origin.COMPUTED: "computed", Origin.MEASURED: "measured"}


def detail_lines(variant: Variant | None, weighing: Weighing | None, width: int) -> list[Content]:
    """Return four lines for one variant: head, bar, verdict, facts."""
    if variant is None:
        return []
    head = Content.assemble((clean_name(variant.quant), "bold"), " of ") + name(variant.model, "bold")
    if not variant.loadable:
        role = ROLE_NAMES.get(variant.role, "")
        why = variant.problem or ("incomplete" if not variant.complete else f"{role}: it is not loaded by itself")
        return [head, name(why, "$text-error" if variant.problem else "$foreground-muted"), Content(), facts(variant)]
    if weighing is None:
        asking = Content.styled("asking llama.cpp how much memory it takes…", "$foreground-muted")
        return [head, asking, Content(), facts(variant)]
    if weighing.footprint is None:
        error = weighing.error
        message = name(error.message if error else weighing.verdict.reason, "$text-error")
        return [head, message, name(error.hint if error else "", "$foreground-muted"), facts(variant)]
    footprint = weighing.footprint
    origin = ORIGINS.get(footprint.origin, footprint.origin.value)
    head = joined([head, origin, *pool_parts(footprint, weighing.headroom)])
    word = verdict_word(weighing.verdict)
    return [head, footprint_bar(footprint, width), joined([word, name(_reason(weighing))], ": "), facts(variant)]


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


def facts(variant: Variant) -> Content:
    """Return what the header says, and where the file lies."""
    parts: list[Content | str] = []
    if variant.context_length:
        parts.append(f"trained to {variant.context_length}")
    if variant.layers:
        parts.append(f"{variant.layers} layers")
    if variant.shard_count > 1:
        parts.append(f"{variant.shard_count} shards")
    parts.append(name(str(variant.path), limit=400))
    return joined(parts).stylize("$foreground-muted")


def _reason(weighing: Weighing) -> str:
    return weighing.verdict.reason.replace("vram", "GPU").replace(" ram", " RAM")
