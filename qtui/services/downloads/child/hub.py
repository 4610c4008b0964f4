"""The Hub as a downloading child sees it: where the bytes of a file are, and the lock that all programs respect.

huggingface_hub gives the address, the headers (the user's token is read in there and nowhere else) and the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPMessage
from pathlib import Path

from huggingface_hub import hf_hub_url
from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]

from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.messages import FetchJob
from qtui.core.downloads.trouble import AccessError, ChangedError, NetworkError
from qtui.core.errors import QtuiError
from qtui.core.secrets import masked
from qtui.core.text import clean_name
from qtui.services.downloads.child.web import (
    MOST_REDIRECTS,
    Address,
    AgainError,
    Answer,
    Web,
    asked_wait,
    origin,
    redirected,
)

BUSY = "another program is downloading this: waiting for it"


class Hub:
    """One repository at one commit."""

    def __init__(self, job: FetchJob, web: Web) -> None:
        self._job = job
        self._web = web

    def locate(self, file: RemoteFile) -> Address:
        """Ask where the bytes of a file are, and make sure that they are those that were listed.

        Raises:
            AgainError: no answer, or a passing failure.
            AccessError: gated, private, a bad token, disabled.
            ChangedError: it is another file now, or gone.
            NetworkError: what answers is no Hub.
        """
        job = self._job
        url = hf_hub_url(job.repository, file.path, revision=job.commit, endpoint=job.endpoint)
        headers = build_hf_headers(token=None if job.send_token else False)
        address = Address(url, {**headers, "Accept-Encoding": "identity"})
        for _ in range(MOST_REDIRECTS):
            with self._web.ask("HEAD", address) as answer:
                if answer.status >= 400:
                    raise self._refusal(answer, file)
                if not answer.redirect or self._described(answer.headers):
                    self._compare(answer, file)
                    return redirected(address, answer.redirect) if answer.redirect else address
                # A renamed repository, or a mirror in front of another: only inside of one origin.
                if origin(answer.redirect) != address.origin:
                    raise _no_hub(job.endpoint)
                address = redirected(address, answer.redirect)
        raise AgainError("the server redirects without end")

    @staticmethod
    def _described(headers: HTTPMessage) -> bool:
        return "X-Repo-Commit" in headers and ("X-Linked-Etag" in headers or "ETag" in headers)

    def _compare(self, answer: Answer, file: RemoteFile) -> None:
        """Refuse an answer that is about other bytes than those that were listed."""
        if not self._described(answer.headers):
            raise _no_hub(self._job.endpoint)
        tag = answer.headers.get("X-Linked-Etag") or answer.headers.get("ETag") or ""
        sha256 = tag.removeprefix("W/").strip('"').lower()
        linked = answer.headers.get("X-Linked-Size") or ("" if answer.redirect else str(answer.length or ""))
        same = sha256 == file.sha256 and linked in ("", str(file.size))
        if not same or answer.headers.get("X-Repo-Commit", "").lower() != self._job.commit:
            raise ChangedError(
                f"{clean_name(file.name)} is another file on the Hub now than the one that was listed",
                "list the repository again; what was fetched of the old one starts anew",
            )

    def _refusal(self, answer: Answer, file: RemoteFile) -> QtuiError | AgainError:
        """Return what a status of the Hub means (huggingface_hub's own table: utils/_http.py, hf_raise_for_status)."""
        code = answer.headers.get("X-Error-Code", "")
        said = clean_name(masked(answer.headers.get("X-Error-Message", "") or ""))
        repository, status = self._job.repository, answer.status
        page = f"{self._job.endpoint}/{repository}"
        if code == "GatedRepo":
            return AccessError(
                f"{repository} is gated", f"accept its terms at {page}, then set a token with hf auth login"
            )
        if status == 401 and ("credentials" in said.lower() or "token" in said.lower()):
            return AccessError(f"the Hub does not take the token: {said}", "set another one with hf auth login")
        if code in ("RevisionNotFound", "EntryNotFound"):
            return ChangedError(f"{clean_name(file.path)} is not on the Hub any more", "list the repository again")
        if code == "RepoNotFound" or status == 401:
            return AccessError(
                f"{repository} is not there, or is private",
                "check the name; a private one needs a token that may read it",
            )
        if status in (408, 425, 429) or status >= 500:
            reason = "the Hub asks to wait" if status == 429 else f"the Hub fails (status {status})"
            return AgainError(reason, asked_wait(answer.headers))
        if status in (404, 410) and not code:
            return _no_hub(self._job.endpoint)
        return AccessError(f"the Hub refuses {clean_name(file.path)} (status {status}){': ' + said if said else ''}")


@contextmanager
def locked(path: Path, patience: float, busy: Callable[[], None]) -> Iterator[None]:
    """Hold the lock that huggingface_hub takes while it downloads; `busy` is called each time it is not to be had."""
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(WeakFileLock(path, timeout=patience))
            except TimeoutError:
                busy()
            else:
                break
        yield


def _no_hub(endpoint: str) -> NetworkError:
    return NetworkError(
        f"what answers at {clean_name(endpoint)} is no Hub",
        "does this network want you to log in first? HF_ENDPOINT names the Hub",
    )
