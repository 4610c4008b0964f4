"""The Hub as a downloading child sees it: where the bytes of a file are, and the lock that all programs respect.

huggingface_hub gives the address, the headers (the user's token is read in there and nowhere else) and the lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import cast

from huggingface_hub import hf_hub_url
from huggingface_hub.utils import WeakFileLock, build_hf_headers  # type: ignore[attr-defined]

from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.messages import FetchJob
from qtui.core.downloads.trouble import ChangedError
from qtui.core.errors import QtuiError
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
from qtui.services.hub import refusals

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
            AccessError: gated, a bad token, disabled.
            ChangedError: it is another file now.
            NotOnHubError: there is no such file or repository, or it may not be seen.
            HubError: what answers is no Hub.
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
                    raise refusals.no_hub(job.endpoint, "it redirects elsewhere without a word on the file")
                address = redirected(address, answer.redirect)
        raise AgainError("the server redirects without end")

    @staticmethod
    def _described(headers: HTTPMessage) -> bool:
        return "X-Repo-Commit" in headers and ("X-Linked-Etag" in headers or "ETag" in headers)

    def _compare(self, answer: Answer, file: RemoteFile) -> None:
        """Refuse an answer that is about other bytes than those that were listed."""
        if not self._described(answer.headers):
            raise refusals.no_hub(self._job.endpoint, "it does not describe the file")
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
        """Return what a status of the Hub means."""
        headers = cast(Mapping[str, str], answer.headers)  # a message answers `get` in any case, as one does
        if answer.status == refusals.LIMITED:
            return AgainError("the Hub asks to wait", asked_wait(answer.headers))
        if answer.status in refusals.PASSING:
            return AgainError(f"the Hub fails (status {answer.status})", asked_wait(answer.headers))
        return refusals.refused(
            answer.status, headers, what=f"{self._job.repository}/{clean_name(file.path)}", endpoint=self._job.endpoint,
            token_sent=self._job.send_token, repository=self._job.repository,
        )  # fmt: skip


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
