"""What the Hub's refusals mean: statuses, error codes and broken connections as errors with a hint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus

from qtui.core.errors import AccessError, HubError, NotOnHubError, OfflineError, QtuiError, RateLimitError
from qtui.core.secrets import masked
from qtui.core.text import clean_name, duration

BAD_TOKEN = "invalid credentials"  # noqa: S105  what the Hub says of one
DISABLED = "access to this resource is disabled"
PASSING = (408, 425, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""
LIMITED = 429
LONGEST_WAIT_S = 310.0
"""The Hub's windows are five minutes long; who asks for more is not waited for."""
USUAL_WAIT_S = 30.0
LOG_IN = "`hf auth login` sets a token"
NO_HUB = "log in to this network if it asks for that in a browser; else check HF_ENDPOINT and proxies"
_LIMIT = re.compile(r'"(?P<what>\w+)"\s*;\s*r\s*=\s*(?P<left>\d+)\s*;\s*t\s*=\s*(?P<seconds>\d+)')


def refused(
    status: int, headers: Mapping[str, str], *, what: str, endpoint: str, token_sent: bool, repository: str = ""
) -> QtuiError:
    """Return what a status of the Hub means.

    Args:
        status: 400 or more.
        headers: of the answer, without regard to case.
        what: was asked for: `acme/Model-GGUF`, `the search`; clean.
        endpoint: who was asked.
        token_sent: whether we said who we are.
        repository: `owner/name`, for the page where terms are accepted.
    """
    code = headers.get("X-Error-Code", "")
    said = clean_name(masked(headers.get("X-Error-Message", "") or ""), 300)
    page = f"{endpoint}/{repository}" if repository else endpoint
    if code == "GatedRepo":
        then = "a token that you were let in with is sent with it" if not token_sent else "wait until you are let in"
        hint = f"accept its terms at {page}" + (f"; then {LOG_IN}: {then}" if not token_sent else f", and {then}")
        return AccessError(f"{what} is gated: its terms have to be accepted first", hint)
    if BAD_TOKEN in said.lower() or (status == HTTPStatus.UNAUTHORIZED and token_sent and not code):
        return AccessError("the Hub does not know the token that was sent", f"it may have been revoked: {LOG_IN}")
    if DISABLED in said.lower():
        return AccessError(f"{what} was disabled by the Hub", f"{page} may say why")
    if code == "RevisionNotFound":
        return NotOnHubError(f"{what}: there is no such revision any more", "list the repository again")
    if code == "EntryNotFound":
        return NotOnHubError(f"{what}: there is no such file", "list the repository again: `qtui quants REPO`")
    if code == "RepoNotFound" or (status in (401, 404) and repository):
        private = "" if token_sent else f"; a private one needs a token ({LOG_IN})"
        return NotOnHubError(f"{what}: there is no such repository", f"check the name{private}")
    if status == LIMITED:
        wait = wait_of(headers)
        return RateLimitError(
            f"the Hub allows no more requests for {duration(wait)}",
            "wait that long; with a token more is allowed" if not token_sent else "wait that long",
        )
    detail = f": {said}" if said else ""
    if status in (401, 403):
        return AccessError(
            f"the Hub refuses {what} (status {status}){detail}", f"check what the token may do; {LOG_IN}"
        )
    if status >= 500:
        return HubError(f"the Hub fails over {what} (status {status}){detail}", "try again in a while")
    return HubError(f"the Hub refuses {what} (status {status}){detail}", NO_HUB if status == 404 else "")


def wait_of(headers: Mapping[str, str]) -> float:
    """Return how many seconds a 429 or a 503 asks us to wait."""
    limit = _LIMIT.search(headers.get("RateLimit", ""))
    if limit is not None and limit["left"] == "0":
        return float(min(int(limit["seconds"][:6]) + 1, 10**6))
    after = headers.get("Retry-After", "").strip()
    return float(min(int(after[:6]), 10**6)) if after.isascii() and after.isdigit() else USUAL_WAIT_S


def unreachable(error: Exception, endpoint: str) -> OfflineError:
    """Return what a connection that failed means; the exception's own text may hold addresses and is masked."""
    name = type(error).__name__
    reason = {
        "ConnectTimeout": "no connection within the time limit",
        "ReadTimeout": "no answer within the time limit",
        "PoolTimeout": "too many connections are open",
        "ProxyError": "the proxy refuses",
    }.get(name) or clean_name(masked(str(error)).partition("\n")[0], 200)
    return OfflineError(
        f"{endpoint} cannot be reached: {reason or name}",
        "check the network, HTTPS_PROXY and HF_ENDPOINT; what is here can be used without it",
    )


def too_slow(endpoint: str) -> OfflineError:
    """Return the error for an answer that trickles."""
    return OfflineError(f"{endpoint} cannot be reached: its answer takes too long", "try again in a while")


def offline(endpoint: str) -> OfflineError:
    """Return the error of who asks although nothing is to be asked."""
    return OfflineError(
        f"HF_HUB_OFFLINE is set: {endpoint} is not asked", "unset it; what is here can be used without the Hub"
    )


def no_hub(endpoint: str, what: str) -> HubError:
    """Return the error for an answer that no Hub gives."""
    return HubError(f"what answers at {endpoint} is no Hub: {what}", NO_HUB)
