"""`duel --blind`: both answers without names, sizes or rates; a vote; and what was which at the end.

Until a round is voted on, nothing on the screen tells the sides apart: not which of them loads or writes, not how fast,
not a warning about one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Sequence
from contextlib import aclosing

from qtui.cli.keeping import Kept
from qtui.cli.rounds import finish, show_event, show_round
from qtui.cli.running import Context, Interrupts
from qtui.core.duel.ballot import Ballot, Vote
from qtui.core.duel.blind import PLACES, Blinding, both_answered, identical
from qtui.core.duel.report import duel_report
from qtui.core.duel.run import Duel, DuelEvent, RoundEnded
from qtui.core.errors import Failure
from qtui.core.text import clean_name

ASK = "better: 1, 2, = (tie) or x (both bad)? "


async def run_blind(context: Context, duel: Duel, prompts: Sequence[str], kept: Kept) -> int:
    """Run a round for each prompt, ask for a vote after each, then show what was which; return the exit status."""
    options, console = context.options, context.console
    rounds: list[tuple[RoundEnded, Vote | None]] = []
    hidden: list[DuelEvent] = []
    failure: Failure | None = None
    for number, prompt in enumerate(prompts, 1):
        duel.clear()
        blinding = Blinding.draw()
        console.progress(f"round {number} of {len(prompts)}: both answer")
        ended: RoundEnded | None = None
        async with aclosing(duel.ask(prompt, raw=options.raw)) as events:
            async for event in events:
                if isinstance(event, RoundEnded):
                    ended = event
                else:
                    hidden.append(event)
        console.end_progress()
        assert ended is not None
        failure = next((side.failure for side in ended.sides if side.failure), None)
        vote = await _vote(context, ended, blinding) if both_answered(ended) else None
        await kept.add(ended, blind=True, vote=vote)
        rounds.append((ended, vote))
        if failure or context.interrupts.happened or (vote is None and both_answered(ended)):
            break
    for event in hidden:
        show_event(context, event)
    console.end_progress()
    return await _reveal(context, rounds, kept, failure)


async def _reveal(
    context: Context, rounds: Sequence[tuple[RoundEnded, Vote | None]], kept: Kept, failure: Failure | None
) -> int:
    console = context.console
    ballot = Ballot.of(vote for _, vote in rounds if vote is not None)
    for ended, vote in rounds:
        console.print(f"\nvote: {vote.value.replace('_', ' ') if vote else 'none'}")
        show_round(context, ended, kept.sampling, titled=True)
    names = [side.variant.title for side in rounds[0][0].sides] if rounds else []
    if len(names) == 2:
        console.print(ballot.sentence((f"A {names[0]}", f"B {names[1]}")))
    await kept.report()
    report = {
        "rounds": [{**duel_report(ended), "vote": vote.value if vote else None} for ended, vote in rounds],
        "ballot": ballot.as_json(),
    }
    return finish(context, report, failure)


async def _vote(context: Context, ended: RoundEnded, blinding: Blinding) -> Vote | None:
    """Show both answers and read a vote; None where the input ends or a signal comes before there is one."""
    console = context.console
    show = console.note if console.as_json else console.print
    show(f"> {clean_name(ended.prompt)}\n")
    for place, side in zip(PLACES, blinding.shown(ended), strict=True):
        assert side.answer is not None
        show(f"{place}\n{side.answer.text.strip() or '(an empty answer)'}\n")
    if identical(ended):
        show("the answers are identical: there is nothing to choose")
        return Vote.IDENTICAL
    while True:
        console.note(ASK)
        said = await _line(context.interrupts)
        if not said:
            return None
        vote = blinding.vote(said)
        if vote is not None:
            return vote


async def _line(interrupts: Interrupts) -> str:
    """Read a line of standard input, in a thread that no end of the program waits for; empty at its end or a signal."""
    loop = asyncio.get_running_loop()
    read: asyncio.Future[str] = loop.create_future()

    def work() -> None:
        text = sys.stdin.readline(100)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for it any more
            loop.call_soon_threadsafe(lambda: None if read.done() else read.set_result(text))

    threading.Thread(target=work, name="vote", daemon=True).start()

    async def stop() -> None:
        if not read.done():
            read.set_result("")

    with interrupts.stop_first(stop):
        return await read
