"""Transfer: brings the bytes of one file into its partial, from where they stop, through whatever a network does.

Every try asks the Hub anew where the bytes are: signed addresses expire. A try that brought a byte does not count as
failed; only so many in a row without one end it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from time import monotonic

from qtui.core.downloads.files import RemoteFile
from qtui.core.downloads.messages import Pace
from qtui.core.downloads.trouble import DamagedError, NetworkError
from qtui.core.text import clean_name
from qtui.services.downloads.child.parent import Stop
from qtui.services.downloads.child.partial import Partial
from qtui.services.downloads.child.progress import Progress
from qtui.services.downloads.child.web import LIMITED, Address, AgainError, Answer, Web, asked_wait

GATHER_S = 0.2
"""Bytes are written at least this often, so that a slow line shows progress and a stop is heard."""
TRANSIENT = (408, 425, 429)
Locate = Callable[[], Address]
"""Asks the Hub where the bytes are; raises AgainError, or a QtuiError when trying again is of no use."""


class Transfer:
    """Fetches one file into its partial, which has hashed what was kept."""

    def __init__(
        self,
        file: RemoteFile,
        partial: Partial,
        locate: Locate,
        *,
        web: Web,
        stop: Stop,
        progress: Progress,
        pace: Pace,
    ) -> None:
        self._file = file
        self._partial = partial
        self._locate = locate
        self._web = web
        self._stop = stop
        self._progress = progress
        self._pace = pace
        self._whole = False
        self._broken: AgainError | None = None

    def run(self) -> None:
        """Fetch what is missing and compare the whole; wrong bytes are thrown away.

        Raises:
            StoppedError: a stop was asked for; what came is kept.
            NetworkError: too many tries in a row brought nothing.
            DamagedError: all bytes came and are not those that the Hub promised.
            QtuiError: the Hub refuses the file, or the disk does.
        """
        failures, most = 0, self._partial.done
        while self._partial.done < self._file.size:
            self._stop.check()
            try:
                self._try()
            except AgainError as again:
                self._whole = self._whole or again.whole
                failures = 1 if self._partial.done > most else failures + 1
                most = max(most, self._partial.done)
                if failures >= self._pace.tries:
                    raise NetworkError(
                        f"{clean_name(self._file.name)}: {again.reason} ({failures} tries in a row)",
                        "what came is kept; try it again later",
                    ) from again
                self._rest(again, failures)
        if not self._partial.is_right():
            self._partial.restart()
            raise DamagedError(
                f"{clean_name(self._file.name)}: the bytes that came are not those that the Hub promised (SHA-256)",
                "they were thrown away; try it again, or another mirror or network",
            )

    def _try(self) -> None:
        """Connect once and take what comes.

        Raises:
            AgainError: it ended before the file did.
        """
        address = self._locate()
        offset = 0 if self._whole else self._partial.done
        headers = {**address.headers, "Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        with self._web.follow("GET", replace(address, headers=headers)) as answer:
            start = self._accepted(answer, offset)
            self._pass_over(answer, self._partial.done - start)
            self._progress.note("")
            while self._partial.done < self._file.size:
                self._stop.check()
                self._progress.received += self._partial.fill(lambda view: self._gather(answer, view))
                self._progress.here = self._partial.done
                if self._broken is not None:
                    broken, self._broken = self._broken, None
                    raise broken
            self._refuse_more(answer)

    def _accepted(self, answer: Answer, offset: int) -> int:
        """Return the byte that the body begins with: the one that was asked for, or the first.

        Raises:
            AgainError: the answer is not exactly the file or the part of it that was asked for.
        """
        size = self._file.size
        if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise AgainError("the bytes come re-encoded: a proxy that changes them?")
        if answer.status == 200:
            self._need_length(answer, size)
            return 0
        if answer.status == 206 and offset:
            wanted = f"bytes {offset}-{size - 1}/{size}"
            if re.sub(r"\s+", " ", answer.headers.get("Content-Range", "")).strip() != wanted:
                raise AgainError("the server sends another part than was asked for", whole=True)
            self._need_length(answer, size - offset)
            return offset
        if answer.status == 416:
            raise AgainError("the server does not have the rest of the file", whole=True)
        if answer.status in TRANSIENT or answer.status >= 500:
            reason = "the server is busy" if answer.status in LIMITED else f"the server fails (status {answer.status})"
            raise AgainError(reason, asked_wait(answer.headers))
        raise AgainError(f"the address of the bytes does not work (status {answer.status})")

    def _need_length(self, answer: Answer, promised: int) -> None:
        if answer.length is None or answer.length == promised:
            return
        if "text/html" in answer.headers.get("Content-Type", "").lower():
            raise AgainError("a web page came instead of the file: does this network want you to log in?")
        raise AgainError(f"the server promises {answer.length} bytes where {promised} are expected")

    def _pass_over(self, answer: Answer, count: int) -> None:
        """Read what is here already from a server that only sends whole files, without losing what is kept."""
        if count:
            self._progress.note("the server only sends whole files: passing over what is here")
        buffer = memoryview(bytearray(min(count, 1 << 18)))
        while count:
            self._stop.check()
            length = answer.read_into(buffer[:count])
            if not length:
                raise AgainError("the connection ended early")
            count -= length

    def _gather(self, answer: Answer, view: memoryview) -> int:
        """Fill a buffer, or as much of it as comes in a moment; what breaks the connection is told after it is kept."""
        length, until = 0, monotonic() + GATHER_S
        while length < len(view) and (not length or monotonic() < until):
            try:
                count = answer.read_into(view[length:])
            except AgainError as error:
                self._broken = error
                break
            if not count:
                self._broken = AgainError("the connection ended early")
                break
            length += count
        return length

    def _refuse_more(self, answer: Answer) -> None:
        """Make sure that a body of unknown length ends where the file does; what came is then compared as usual."""
        if answer.length is None and self._more(answer):
            self._partial.restart()
            raise DamagedError(
                f"{clean_name(self._file.name)}: the server sends more bytes than the Hub promised",
                "what came was thrown away; try another mirror or network",
            )

    @staticmethod
    def _more(answer: Answer) -> bool:
        try:
            return answer.read_into(memoryview(bytearray(1))) > 0
        except AgainError:
            return False

    def _rest(self, again: AgainError, failures: int) -> None:
        """Wait before the next try: as long as the server asks, else longer each time nothing came."""
        pause = min(self._pace.backoff * 2 ** (failures - 1), self._pace.longest)
        if again.wait is not None:
            pause = max(again.wait, pause)
        told = f"{again.reason}; again in {round(pause)} s" if pause >= 1 else f"{again.reason}; trying again"
        self._progress.note(told)
        self._stop.wait(pause)
