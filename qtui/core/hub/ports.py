"""The port of the Hub: what its runs and its place need of the outside world, beside those of `qtui.core.ports`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Protocol

from qtui.core.hub.events import HeaderFetched, HeaderRead, Waiting
from qtui.core.hub.query import Query, ResultPage
from qtui.core.hub.repository import Account, Card, FilesPage, LocalCopy, Repository, RepositoryFile
from qtui.core.library.variant import Variant


class Hub(Protocol):
    """The Hugging Face Hub, or a mirror of it.

    What is asked yields `Waiting` as often as the Hub has to be waited for, then what was asked for. Closing or
    cancelling an iteration ends its requests at once. Every call may raise a HubError: OfflineError, NotOnHubError,
    AccessError, RateLimitError, or HubError where the answer is not understood. All text that comes is clean.
    """

    @property
    def endpoint(self) -> str:
        """Return the address that is asked, without name and password."""
        ...

    def search(self, query: Query, page: str = "") -> AsyncIterator[Waiting | ResultPage]:
        """Look for repositories; `page` is `ResultPage.next` of the page before. Ends with one ResultPage.

        Pages that were asked for in the last minutes come from memory.

        Raises:
            UsageError: the query cannot be asked.
        """
        ...

    def repository(self, name: str) -> AsyncIterator[Waiting | Repository]:
        """Look at one repository; ends with it, under the name that it has now, and with what access there is."""
        ...

    def files(self, repository: Repository) -> AsyncIterator[Waiting | FilesPage]:
        """List the files of a repository at its commit, page by page; at most some ten thousand."""
        ...

    def card(self, repository: Repository) -> AsyncIterator[Waiting | Card]:
        """Fetch the model card; ends with an empty one where there is none."""
        ...

    def header(
        self, repository: Repository, file: RepositoryFile
    ) -> AsyncIterator[Waiting | HeaderFetched | HeaderRead]:
        """Read the header of one GGUF file; ends with HeaderRead. What was read once is kept for ever.

        Of a sibling of a file that was read before, only what is its own is fetched.

        Raises:
            BadFileError: it is not GGUF, damaged, or hostile.
        """
        ...

    def header_path(self, file: RepositoryFile) -> Path:
        """Return where the header of a file is kept, or would be."""
        ...

    async def copies(self, repository: str, here: Sequence[Variant]) -> Sequence[LocalCopy]:
        """Return what of a repository is on this machine: in the HF cache, and among the variants `here`."""
        ...

    def account(self) -> AsyncIterator[Waiting | Account]:
        """Ask who the Hub takes us for; ends with Account."""
        ...

    async def close(self) -> None:
        """End all connections."""
        ...
