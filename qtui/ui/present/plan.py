"""The plan in words: the line of every place, and the Plan panel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from textual.content import Content

from qtui.core.library.variant import Variant
from qtui.core.memory.changes import spare
from qtui.core.memory.command import server_command
from qtui.core.memory.guard import Weighing
from qtui.core.memory.options import changed_options
from qtui.core.memory.plan import ALL_LAYERS, AUTO, DEFAULT_CTX_SIZE, LoadPlan
from qtui.core.memory.plan_fields import changed_fields
from qtui.core.memory.plan_texts import cache_text
from qtui.core.memory.speed import Speed
from qtui.core.memory.verdict import Fit
from qtui.core.presets import Preset
from qtui.core.text import clean_name, rate
from qtui.ui.present.models import verdict_word
from qtui.ui.present.words import gib, joined, name


def plan_line(plan: LoadPlan) -> Content:
    """Return the current plan in short."""
    layers = {ALL_LAYERS: "all", AUTO: "auto"}.get(plan.n_gpu_layers, str(plan.n_gpu_layers))
    context = str(plan.ctx_size) if plan.ctx_size else f"up to {DEFAULT_CTX_SIZE}"
    facts = [
        f"ctx {context}", f"KV {cache_text(plan).upper()}", f"GPU layers {layers}", f"load {plan.load_mode.value}",
    ]  # fmt: skip
    shown = {"ctx_size", "cache_type_k", "cache_type_v", "n_gpu_layers", "load_mode"}
    rest = len(set(changed_options(plan)) - shown)
    if rest:
        facts.append(f"+{rest}")
    if plan.preset:
        facts.append(f"({clean_name(plan.preset, 30)})")
    return Content.assemble(("plan: ", "$foreground-muted"), "  ".join(facts))


def base_name(base: str, changes: int) -> str:
    """Return what a plan is made of: `default, 2 changed`."""
    title = clean_name(base, 30) or "default"
    return f"{title}, {changes} changed" if changes else title


def outcome(
    variant: Variant | None, weighing: Weighing | None, own_preset: Preset | None = None, pace: Speed | None = None
) -> Content:
    """Return what the variant needs under the plan, the verdict, what is left in the worst pool, how fast it is."""
    if variant is None:
        return _muted("no variant under the cursor: the plan is for whatever is loaded next")
    title = name(variant.title, "bold", 60)
    if own_preset is not None:
        title += Content.styled(f", its own preset {clean_name(own_preset.name, 30)} over the plan", "$text-accent")
    if weighing is None or (weighing.footprint is None and weighing.error is None):
        return title + _muted(": asking llama.cpp…" if variant.loadable else ": cannot be loaded")
    if weighing.footprint is None:
        return title + ": " + name(weighing.error.message if weighing.error else "", "$text-error", 400)
    footprint, left = weighing.footprint, spare(weighing)
    needs = f"needs {footprint.origin.sign}{gib(footprint.total)} GiB"
    parts: list[Content | str] = [needs, verdict_word(weighing.verdict)]
    if left is not None and left[1] >= 0:
        parts.append(f"{gib(left[1])} to spare in {left[0]}")
    elif weighing.verdict.fit is not Fit.FITS:
        parts.append(name(weighing.verdict.reason, limit=200))
    if pace is not None and pace.rate is not None:
        parts.append(f"{pace.origin.sign}{rate(pace.rate)} t/s")
    return title + ": " + joined(parts, ", ")


def kept_text(start: str, kept: LoadPlan, now: LoadPlan) -> Content:
    """Return where a session's plan differs from the current one, empty where it does not."""
    changes = [f"{field.label} {clean_name(field.write(kept), 60)}" for field in changed_fields(kept, now)]
    return Content.styled(f"{start} {', '.join(changes)}", "$text-warning") if changes else Content()


def command_for(plan: LoadPlan, variant: Variant, weighing: Weighing | None) -> str:
    """Return the llama-server command for a variant; a context that is left open is known once it was weighed."""
    known = plan if weighing is None else replace(plan, ctx_size=weighing.plan.ctx_size)
    return server_command(known, variant.path)


def preset_help(names: Iterable[Preset], chosen: str) -> str:
    """Return what the chosen preset is for, or which there are."""
    known = {preset.name: preset for preset in names}
    if chosen in known and known[chosen].about:
        return f"{chosen}: {known[chosen].about}"
    return f"presets set several fields at once: {', '.join(known) or 'none yet'}"


def _muted(text: str) -> Content:
    return name(text, "$foreground-muted", 400)
