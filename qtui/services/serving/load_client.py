"""A program that asks an endpoint over the standard library's HTTP, in threads: what it waits for is the network."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

from qtui.core.serving.shot import Shot
from qtui.core.text import clean_name

PATIENCE_S = 3600.0
"""Longer than any line: what ends a wait is the end of the endpoint."""
LONGEST_LINE = 1 << 22


class LoadClient:
    """Asks so many requests at once. Implements the Client port."""

    def __init__(self, at_once: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="load")

    async def ask(self, url: str, key: str, body: Mapping[str, Any]) -> Shot:
        """Ask for a streamed conversation and return what came of it."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, shoot, url, key, body)

    def close(self) -> None:
        """Ask no more; what is under way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def shoot(url: str, key: str, body: Mapping[str, Any]) -> Shot:
    """Ask one request and wait for its end."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE_S)
    data = json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    began = perf_counter()
    try:
        connection.request("POST", f"{place.path}/chat/completions", data, headers)
        with connection.getresponse() as response:
            if response.status != 200:
                told = _error(_object(response.read(LONGEST_LINE)))
                return Shot(elapsed=perf_counter() - began, error=f"{response.status}: {told}")
            return _read(response, began)
    except (OSError, http.client.HTTPException) as error:
        reason = clean_name(str(error)) or type(error).__name__
        return Shot(elapsed=perf_counter() - began, error=f"the connection broke: {reason}")
    finally:
        connection.close()


def _read(response: http.client.HTTPResponse, began: float) -> Shot:
    """Read a stream to its end."""
    first: float | None = None
    rate: float | None = None
    tokens, error = 0, "the answer broke off"
    while line := response.readline(LONGEST_LINE):
        if not line.startswith(b"data: "):
            continue
        if line.strip() == b"data: [DONE]":
            error = ""
            break
        chunk = _object(line[6:])
        if "error" in chunk:
            error = _error(chunk)
            break
        if first is None and _says(chunk):
            first = perf_counter() - began
        timings, usage = chunk.get("timings"), chunk.get("usage")
        if isinstance(timings, dict):
            rate = timings.get("predicted_per_second")
        if isinstance(usage, dict):
            tokens = usage.get("completion_tokens", 0)
    return Shot(first, rate, tokens, perf_counter() - began, error)


def _says(chunk: Mapping[str, Any]) -> bool:
    """Tell whether a chunk holds text."""
    choices = chunk.get("choices") or [{}]
    delta = choices[0].get("delta") or {}
    return bool(delta.get("content") or delta.get("reasoning_content"))


def _object(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _error(body: Mapping[str, Any]) -> str:
    told = body.get("error")
    return clean_name(str(told.get("message", "")) if isinstance(told, dict) else "no reason is given")
