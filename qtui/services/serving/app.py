"""The routes of an endpoint, and the gate before all of them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from qtui.core.serving.asked import Kind, Wanted, wanted
from qtui.core.serving.fields import LONGEST_BODY, body_of
from qtui.core.serving.gate import Asked, Gate
from qtui.core.serving.refusal import SERVER, Refusal, RefusedError
from qtui.core.serving.replies import Replies, model_object
from qtui.core.serving.run import Serving, State
from qtui.services.serving.sending import answer_whole, stream_answer

BODY_S = 30.0
"""So long a body may take to arrive."""
PATIENT_BODY = 16 * LONGEST_BODY
"""So much of a body that is too large is read to its end: who still sends hears no answer."""
FAULT = Refusal(500, "the endpoint failed; the log says why", SERVER, code="internal")


def endpoint_app(serving: Serving, gate: Gate, note: Callable[[str], object]) -> ASGIApp:
    """Return the application of an endpoint; `note` takes a line for the log."""
    created = int(time.time())

    async def health(_request: Request) -> JSONResponse:
        state = serving.state
        return JSONResponse({"status": state.value}, 200 if state is State.READY else 503)

    def row() -> dict[str, object]:
        plan = serving.loaded.plan if serving.loaded else serving.plan.as_json()
        return model_object(serving.variant, created, plan)

    async def models(_request: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [row()]})

    async def model(request: Request) -> JSONResponse:
        serving.check_model(request.path_params["name"])
        return JSONResponse(row())

    routes = [
        *(Route(path, health, methods=["GET"]) for path in ("/health", "/v1/health")),
        Route("/v1/models", models, methods=["GET"]),
        Route("/v1/models/{name:path}", model, methods=["GET"]),
        Route("/v1/chat/completions", Answering(serving, Kind.CHAT, note), methods=["POST"]),
        Route("/v1/completions", Answering(serving, Kind.TEXT, note), methods=["POST"]),
    ]
    handlers = {HTTPException: _of_starlette, RefusedError: _of_ours}
    return Guarded(Starlette(routes=routes, exception_handlers=handlers), gate)


class Guarded:
    """An application behind a gate."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or say why not."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._gate.refusal(Asked(scope["path"], headers))
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await refused(refusal)(scope, receive, send)


class Answering:
    """The route of one kind of question; an answer whose reader has gone is cancelled."""

    def __init__(self, serving: Serving, kind: Kind, note: Callable[[str], object]) -> None:
        self._serving = serving
        self._kind = kind
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            asked = wanted(self._kind, body_of(await _body(Request(scope, receive))), self._serving.defaults)
        except RefusedError as error:
            await refused(error.refusal)(scope, receive, send)
            return
        except ClientDisconnect:
            return
        work = asyncio.create_task(self._answer(asked, scope, receive, send))
        gone = asyncio.create_task(_until_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            work.cancel()
            gone.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _answer(self, asked: Wanted, scope: Scope, receive: Receive, send: Send) -> None:
        replies = Replies(self._kind, uuid.uuid4().hex, int(time.time()), self._serving.name)
        refusal: Refusal | None = None
        try:
            if asked.stream:
                refusal = await stream_answer(self._serving, asked, replies, send)
            else:
                await JSONResponse(await answer_whole(self._serving, asked, replies))(scope, receive, send)
        except RefusedError as error:
            refusal = error.refusal
        except (OSError, TimeoutError):  # the reader has gone, or reads no more
            return
        except Exception as error:  # noqa: BLE001  the outermost code of a request: a fault belongs into the log
            self._note(f"the endpoint failed on a request: {type(error).__name__}: {error}")
            refusal = FAULT
        if refusal is not None:
            await refused(refusal)(scope, receive, send)


def refused(refusal: Refusal) -> JSONResponse:
    """Return the response of a refusal."""
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if refusal.status in (403, 413):
        headers["Connection"] = "close"  # what is left of the body is not read
    return JSONResponse(refusal.as_json(), refusal.status, headers)


async def _body(request: Request) -> bytes:
    """Return a request's body.

    Raises:
        RefusedError: it is too large, or takes too long.
        ClientDisconnect: nobody waits any more.
    """
    data = bytearray()
    size = 0
    try:
        async with asyncio.timeout(BODY_S):
            async for piece in request.stream():
                size += len(piece)
                if size <= LONGEST_BODY:
                    data += piece
                elif size > PATIENT_BODY:
                    break
    except TimeoutError:
        text = f"the body did not arrive within {BODY_S:.0f} s"
        raise RefusedError(Refusal(408, text, code="body_timeout")) from None
    if size > LONGEST_BODY:
        text = f"the body is larger than {LONGEST_BODY >> 20} MiB"
        raise RefusedError(Refusal(413, text, code="body_too_large"))
    return bytes(data)


async def _until_gone(receive: Receive) -> None:
    """Wait until the other side has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _of_starlette(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    known = {404: "there is nothing at this address", 405: "this address takes another method"}
    response = refused(Refusal(error.status_code, known.get(error.status_code, error.detail), code="not_found"))
    response.headers.update(error.headers or {})
    return response


async def _of_ours(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)
    return refused(error.refusal)
