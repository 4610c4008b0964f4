"""Adds the user's token to a request, at the moment when it is sent; nothing of ours holds it before or after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx2

from qtui.services.hub.environment import huggingface_hub


class Bearer(httpx2.Auth):
    """huggingface_hub reads the token (environment, file, or a sign-in that it renews) and writes the header."""

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Put the header into the request."""
        await asyncio.to_thread(_authorize, request)
        yield request


def _authorize(request: httpx2.Request) -> None:
    huggingface_hub()
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    for name, value in build_hf_headers(token=None).items():
        if name.lower() == "authorization":
            request.headers[name] = value
