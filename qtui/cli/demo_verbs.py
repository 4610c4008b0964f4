"""`demo`: the main job on the embedded model."""

from __future__ import annotations

from qtui.cli import app_verbs
from qtui.cli.rounds import finish, new_duel, run_round, show_round
from qtui.cli.running import Context
from qtui.core.demo import DEMO_PROMPT, DEMO_SIDES
from qtui.core.duel.conversation import DUEL_SAMPLING
from qtui.core.duel.report import duel_report
from qtui.core.errors import UsageError
from qtui.core.library.variant import Variant
from qtui.core.memory.plan import LoadPlan


async def demo(context: Context) -> int:
    """Make the demo's quants and open the Arena on two of them, answer headless, or remove them."""
    options, console = context.options, context.console
    if options.clean:
        removed = context.services.demo.clean()
        console.json({"removed": [str(path) for path in removed]})
        console.print("\n".join(f"removed {path}" for path in removed) or "nothing to remove")
        return 0
    if options.json and not options.headless:
        raise UsageError("--json needs --headless here", "qtui demo --headless --json")
    if not options.headless:
        app_verbs.need_terminal()
    sides = await _prepared(context)
    if not options.headless:
        return await app_verbs.show_app(context, sides, DEMO_PROMPT)
    duel = new_duel(context, DUEL_SAMPLING)
    try:
        for label, variant in zip("AB", sides, strict=True):
            await duel.put(label, variant, LoadPlan())
        with context.interrupts.stop_first(duel.stop):
            ended = await run_round(context, duel, DEMO_PROMPT)
    finally:
        await duel.close()
    show_round(context, ended, DUEL_SAMPLING, titled=True)
    failure = next((side.failure for side in ended.sides if side.failure), None)
    return finish(context, duel_report(ended), failure)


async def _prepared(context: Context) -> list[Variant]:
    services = context.services
    async for event in services.demo.prepare():
        context.console.progress(f"making {event.quant} of the demo model, {event.fraction * 100:.0f} %")
    context.console.end_progress()
    return [await services.library.find(str(services.demo.path(quant))) for quant in DEMO_SIDES]
