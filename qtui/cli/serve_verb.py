"""`serve`: a variant behind an endpoint for other programs, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import time
from dataclasses import dataclass

from qtui.cli.options import sampling_of
from qtui.cli.running import Context
from qtui.core.duel.conversation import Answer, Sampling
from qtui.core.errors import QtuiError
from qtui.core.events import Loaded, LoadProgressed
from qtui.core.memory.guard import Weighing
from qtui.core.memory.verdict import Fit
from qtui.core.serving.asked import Defaults
from qtui.core.serving.gate import checked_key
from qtui.core.serving.line import WAITING
from qtui.core.serving.ports import Endpoint
from qtui.core.serving.run import Done, Loading, Lost, Serving, ServingEvent
from qtui.core.text import duration, rate

KEY_VARIABLE = "QTUI_API_KEY"
CANCEL_S = 1.0
"""So long the answer that runs may take to stop; the child is ended after it in any case."""


@dataclass(frozen=True, slots=True)
class Key:
    """The key of this run."""

    text: str
    shown: str
    """As a shell gets it: the key itself, or what stands for it."""
    told: str
    """Where it comes from, for people."""
    made: bool = False


async def serve(context: Context) -> int:
    """Load a variant and answer programs until Ctrl-C."""
    options, services = context.options, context.services
    plan, sampling = context.plan(), sampling_of(options, Sampling())
    key = _key(context)
    variant = await services.library.find(options.variant)
    endpoint = await services.endpoints.bind(options.host, options.port, "" if key.made else key.text)
    services.endpoint = endpoint.url
    serving = Serving(
        services.engine, services.guard, variant, plan, defaults=Defaults(sampling, options.system),
        force=options.force, tell=_Teller(context).hear,
    )  # fmt: skip

    async def stop() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(serving.stop(), CANCEL_S)
        await endpoint.close()

    watching: asyncio.Task[None] | None = None
    try:
        failure = await serving.load()
        if failure is not None:
            raise _FailedError(failure.message, failure.hint, failure.kind)
        context.console.end_progress()
        await endpoint.open(serving, key.text)
        _announce(context, serving, endpoint, key)
        watching = asyncio.create_task(serving.watch())
        with context.interrupts.stop_first(stop):
            await endpoint.wait()
    finally:
        if watching is not None:
            watching.cancel()
        await endpoint.close()
        await serving.close()
    return 0


class _FailedError(QtuiError):
    """The model could not be loaded; keeps the kind of the reason."""

    def __init__(self, message: str, hint: str, kind: str) -> None:
        super().__init__(message, hint)
        self.kind = kind


def _key(context: Context) -> Key:
    """Return the key: of the options, else of the environment, else one that is made."""
    options, endpoints = context.options, context.services.endpoints
    if options.api_key is not None:
        text = checked_key(options.api_key, "--api-key")
        context.console.note(
            f"warning: everyone on this machine can see --api-key in the list of processes; {KEY_VARIABLE} or "
            "--api-key-file keep it to yourself"
        )
        return Key(text, shlex.quote(text), "as --api-key gives it")
    if options.api_key_file is not None:
        path = options.api_key_file
        return Key(endpoints.key_of_file(path), f"$(cat {shlex.quote(str(path))})", f"as {path} holds it")
    if os.environ.get(KEY_VARIABLE):
        return Key(checked_key(os.environ[KEY_VARIABLE], KEY_VARIABLE), f"${KEY_VARIABLE}", f"as {KEY_VARIABLE} holds")
    made = endpoints.made_key()
    return Key(made, made, f"{made}   made for this run; export {KEY_VARIABLE} to choose one", made=True)


def _announce(context: Context, serving: Serving, endpoint: Endpoint, key: Key) -> None:
    """Say where the endpoint is and how it is asked."""
    console, options = context.console, context.options
    if not endpoint.here_only:
        console.note(
            f"warning: --host {options.host} lets other machines in, and what they send and get is not encrypted; "
            "whoever has the key can use this model"
        )
    if serving.plan.parallel > serving.line.at_once:
        console.note("note: --parallel only divides the context here: one answer is made at a time")
    body = json.dumps({"model": serving.name, "messages": [{"role": "user", "content": "Hello"}]})
    curl = (
        f'curl {endpoint.url}/chat/completions -H "Authorization: Bearer {key.shown}" '
        f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    )
    loaded, session = serving.loaded, serving.session
    plan = loaded.plan if loaded else serving.plan.as_json()
    took = f", loaded in {duration(loaded.load_time)}" if loaded else ""
    console.print(f"{serving.variant.title} as {serving.name}, {plan.get('ctx_size')} tokens of context{took}")
    console.print(f"endpoint  {endpoint.url}")
    console.print(f"key       {key.told}")
    console.print(f"try       {curl}")
    many = serving.line.at_once
    said = f"{many} answers at a time, which share the context" if many > 1 else "one answer at a time"
    console.print(f"{said}; {WAITING} may wait; Ctrl-C ends it")
    console.json({
        "endpoint": endpoint.url, "model": serving.name, "file": serving.variant.file, "key": key.text if key.made
        else None, "engine": serving.plan.engine, "plan": plan, "session": session.id if session else None,
        "pid": session.pid if session else None, "curl": curl, "at_once": many,
    })  # fmt: skip


class _Teller:
    """Says on stderr what happens behind the endpoint; nothing of what is asked or answered."""

    def __init__(self, context: Context) -> None:
        self._console = context.console
        self._force = context.options.force

    def hear(self, event: ServingEvent) -> None:
        """Say one event."""
        console = self._console
        match event:
            case Weighing(verdict=verdict):
                if verdict.fit in (Fit.TIGHT, Fit.FROM_DISK) or (verdict.fit is Fit.TOO_BIG and self._force):
                    console.note(f"{verdict.fit.value.replace('_', ' ')}: {verdict.reason}")
            case Loading(event=LoadProgressed(fraction=fraction)):
                console.progress(f"loading {fraction * 100:.0f} %")
            case Loading(event=Loaded(warnings=warnings)):
                for warning in warnings:
                    console.note(warning)
            case Lost(failure=failure):
                console.note(f"{_now()} {failure.message}; the next request loads it again")
            case Done(kind=kind, answer=answer):
                console.note(f"{_now()} {kind.value}: {_line(answer)}")


def _now() -> str:
    return time.strftime("%H:%M:%S")


def _line(answer: Answer) -> str:
    cached = f" ({answer.cached_tokens} cached)" if answer.cached_tokens else ""
    return (
        f"prompt {answer.prompt_tokens} tokens{cached}, first token {duration(answer.time_to_first_token)}, "
        f"{answer.generated_tokens} tokens at {rate(answer.generation_rate)} t/s, ended by {answer.finish_reason}"
    )
